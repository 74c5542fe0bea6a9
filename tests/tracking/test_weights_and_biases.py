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
        loss="lsgan_b1c0a-1",
        better={"metric/fid": "min", "metric/recall": "max"},
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
    assert run["job_type"] == "lsgan_b1c0a-1"
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


def log_metrics(tracker, values, labels=None):
    for step, (fid, recall) in values.items():
        tracker.log(Record(step, {"metric/fid": fid, "metric/recall": recall}, labels=labels or {}))


def told_at_last(folder):
    """The summary, and the config's labels, as W&B has put them together."""
    records = read_back(folder)
    summary, config = {}, {}
    for record in records.get("summary", []):
        summary |= record["summary"].get("update", {})
    for record in [*(record["run"].get("config", {}) for record in records["run"]), *records.get("config", [])]:
        config |= record.get("config", record).get("update", {})
    return summary, config.get("labels")


def test_the_summary_tells_the_best_by_its_direction_and_when_and_the_last(info, tmp_path):
    tracker = WeightsAndBiases(project="p").start(info)
    log_metrics(tracker, {10: (50.0, 0.1), 20: (float("nan"), 0.4), 30: (40.0, 0.2), 40: (45.0, float("nan"))})
    tracker.log(Record(50, {"loss/generator": 0.5}))
    tracker.close(Outcome("finished"))
    summary, labels = told_at_last(tmp_path)
    best = {key: value for key, value in summary.items() if key.startswith("best")}
    assert best == {
        "best/metric/fid": 40.0,
        "best_step/metric/fid": 30,
        "best/metric/recall": 0.4,
        "best_step/metric/recall": 20,
    }
    assert summary["status"] == "finished"
    assert labels is None


def test_what_was_best_before_a_resume_stays_best(info, tmp_path):
    rows = [{"step": 10, "metric/fid": 30.0}, {"step": 20, "metric/fid": None}]
    tracker = WeightsAndBiases(project="p").start(info._replace(rows=rows))
    log_metrics(tracker, {30: (35.0, 0.5)})
    tracker.close(Outcome("finished"))
    summary, _ = told_at_last(tmp_path)
    assert (summary["best/metric/fid"], summary["best_step/metric/fid"]) == (30.0, 10)
    assert (summary["best/metric/recall"], summary["best_step/metric/recall"]) == (0.5, 30)


def test_labels_are_in_the_config_those_of_before_too(info, tmp_path):
    tracker = WeightsAndBiases(project="p").start(info._replace(labels={"metric/kid": "of 100 samples"}))
    log_metrics(tracker, {10: (1.0, 1.0)}, labels={"metric/fid": "lite0, 1,797 samples"})
    log_metrics(tracker, {20: (1.0, 1.0)}, labels={"metric/fid": "lite0, 1,797 samples"})
    log_metrics(tracker, {30: (1.0, 1.0)}, labels={"metric/recall": "k = 3"})
    tracker.close(Outcome("finished"))
    _, labels = told_at_last(tmp_path)
    assert labels == {"metric/kid": "of 100 samples", "metric/fid": "lite0, 1,797 samples", "metric/recall": "k = 3"}


def test_sample_grids_are_one_key_over_the_steps(info, tmp_path):
    """W&B's media panel has one slider a key."""
    tracker = WeightsAndBiases(project="p").start(info)
    for step in (10, 20, 30):
        tracker.log(Record(step, pictures={"samples": PICTURE}))
    tracker.close(Outcome("finished"))
    rows = [row["item"] for row in history(tmp_path)]
    assert [(row["step"], row["samples._type"]) for row in rows] == [(step, "image-file") for step in (10, 20, 30)]


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
