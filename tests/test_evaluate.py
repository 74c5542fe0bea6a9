"""`python -m lsgan.evaluate …` as a user types it."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from lsgan.evaluate.__main__ import main as evaluate_here

NAMES = {"mind", "kid", "fid", "precision", "recall", "density", "coverage"}


@pytest.fixture
def evaluate(python):
    def run(*arguments, **options):
        return python("-m", "lsgan.evaluate", *arguments, **options)

    return run


def contents(run):
    """By the files' names, without the mark of the label at their end."""
    return {path.stem[:-9]: json.loads(path.read_text()) for path in sorted((run / "evaluation").glob("*.json"))}


def test_a_run_its_tables_and_its_files(short_run, evaluate):
    run = short_run("dataset.held_out=0.2")
    output = evaluate(f"run={run}", "features=pixels", "num_images=60", "weights=both", "checkpoint=last,best").stdout
    assert "features pixels" in output
    assert output.count("real, half against half") == 2  # against either side
    found = contents(run)
    assert len(found) == 8
    one = found["pixels-step-000004-average-training"]
    assert {result["metric"] for result in one["results"]} == NAMES
    assert one["step"] == 4
    assert one["seeds"] == [0, 1, 2]
    assert one["label"]["num_real"] == one["label"]["num_generated"] == 60
    assert all(len(result["values"]) == 3 for result in one["results"])
    held_out = found["pixels-best-raw-held-out"]
    assert held_out["label"]["reference"] == "held-out"
    values = {name: [result["value"] for result in content["results"]] for name, content in found.items()}
    assert len({tuple(value) for value in values.values()}) >= 4  # average and raw, training and held-out

    evaluate(f"run={run}", "features=pixels", "num_images=60", "against=training")
    assert contents(run)["pixels-step-000004-average-training"] == one  # the same numbers again


def test_both_sides_have_as_many_samples_and_other_draws_are_another_file(short_run, evaluate):
    run = short_run("dataset.held_out=70")
    evaluate(f"run={run}", "features=pixels", "repeats=1")
    found = contents(run)
    assert {content["label"]["num_real"] for content in found.values()} == {70}
    assert {content["label"]["num_generated"] for content in found.values()} == {70}
    evaluate(f"run={run}", "features=pixels", "repeats=1", "seed=7", "against=training")
    evaluate(f"run={run}", "features=pixels", "repeats=1", "num_images=90", "against=training")
    assert len(list((run / "evaluation").glob("pixels-step-000004-average-training-*.json"))) == 3


def test_a_conditional_generator_is_judged_with_the_classes_of_the_reference(train, evaluate, tmp_path, monkeypatch):
    """Nine of ten images are black, one is white, and so are samples: a G that knows the classes is perfect."""
    for i in range(60):
        folder = tmp_path / "images" / ("white" if i % 10 == 0 else "black")
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 255 if i % 10 == 0 else 0).save(folder / f"{i}.png")
    typed = (
        "dataset=image_folder",
        f"dataset.root={tmp_path / 'images'}",
        "dataset.resolution=8",
        "dataset.channels=1",
    )
    network = ("architecture=dcgan_conditional", "architecture.width=4", "batch_size=4")
    train(*typed, *network, "steps=1", "tracker=none", "run=r")
    asked = []

    def labelled(self, labels, seed=0):
        asked.append(labels)
        yield labels[:, None, None, None].expand(-1, 1, 8, 8) * 2.0 - 1

    monkeypatch.setattr("lsgan.trained.TrainedRun.labelled", labelled)
    monkeypatch.setattr("sys.argv", ["evaluate", str(tmp_path / "runs"), "features=pixels", "repeats=1"])
    evaluate_here()
    (labels,) = asked
    assert labels.bincount().tolist() == [54, 6]  # black comes first
    (content,) = contents(next((tmp_path / "runs" / "image_folder").iterdir())).values()
    fid = next(result["value"] for result in content["results"] if result["metric"] == "fid")
    assert fid == pytest.approx(0, abs=1e-6)


