"""The same command is the same run; a run goes on only as what it was. As a user types it."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from torch.testing import assert_close

ROOT = Path(__file__).resolve().parents[1]
OLD = Path(__file__).parent / "fixtures" / "runs-0.1"
SMALL = ("log_every=2", "sample_every=100", "checkpoint_every=2", "architecture.width=4", "batch_size=8")
OFF = ("tracker=none", "runtime=cpu")


def status(run):
    return json.loads((run / "status.json").read_text())


def history(run):
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def rows(run):
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "images_per_second"} for row in found]


def state(run, step):
    return torch.load(run / "checkpoints" / f"step-{step:06d}.pt", weights_only=True)


@pytest.fixture
def study(tmp_path):
    return tmp_path / "runs" / "digits"


def test_the_same_command_goes_on_with_the_same_run(train, start, study):
    command = (*SMALL, *OFF, "seed=5", "steps=100000", "log_every=1")
    process = start("train.py", *command)
    while process.poll() is None and not list(study.glob("*/checkpoints/*.pt")):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    (run,) = (path for path in study.iterdir() if path.is_dir())
    reached = status(run)["step"]
    again = start("train.py", *command)
    while again.poll() is None and status(run)["step"] <= reached:
        time.sleep(0.05)
    again.send_signal(signal.SIGTERM)
    again.wait(60)
    assert [path.name for path in study.iterdir()] == [run.name]
    assert [row["step"] for row in rows(run)] == list(range(1, status(run)["step"] + 1))
    assert [(entry["event"], entry["step"]) for entry in history(run)][:4] == [
        ("start", 0), ("saved", 2), ("end", reached), ("start", reached),
    ]  # fmt: skip


def test_a_finished_run_is_one_line_and_new_begins_another(train, study):
    command = (*SMALL, *OFF, "steps=2")
    train(*command)
    (run,) = study.iterdir()
    output = train(*command).stdout
    assert output == (
        f"runs/digits/{run.name}: the run has finished its 2 steps: resume=runs/digits/{run.name} steps=<more> goes "
        "further, new=true begins another\n"
    )
    train(*command, "new=true")
    assert sorted(path.name for path in study.iterdir()) == [run.name, f"{run.name}-2"]
    assert f"{run.name}-2: the run has finished" in train(*command).stdout


def test_a_sweep_skips_what_is_finished_and_resumes_what_is_not(train, study):
    sweep = ("-m", "seed=1,2", *SMALL, *OFF, "steps=4")
    train(*sweep)
    first, second = sorted(study.glob("[!.]*/"))
    for path in (second / "checkpoints").glob("step-000004*"):
        path.unlink()
    (second / "status.json").write_text('{"status": "running", "step": 2, "reason": null}')  # as a kill leaves it
    before = (first / "metrics.jsonl").stat().st_mtime_ns
    output = train(*sweep).stdout
    assert output.count(" has its 4 steps") == 1
    assert "goes on from step 2 of 4" in output
    assert sorted(study.glob("[!.]*/")) == [first, second]
    assert (first / "metrics.jsonl").stat().st_mtime_ns == before
    assert status(second)["status"] == "finished"
    assert [entry["step"] for entry in history(second) if entry["event"] == "start"] == [0, 2]


def test_what_the_config_says_is_what_trains(train, study):
    how = (*SMALL, *OFF, "run=r")
    train(*how, "steps=4")
    changed = (*how, "steps=6", "optimizer.lr=1e-2", "+optimizer.generator.weight_decay=0.5")
    result = train(*changed, expect=1)
    assert result.stderr == (
        "error: run=r: runs/digits/r was begun with another config (optimizer.discriminator.lr=0.01, not 0.0002; "
        "optimizer.generator.lr=0.01, not 0.0002): choose another name, or go on with the new values by "
        "resume_override=true\n"
    )
    result = train(*how, "steps=6", "+optimizer.generator.weight_decay=0.5", expect=1)
    assert "(optimizer.generator.weight_decay=0.5, not 0): choose another name" in result.stderr
    train(*changed, "resume_override=true")
    saved = state(study / "r", 6)
    group = saved["parts"]["generator_optimizer"]["param_groups"][0]
    assert (group["lr"], group["weight_decay"]) == (1e-2, 0.5)
    assert saved["identity"]["config"]["optimizer.generator.weight_decay"] == 0.5
    train(*how, "steps=6", "run=other")
    moved = [
        (saved["parts"]["generator"][name] - state(study / "r", 4)["parts"]["generator"][name]).abs().max()
        for name in ("0.weight", "4.weight")
    ]
    assert min(moved) > 5e-3  # two steps of Adam at 0.01, not at 0.0002


def test_another_kind_of_optimizer_is_refused_before_anything_is_written(train, study):
    train(*SMALL, *OFF, "run=r", "steps=2")
    files = {path: path.stat().st_mtime_ns for path in (study / "r").rglob("*") if path.name != ".lock"}
    result = train(*SMALL, *OFF, "run=r", "steps=4", "optimizer=rmsprop", "resume_override=true", expect=1)
    assert "step-000002.pt does not fit the run's config: generator_optimizer: RMSprop with these" in result.stderr
    assert result.stderr.count("\n") == 1
    assert {path: path.stat().st_mtime_ns for path in (study / "r").rglob("*") if path.name != ".lock"} == files


def test_other_images_are_noticed(train, tmp_path):
    (tmp_path / "pics").mkdir()
    for i in range(9):
        Image.new("RGB", (20, 20), (20 * i, 0, 0)).save(tmp_path / "pics" / f"{i}.png")
    how = ("dataset=image_folder", "dataset.root=pics", "dataset.resolution=16", *SMALL, *OFF, "run=r")
    train(*how, "steps=2")
    Image.new("RGB", (20, 20), (0, 99, 0)).save(tmp_path / "pics" / "9.png")
    error = train(*how, "steps=4", expect=1).stderr
    assert "run=r: runs/image_folder/r was begun with other data (data: images=10, not 9; data: sha256=" in error
    train(*how, "steps=4", "resume_override=true")
    told = [entry["data"]["images"] for entry in history(tmp_path / "runs" / "image_folder" / "r") if "data" in entry]
    assert told == [9, 10]
    train(*how, "steps=6")  # which are its own now
    shutil.move(tmp_path / "pics", tmp_path / "elsewhere")
    train("resume=runs/image_folder/r", "dataset.root=elsewhere", "steps=8")
    config = yaml.safe_load((tmp_path / "runs" / "image_folder" / "r" / "config.yaml").read_text())
    assert config["dataset"]["root"] == str(tmp_path / "elsewhere")


def test_a_config_that_was_edited_by_hand_is_noticed(train, study):
    train(*SMALL, *OFF, "run=r", "steps=2")
    path = study / "r" / "config.yaml"
    path.write_text(path.read_text().replace("seed: 0", "seed: 5"))
    error = train("resume=runs/digits/r", "steps=4", expect=1).stderr
    assert error == (
        "error: resume=runs/digits/r was begun with another config (seed=5, not 0): begin another run, or go on with "
        "the new values by resume_override=true\n"
    )
    train("resume=runs/digits/r", "steps=4", "resume_override=true")


COMPONENTS = """
from dataclasses import dataclass

