"""Real W&B runs, offline, read back with W&B's own reader."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lsgan.tracking.tracker import Outcome, Record, RunInfo
from lsgan.tracking.weights_and_biases import WeightsAndBiases

PICTURE = np.full((16, 24, 3), 90, np.uint8)


def read_back(folder: Path) -> dict[str, list[dict]]:
    """The records of the run in folder/wandb by type."""
    (file,) = (folder / "wandb").glob("*run-*/*.wandb")
    wandb = Path(sys.executable).parent / "wandb"
    result = subprocess.run(
        [wandb, "leet", "inspect", "--json", file], capture_output=True, text=True, check=True, timeout=60
    )
    records: dict[str, list[dict]] = {}
    for line in result.stdout.splitlines():
        record = json.loads(line)
        records.setdefault(record["type"], []).append(record)
    return records


def history(folder: Path) -> list[dict]:
    return [record["history"] for record in read_back(folder)["history"]]


@pytest.fixture
def info(tmp_path):
    return RunInfo(
        folder=tmp_path,
        study="a-study",
        run="a-run",
        config={"loss.a": -1, "optimizer.betas": [0.5, 0.999], "images": None},
        tags=["lsgan_b1c0a-1", "x" * 80],
    )


def log_two_steps(tracker):
    tracker.log(Record(0, pictures={"real": PICTURE}))
    tracker.log(Record(10, {"loss/generator": 0.5}, {"samples": PICTURE}, {"logits/real": np.arange(8.0)}))
    tracker.log(Record(20, {"loss/generator": 0.25}))


def test_without_a_key_everything_is_offline_and_complete(info, tmp_path):
    tracker = WeightsAndBiases(project="p").start(info)
    log_two_steps(tracker)
    tracker.close(Outcome("finished"))
    records = read_back(tmp_path)
    run = records["run"][0]["run"]
    assert (run["project"], run["run_group"], run["display_name"]) == ("p", "a-study", "a-run")
    assert re.fullmatch(r"a-run-[0-9a-f]{8}", run["run_id"])
    assert run["tags"] == ["lsgan_b1c0a-1", "x" * 64]
    assert run["config"]["update"]["loss.a"] == -1
    assert run["config"]["update"]["optimizer.betas"] == [0.5, 0.999]
    rows = [record["history"]["item"] for record in records["history"]]
    assert [row["_step"] for row in rows] == [0, 10, 20]  # one log call a step
    assert rows[1]["loss/generator"] == 0.5
    assert sum(rows[1]["logits/real_histogram.values"]) == 8
    assert rows[1]["samples.format"] == "jpg"
    assert (records["exit"][0]["exit"].get("exit_code") or 0) == 0
    pictures = sorted((tmp_path / "wandb").glob("*run-*/files/media/images/*.jpg"))
    assert [path.name.rsplit("_", 2)[0] for path in pictures] == ["real", "samples"]


def test_a_failed_run_is_closed_as_failed(info, tmp_path):
    tracker = WeightsAndBiases(project="p").start(info)
    log_two_steps(tracker)
    tracker.close(Outcome("failed", "nan"))
    assert read_back(tmp_path)["exit"][0]["exit"]["exit_code"] == 1


def test_two_runs_in_one_process_do_not_mix(info, tmp_path):
    """A crashed job of a sweep must not leave its W&B run to the next one."""
    first = WeightsAndBiases(project="p").start(info._replace(folder=tmp_path / "1", run="one"))
    log_two_steps(first)
    first.close(Outcome("failed", "crash"))
    second = WeightsAndBiases(project="p").start(info._replace(folder=tmp_path / "2", run="two"))
    second.log(Record(5, {"loss/generator": 0.125}))
    second.close(Outcome("finished"))
    assert len(history(tmp_path / "1")) == 3
    assert len(history(tmp_path / "2")) == 1


def test_the_id_belongs_to_the_folder(info, tmp_path):
    """Runs of the same name in different studies stay apart; a resumed run keeps its id."""
    ids = []
    for name in ("one", "two", "two"):
        (tmp_path / name).mkdir(exist_ok=True)
        tracker = WeightsAndBiases(project="p", mode="offline").start(info._replace(folder=tmp_path / name))
        ids.append(tracker._run.id)
        tracker.close(Outcome("finished"))
    assert ids[0] != ids[1] == ids[2]


def test_online_without_a_key_warns_and_never_asks(info, tmp_path, caplog):
    tracker = WeightsAndBiases(project="p", mode="online").start(info)
    log_two_steps(tracker)
    tracker.close(Outcome("finished"))
    assert "tracker.mode=online, but there is no W&B key: set WANDB_API_KEY or run `wandb login`" in caplog.text
    assert len(history(tmp_path)) == 3


def test_values_that_are_not_finite_do_no_harm(info, tmp_path):
    tracker = WeightsAndBiases(project="p").start(info)
    tracker.log(Record(1, {"x": float("nan")}, histograms={"h": np.array([np.nan, np.inf, 1.0])}))
    tracker.log(Record(2, histograms={"h": np.array([np.nan])}))
    tracker.log(Record(3, {"x": 1.0}))
    tracker.close(Outcome("finished"))
    assert [row["item"]["_step"] for row in history(tmp_path)] == [1, 2, 3]


def test_disabled_writes_nothing(info, tmp_path):
    tracker = WeightsAndBiases(project="p", mode="disabled").start(info)
    log_two_steps(tracker)
    tracker.close(Outcome("finished"))
    assert not list(tmp_path.glob("wandb/*run-*"))


def test_other_modes_are_refused():
    with pytest.raises(ValueError, match="mode=loud must be one of auto, online, offline, disabled"):
        WeightsAndBiases(project="p", mode="loud")


@pytest.mark.parametrize("seconds", [0, -1.5, float("inf"), float("nan")])
def test_no_wait_is_endless(seconds):
    for name in ("init_timeout", "finish_timeout"):
        with pytest.raises(ValueError, match=rf"{name}={seconds:g} must be a number of seconds above 0"):
            WeightsAndBiases(project="p", **{name: seconds})


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds W&B's process in /proc")
def test_training_goes_on_when_wandb_dies(info, caplog):
    tracker = WeightsAndBiases(project="p").start(info)
    tracker.log(Record(1, {"x": 1.0}))
    for process in Path("/proc").glob("[0-9]*"):
        try:
            children = (process / "stat").read_text().rsplit(")", 1)[1].split()[1] == str(os.getpid())
            if children and "wandb-core" in (process / "cmdline").read_text():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue  # the process ended meanwhile
    for step in range(2, 30):
        tracker.log(Record(step, {"x": float(step)}))
    tracker.close(Outcome("finished"))
    assert caplog.text.count("W&B died") == 1


def test_without_the_package_it_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ValueError, match="the package wandb is missing: pip install wandb, or set tracker=none"):
        WeightsAndBiases(project="p")