def test_a_study_at_once_and_what_cannot_be_evaluated_is_told_beside_the_others(short_run, evaluate):
    run = short_run()
    empty = run.parent / "empty"
    empty.mkdir()
    (empty / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    process = evaluate(str(run.parent), "features=pixels", "num_images=50", "repeats=1", expect=1)
    assert f"error: {empty}: {empty} holds no checkpoint yet" in process.stderr
    assert process.stderr.splitlines()[-1] == "error: 1 of 2 runs were not evaluated"
    assert "real, half against half" in process.stdout
    assert "pixels-step-000004-average-training" in contents(run)


def test_without_an_average_there_are_raw_weights_alone(short_run, evaluate):
    run = short_run("ema_halflife_images=0")
    evaluate(f"run={run}", "features=pixels", "num_images=50", "repeats=1", "weights=both")
    assert [*contents(run)] == ["pixels-step-000004-raw-training"]


def test_a_checkpoint_of_another_run_is_none_of_this(short_run, evaluate):
    run = short_run()
    other = run.parent.parent / "elsewhere.pt"
    other.write_bytes((run / "checkpoints" / "step-000004.pt").read_bytes())
    process = evaluate(f"run={run}", f"checkpoint={other}", "features=pixels", expect=1)
    assert f"error: checkpoint={other} is none of {run}, whose numbers these would be: name its run" in process.stderr


def test_a_strangers_run_does_not_choose_where_files_are_written(short_run, evaluate, tmp_path):
    run = short_run()
    config = (run / "config.yaml").read_text()
    assert "  cache: " in config
    lines = [
        f"  cache: {tmp_path / 'chosen'}" if line.startswith("  cache: ") else line for line in config.splitlines()
    ]
    (run / "config.yaml").write_text("\n".join(lines) + "\n")
    evaluate(f"run={run}", "num_images=50", "repeats=1")
    assert not (tmp_path / "chosen").exists()


def test_points(train, evaluate, tmp_path):
    """None are held out: all are new."""
    train("dataset=gaussian_ring", "steps=4", "tracker=none", "run=r")
    run = tmp_path / "runs" / "gaussian_ring" / "r"
    evaluate(f"run={run}", "num_images=500", "repeats=1")
    (content,) = contents(run).values()
    assert {result["metric"] for result in content["results"]} == NAMES | {
        "modes",
        "quality",
        "mode_kl",
        "energy_distance",
        "sliced_w2",
    }
    assert content["label"]["extractor"] == "points"


def test_nearest_training_images(short_run, evaluate):
    run = short_run()
    output = evaluate(f"run={run}", "features=pixels", "num_images=200", "repeats=1", "neighbours=3").stdout
    (sheet,) = (run / "evaluation").glob("neighbours-pixels-*-step-000004-average.png")
    assert f"nearest of 200 of 1,797 training images: {sheet}" in output
    with Image.open(sheet) as image:
        assert np.asarray(image).shape == (3 * 66 + 2, 6 * 66 + 2, 3)
    assert sheet.with_name(sheet.name.replace("neighbours", "distances")).exists()


def test_any_class_can_be_the_extractor(short_run, evaluate, tmp_path):
    run = short_run()
    (tmp_path / "my_features.py").write_text(
        "import torch\n"
        "from lsgan.evaluation.features import Extracted\n"
        "class Brightness:\n"
        "    name, dim, digest, rule, classes = 'brightness', 1, 'f' * 64, 'mean of all pixels', None\n"
        "    def __init__(self, scale: float = 1.0):\n"
        "        self.scale = scale\n"
        "    def load(self, device):\n"
        "        pass\n"
        "    def __call__(self, samples):\n"
        "        return Extracted(self.scale * samples.float().flatten(1).mean(1, keepdim=True), None)\n"
    )
    typed = ("features._target_=my_features.Brightness", "features.scale=2", "num_images=50", "repeats=1")
    evaluate(f"run={run}", *typed, PYTHONPATH=os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    (content,) = contents(run).values()
    assert content["label"]["extractor"] == "brightness"
    assert not content["fid_is_biased"]  # 50 samples of one feature


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "run=<run folder> must be given: python -m lsgan.evaluate run=<run folder>"),
        (("run={run}", "weights=some"), "weights=some must be average, raw or both"),
        (("run={run}", "against=test"), "against=test must be training, held-out or all"),
        (("run={run}", "repeats=0"), "repeats=0 must be at least 1"),
        (("run={run}", "num_images=1"), "num_images=1 must be at least 2"),
        (("run={run}", "num_image=9"), "num_image is read by nothing (did you mean num_images?): take it out"),
        (("run={run}", "features=vgg"), "features=vgg: no such choice; choose one of "),
        (("run={run}", "features=pixels", "features.side=x"), "features.side"),
        (("run={run}", "features=points"), "features=points are those of points [N, 2]"),
        (("run={run}", "against=held-out"), "against=held-out: the run has held nothing out; dataset.held_out=0.1"),
        (("run={run}", "features=pixels", "num_images=3"), "neighbours"),
        (("run={run}", "checkpoint=7"), "checkpoint=7 is neither a file nor a checkpoint of"),
        (("nowhere",), "nowhere is not a folder: name that of a study"),
        (("run={run}", "--quick"), "--quick: evaluate knows no flag but --help; write key=value"),
    ],
)
def test_a_mistake_is_one_sentence(short_run, evaluate, arguments, sentence):
    run = short_run()
    words = [word.format(run=run) for word in arguments]
    process = evaluate(*words, expect=1)
    assert process.stderr.splitlines()[-1].startswith("error: ")
    assert sentence in process.stderr.splitlines()[-1]
    assert "Traceback" not in process.stderr


def test_other_data_than_the_runs_are_refused(short_run, evaluate):
    run = short_run()
    history = (run / "history.jsonl").read_text()
    (run / "history.jsonl").write_text(history.replace('"images": 1797', '"images": 1796'))
    process = evaluate(f"run={run}", "features=pixels", expect=1)
    assert f"error: {run} was trained on other samples (images=1797, not 1796)" in process.stderr


def test_what_was_exported_is_no_run(short_run, evaluate):
    run = short_run()
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    (run / "model.safetensors").touch()
    process = evaluate(f"run={run}", "features=pixels", expect=1)
    assert f"error: {run} is what was exported of a run: evaluate the run" in process.stderr