from torch import nn

from lsgan.architectures.networks import Networks
from lsgan.losses import Reference
from lsgan.observe.observer import Finding, Observer


@dataclass(frozen=True)
class Margin:
    margin: float = 1.0
    name = "margin"
    meaning = "a loss of my own"
    reference = Reference(None, None, None)

    def discriminator(self, real_logits, fake_logits):
        return (real_logits - self.margin).square().mean() + fake_logits.square().mean()

    def generator(self, fake_logits):
        return (fake_logits - self.margin).square().mean()


def perceptrons(shape, z_dim, *, width: int = 8, dropout: float = 0.5) -> Networks:
    return Networks(
        nn.Sequential(nn.Linear(z_dim, width), nn.Dropout(dropout), nn.Linear(width, *shape)),
        nn.Sequential(nn.Linear(*shape, width), nn.Dropout(dropout), nn.Linear(width, 1)),
    )


class Spread(Observer):
    columns = ("spread",)

    def __init__(self, every: int, num: int = 64):
        self.every, self.num = every, num

    def see(self, view):
        return Finding({"spread": sum(fakes.std().item() for fakes in view.fakes(self.num))})
"""
YAMLS = {
    "loss/mine.yaml": "_target_: my_parts.Margin\nmargin: 2\n",
    "architecture/mine.yaml": "_target_: my_parts.perceptrons\nwidth: 4\n",
    "observe/spread.yaml": "spread:\n  _target_: my_parts.Spread\n  every: 3\n",
}


@pytest.fixture
def mine(train, tmp_path):
    """`python train.py` with a loss, an architecture (with dropout) and an observer of the user's own."""
    (tmp_path / "my_parts.py").write_text(COMPONENTS)
    for name, content in YAMLS.items():
        (tmp_path / "conf" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / name).write_text(content)
    chosen = ("loss=mine", "architecture=mine", "observe=[default,spread]", "best_metric=spread")
    rest = ("dataset=gaussian_ring", "runtime=fp32", "tracker=none", "log_every=2", "checkpoint_every=2")

    def run(*overrides, **options):
        where = {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, tmp_path)))}
        if not any(override.startswith("resume=") for override in overrides):
            overrides = ("--config-dir", "conf", *chosen, *rest, *overrides)
        return train(*overrides, **where, **options)

    return run


