"""`python -m lsgan.export …` as a user types it."""

import json
import os
import re
import shutil
import stat
import sys
from pathlib import Path

import hub_stub
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import lsgan
import lsgan.streams
from lsgan import export as exporting
from lsgan import sample as sampling
from lsgan.errors import LsganError

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra export is not installed")


@pytest.fixture
def run_here(monkeypatch, tmp_path, capsys):
    """`python -m lsgan.<command> …` in this process, in tmp_path; what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(command, *words):
        monkeypatch.setattr("sys.argv", [command.__name__, *words])
        command.main()
        return capsys.readouterr().out

    return run


def names(folder):
    return sorted(path.name for path in folder.iterdir())


LABEL = {
    "extractor": "lite0", "weights": "57934424", "rule": "resized", "reference": "training", "data": "412ee8e6",
    "num_real": 90, "num_generated": 100, "definitions": "k=3",
}  # fmt: skip
ALL = ["README.md", "config.json", "config.yaml", "generator.onnx", "generator.pt2", "model.safetensors", "samples.png"]


def test_everything_of_a_conditional_run(short_run, run_here, tmp_path):
    folder = short_run("architecture=dcgan_small_conditional")
    (folder / "evaluation").mkdir()
    evaluation = {
        "label": LABEL,
        "results": [{"metric": "mind", "value": 0.25, "error": None, "against": "training"}],
        "seeds": [0],
        "step": 4,
        "weights": "average",
    }
    (folder / "evaluation" / "a.json").write_text(json.dumps(evaluation))
    told = run_here(exporting, f"run={folder}")
    out = folder / "exported" / "step-000004"
    assert names(out) == ALL
    assert {stat.S_IMODE((out / name).stat().st_mode) for name in ALL} == {0o666 & ~_umask()}
    lines = told.splitlines()
    for line, name in zip(lines, ("model.safetensors", "generator.pt2", "generator.onnx"), strict=False):
        found = re.fullmatch(
            rf"{out / name}: loaded back, differs by (\S+) at most from the original on the same z", line
        )
        assert float(found[1]) < 1e-4
    assert lines[-1] == f"exported {folder}/checkpoints/step-000004.pt to {out}, see {out / 'README.md'}"

    # from each file the samples of the run, without the run
    run = lsgan.load(folder)
    moved = Path(shutil.move(out, tmp_path / "moved"))
    shutil.rmtree(folder)
    expected = run.sample(12)
    exported = lsgan.load(moved)
    assert (exported.step, exported.ema, exported.num_classes) == (4, True, 10)
    assert torch.equal(exported.sample(12), expected)
    z = run.latent.sample(12, lsgan.streams.stream(0, "sample"))
    labels = torch.arange(12) % 10
    torch.testing.assert_close(
        torch.export.load(moved / "generator.pt2").module()(z, labels), expected, atol=1e-4, rtol=0
    )
    session = onnxruntime.InferenceSession(moved / "generator.onnx")
    (samples,) = session.run(None, {"z": z.numpy(), "labels": labels.numpy()})
    torch.testing.assert_close(torch.from_numpy(samples), expected, atol=1e-4, rtol=0)
    with Image.open(moved / "samples.png") as grid:
        assert np.array_equal(np.asarray(grid), np.asarray(run.grid(64)))

    interface = json.loads((moved / "config.json").read_text())
    assert interface["inputs"]["z"] == {
        "shape": ["batch", 128], "dtype": "float32", "distribution": {"name": "normal", "dim": 128},
    }  # fmt: skip
    assert interface["inputs"]["labels"]["classes"] == 10
    assert interface["outputs"]["samples"] == {"shape": ["batch", 1, 32, 32], "dtype": "float32", "range": [-1, 1]}

    card = (moved / "README.md").read_text()
    assert "**Loss**: lsgan_b1c0a-1: Pearson χ²" in card
    assert "**Data**: `digits`, images 1797, sha256 412ee8e6" in card
    assert "**Training**: 4 updates of G, batches of 8, seed 0" in card
    assert "Features lite0 57934424 (resized), 100 generated against 90 training samples (data 412ee8e6); k=3;" in card
    assert "| mind | 0.25 |  |  |" in card
    _runs_what_it_says(card, moved)

    # the folder can be sampled from as a run can
    assert "3 samples of moved/model.safetensors in some" in run_here(sampling, "run=moved", "num_images=3", "out=some")


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _runs_what_it_says(card, folder):
    blocks = re.findall(r"```python\n(.*?)```", card, re.S)
    assert len(blocks) == 3
    for block in blocks:
        block = block.replace("<this folder>", str(folder))
        for name in ("generator.pt2", "generator.onnx"):
            block = block.replace(name, str(folder / name))
        found = {}
        exec(block, found)
        samples = found.get("samples", found.get("images"))
        assert tuple(samples.shape[1:]) == (1, 32, 32)


def test_nothing_of_the_machine_goes_along(short_run, run_here, tmp_path):
    for i, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png")):
        (tmp_path / "secret" / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 16), (80 * i, 10, 10)).save(tmp_path / "secret" / "pets" / name)
    pets = ("dataset=image_folder", f"dataset.root={tmp_path}/secret/pets", "dataset.resolution=16", "batch_size=2")
    folder = short_run(*pets, "architecture=dcgan_conditional", "tracker=wandb")
    shutil.rmtree(tmp_path / "secret")
    run_here(exporting, f"run={folder}", "formats=safetensors", "out=out")
    assert names(tmp_path / "out") == [name for name in ALL if not name.startswith("generator")]
    for path in (tmp_path / "out").iterdir():
        content = path.read_bytes()
        for word in (b"secret", b"wandb", str(tmp_path).encode(), str(Path.home()).encode() + b"/"):
            assert word not in content, (path, word)
    recipe = yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())
    assert recipe["dataset"]["root"] == "pets"
    assert recipe["loss"] == {"_target_": "lsgan.losses.LeastSquares", "a": -1, "b": 1, "c": 0, "k": 2}
    assert lsgan.load(tmp_path / "out").sample(2, label=1).shape == (2, 3, 16, 16)


def test_which_weights(short_run, run_here, tmp_path):
    folder = short_run()
    run_here(exporting, f"run={folder}", "formats=safetensors", "checkpoint=2")
    run_here(exporting, f"run={folder}", "formats=", "ema=false")
    assert names(folder / "exported") == ["step-000002", "step-000004-without-ema"]
    raw = lsgan.load(folder / "exported" / "step-000004-without-ema")
    assert (raw.step, raw.ema) == (4, False)
    assert torch.equal(raw.sample(2), lsgan.load(folder, ema=False).sample(2))
    assert torch.equal(lsgan.load(folder / "exported" / "step-000002").sample(2), lsgan.load(folder, 2).sample(2))
    with pytest.raises(LsganError, match=r"^ema=false: .*model.safetensors holds the average of G's weights alone"):
        lsgan.load(folder / "exported" / "step-000002", ema=False)


def test_without_a_half_life_there_is_no_average(short_run, run_here):
    folder = short_run("ema_halflife_images=0")
    (folder / "evaluation").mkdir()
    for value, weights in ((0.25, "raw"), (0.5, "average")):
        evaluation = {"label": LABEL, "results": [{"metric": "mind", "value": value}], "seeds": [0]}
        evaluation |= {"step": 4, "weights": weights}
        (folder / "evaluation" / f"{weights}.json").write_text(json.dumps(evaluation))
    run_here(exporting, f"run={folder}", "formats=")
    out = folder / "exported" / "step-000004"
    assert json.loads((out / "config.json").read_text())["weights"] == "raw"
    card = (out / "README.md").read_text()
    assert "- **Weights**: G's own, not an average of them\n" in card
    assert "| mind | 0.25 |" in card
    assert "| mind | 0.5 |" not in card
    exported = lsgan.load(out)
    assert not exported.ema
    assert torch.equal(exported.sample(2), lsgan.load(folder).sample(2))
    assert torch.equal(exported.sample(2), lsgan.load(folder, ema=False).sample(2))


def test_points(short_run, run_here, tmp_path):
    folder = short_run("dataset=gaussian_ring", "architecture.width=4")
    run_here(exporting, f"run={folder}", "formats=[pt2]", "out=out")
    assert torch.equal(lsgan.load(tmp_path / "out").sample(5), lsgan.load(folder).sample(5))
    card = (tmp_path / "out" / "README.md").read_text()
    assert "**Samples**: points, 2 values" in card
    assert "pipeline_tag" not in card


def test_a_strangers_folder_executes_nothing(short_run, run_here, tmp_path, monkeypatch):
    run_here(exporting, f"run={short_run()}", "formats=safetensors", "out=out")
    config = tmp_path / "out" / "config.yaml"
    text = config.read_text()
    config.write_text(text.replace("lsgan.architectures.dcgan.dcgan", "os.system"))
    with pytest.raises(
        LsganError, match=r"architecture._target_=os.system is not lsgan's, and would run when it is built"
    ):
        lsgan.load(tmp_path / "out")
    config.write_text(text)
    weights = tmp_path / "out" / "model.safetensors"
    torch.save({"a": torch.zeros(1)}, weights)  # a pickle
    with pytest.raises(LsganError, match=r"model.safetensors is damaged \(.*\): export the run anew$"):
        lsgan.load(tmp_path / "out")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(LsganError, match=r"model.safetensors takes safetensors to be read: python -m pip install "):
        lsgan.load(tmp_path / "out")


def test_weights_of_another_network(short_run, run_here, tmp_path):
    run_here(exporting, f"run={short_run()}", "formats=safetensors", "out=out")
    config = tmp_path / "out" / "config.yaml"
    config.write_text(config.read_text().replace("width: 4", "width: 8"))
    with pytest.raises(LsganError, match=r"model.safetensors does not belong to the run: its networks are others"):
        lsgan.load(tmp_path / "out")


def test_files_of_others_are_not_replaced(short_run, run_here, tmp_path):
    folder = short_run()
    run_here(exporting, f"run={folder}", "formats=safetensors", "out=out")
    run_here(exporting, f"run={folder}", "formats=safetensors", "out=out")  # its own are
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "README.md").write_text("mine")
    (tmp_path / "out" / "LICENSE").write_text("mine")
    for place, file in (("other", "README.md"), ("out", "LICENSE")):
        with pytest.raises(
            LsganError, match=rf"^out={place} holds {file}, which lsgan.export has not written and would"
        ):
            run_here(exporting, f"run={folder}", f"out={place}")
        assert (tmp_path / place / file).read_text() == "mine"


@pytest.mark.parametrize("out", [(), ("out=out",)])
def test_what_was_made_from_an_export_is_not_deleted(short_run, run_here, tmp_path, out):
    folder = short_run("dataset=gaussian_ring", "architecture.width=4")
    export = (exporting, f"run={folder}", "formats=", *out)
    run_here(*export)
    place = tmp_path / "out" if out else folder / "exported" / "step-000004"
    run_here(sampling, f"run={place}", "num_images=3")
    with pytest.raises(LsganError) as error:
        run_here(*export)
    assert str(error.value) == (
        f"out={'out' if out else place} holds generated, made from the export that is there, and would be replaced "
        "whole: move that away, or name another folder"
    )
    (drawn,) = (place / "generated").iterdir()
    assert (drawn / "points.csv").is_file()
    shutil.move(place / "generated", tmp_path / "kept")
    run_here(*export)


def test_what_fails_leaves_what_was_there(short_run, run_here, tmp_path, monkeypatch):
    folder = short_run()
    run_here(exporting, f"run={folder}", "formats=safetensors", "out=out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(
        LsganError, match=r"^out=out cannot be written \(No space left on device\), what was there stays"
    ):
        run_here(exporting, f"run={folder}", "formats=safetensors", "out=out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert names(tmp_path) == ["out", "runs"]


def test_mistakes(short_run, run_here, monkeypatch):
    folder = short_run()
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(folder / "none"))
    for words, message in {
        (): "run must be given: add run=<value>",
        ("run=nowhere",): "nowhere is not a run folder: it has no config.yaml",
        (f"run={folder}", "format=onnx"): "format is read by nothing (did you mean formats?): take it out",
        (f"run={folder}", "formats=onx"): ("formats=onx: onx is none of safetensors, pt2, onnx (did you mean onnx?)"),
        (f"run={folder}", "checkpoint=3"): "checkpoint=3 is neither a file nor a checkpoint of",
        (f"run={folder}", "private=true"): "private=true says nothing without push=<user>/<name>: add that",
        (f"run={folder}", "push=digits"): "push=digits must be <user or organisation>/<name>, of letters",
        (
            f"run={folder}",
            "push=me/digits",
        ): "push=me/digits: there is no token: log in by `hf auth login`, or set HF_TOKEN",
    }.items():
        with pytest.raises(LsganError) as error:
            run_here(exporting, *words)
        assert str(error.value).startswith(message)
    assert not (folder / "exported").exists()


def test_the_command_pushes(python, short_run):
    folder = short_run("dataset=gaussian_ring", "architecture.width=4")
    assert "formats      beside safetensors" in python("-m", "lsgan.export", "--help").stdout
    words = ("-m", "lsgan.export", f"run={folder}", "formats=safetensors,pt2", "push=me/ring", "private=true")
    with hub_stub.serve() as hub:
        there = {"HF_ENDPOINT": hub.address, "HF_TOKEN": "hf_secret", "NO_PROXY": "127.0.0.1", "HF_HOME": str(folder)}
        told = python(*words, **there).stdout
        assert told.endswith(f"pushed to {hub.address}/me/ring\n")
        out = folder / "exported" / "step-000004"
        assert hub.files["me/ring"] == {path.name: path.read_bytes() for path in out.iterdir()}
        assert hub.repositories == {"me/ring": True}
    error = python(*words, expect=1, **there).stderr
    assert f"error: push=me/ring: {hub.address} cannot be reached (" in error
    assert out.is_dir()