def test_components_from_outside_the_package(mine, tmp_path):
    """They are chosen, checked, trained, resumed bit for bit although they draw noise, and watched for changes."""
    mine("run=whole", "steps=12", "sample_every=6")  # a last step is looked at in any case, and 6 is one of the cut run
    mine("run=cut", "steps=6", "sample_every=6")
    mine("run=cut", "steps=12", "sample_every=6")
    whole, cut = (tmp_path / "runs" / "gaussian_ring" / name for name in ("whole", "cut"))
    assert_close(state(cut, 12)["parts"], state(whole, 12)["parts"], atol=0, rtol=0)
    assert rows(cut) == rows(whole)
    assert [row["step"] for row in rows(whole) if "spread" in row] == [3, 6, 9, 12]
    assert {"step": 3, "spread": rows(whole)[1]["spread"]} == rows(whole)[1]  # a row that holds a metric alone
    best = torch.load(whole / "checkpoints" / "best.pt", weights_only=True)
    spreads = {row["step"]: row["spread"] for row in rows(whole) if "spread" in row}
    assert best["best"] == {"metric": "spread", "value": min(spreads.values())}
    assert spreads[best["step"]] == min(spreads.values())
    assert mine("observe.spread.evry=1", expect=1).stderr.startswith("error: observe.spread.evry: no such setting")
    assert "best_metric=fid is no column of metrics.jsonl: choose one of" in mine("best_metric=fid", expect=1).stderr

    (tmp_path / "my_parts.py").write_text(COMPONENTS.replace("margin: float = 1.0", "margin: float = 3.0"))
    error = mine("run=cut", "steps=14", expect=1).stderr
    assert "cut was begun by other code (my_parts has changed): choose another name, or go on with this cod" in error
    mine("run=cut", "steps=14", "resume_override=true")


def test_a_folders_own_components_are_built_on_trust(mine, python, tmp_path):
    mine("run=r", "steps=2")
    distrust = (
        "=my_parts.perceptrons is not lsgan's, and would run when it is built: add trust=true if you know the run"
    )
    assert distrust in mine("resume=runs/gaussian_ring/r", "steps=4", expect=1).stderr
    mine("resume=runs/gaussian_ring/r", "steps=4", "trust=true")
    where = {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, tmp_path)))}
    sample = ("-m", "lsgan.sample", "run=runs/gaussian_ring/r", "num_images=4")
    assert distrust in python(*sample, expect=1, **where).stderr
    python(*sample, "trust=true", **where)


def test_a_strangers_run_folder_runs_nothing(train, python, tmp_path):
    run = shutil.copytree(OLD / "digits" / "digits", tmp_path / "run")
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["latent"] = {"_target_": "os.system", "command": "touch exploded"}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    for command in (("-m", "lsgan.sample", "run=run"), ("train.py", "resume=run", "steps=9")):
        error = python(*command, expect=1).stderr
        assert error.startswith("error: run/config.yaml: latent._target_=os.system is not lsgan's, and would run when")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("run", ["digits/digits", "digits/classes", "gaussian_ring/ring"])
def test_run_folders_of_version_0_1_go_on(train, python, tmp_path, run):
    """To the same bits in one go and in two; that they are the bits of 0.1 was seen when this was made."""
    bits = []
    for name, stops in (("once", (8,)), ("twice", (6, 8))):
        folder = shutil.copytree(OLD / run, tmp_path / name / run)
        for steps in stops:
            train(f"resume={name}/{run}", f"steps={steps}", f"data_dir={os.environ['LSGAN_DATA']}")
        bits.append(state(folder, 8))
        assert status(folder)["status"] == "finished"
        assert [row["step"] for row in rows(folder)] == list(range(1, 9))
    assert_close(bits[0]["parts"], bits[1]["parts"], atol=0, rtol=0)
    python("-m", "lsgan.sample", f"run=once/{run}", "num_images=4", "out=samples")
    assert (tmp_path / "samples" / "grid.png").exists()


def test_a_named_run_of_version_0_1_goes_on_by_its_command(train, tmp_path):
    folder = shutil.copytree(OLD / "digits" / "digits", tmp_path / "runs" / "digits" / "digits")
    typed = ("architecture.width=2", "latent.dim=8", "batch_size=8", "seed=3", "log_every=1", "tracker=none")
    train("run=digits", *typed, "runtime=cpu", "steps=6")
    assert [row["step"] for row in rows(folder)] == list(range(1, 7))
    assert "(seed=4, not 3)" in train("run=digits", *typed, "seed=4", "steps=7", expect=1).stderr


def test_a_crash_that_emptied_files_costs_what_was_in_them(train, tmp_path):
    folder = shutil.copytree(OLD / "digits" / "digits", tmp_path / "run")
    for name in ("status.json", "checkpoints/best.json", "checkpoints/step-000004.pt.sha256"):
        (folder / name).write_bytes(b"")
    where = f"data_dir={os.environ['LSGAN_DATA']}"
    output = train("resume=run", "steps=6", where).stdout
    assert "warning: run/checkpoints/step-000004.pt.sha256 is empty" in output
    assert status(folder) == {"status": "finished", "step": 6, "reason": None}
    (folder / "config.yaml").write_bytes(b"")
    assert train("resume=run", expect=1).stderr == "error: run/config.yaml is not the config of a run\n"


def test_a_run_that_was_killed_after_its_last_step_is_finished_by_the_same_command(train, study):
    train(*SMALL, *OFF, "run=r", "steps=2")
    (study / "r" / "status.json").write_text('{"status": "running", "step": 2, "reason": null}')
    assert "the run has finished its 2 steps" in train(*SMALL, *OFF, "run=r", "steps=2").stdout
    assert status(study / "r") == {"status": "finished", "step": 2, "reason": None}


def test_sigterm_while_services_are_closed_leaves_the_outcome(start, tmp_path):
    """A tracker that never ends, as W&B may when its server does not answer."""
    (tmp_path / "slow.py").write_text(
        "import time\nclass Slow:\n    def start(self, info): return self\n    def log(self, record): pass\n"
        "    def close(self, outcome):\n        open('closing', 'w').close()\n        time.sleep(60)\n"
    )
    where = {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, tmp_path)))}
    process = start(
        "train.py", *SMALL, "steps=2", "run=r", "runtime=cpu", "tracker=none", "tracker._target_=slow.Slow", **where
    )
    while not (tmp_path / "closing").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    assert status(tmp_path / "runs" / "digits" / "r")["status"] == "finished"


WITHOUT_A_READER = """
import os, runpy, sys
read, write = os.pipe()
os.close(read)
os.dup2(write, 1)
os.dup2(write, 2)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_training_goes_on_when_nobody_reads_what_it_prints(python, tmp_path):
    (tmp_path / "without_a_reader.py").write_text(WITHOUT_A_READER)
    short = ("dataset=gaussian_ring", "steps=4", "checkpoint_every=2", "log_every=1", "tracker=none", "run=r")
    python("without_a_reader.py", "train.py", *short)
    run = tmp_path / "runs" / "gaussian_ring" / "r"
    assert (status(run)["status"], len(rows(run))) == ("finished", 4)
    assert "step 4/4" in (run / "train.log").read_text()
    python("without_a_reader.py", "train.py", *short)  # it is finished, says nobody to anybody
    python("without_a_reader.py", "train.py", *short, "loss.a=one", expect=1)
