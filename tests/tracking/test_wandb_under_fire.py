"""Online runs against a server on loopback that stops, refuses and fails; `wandb sync` brings the rest later."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lsgan.tracking.tracker import Outcome, Record, RunInfo
from lsgan.tracking.weights_and_biases import WeightsAndBiases

PICTURE = np.full((16, 24, 3), 90, np.uint8)
STEPS = list(range(10, 310, 10))
WAIT = 2.0  # init_timeout and finish_timeout


def slow(value):
    return pytest.param(value, marks=pytest.mark.slow)


@pytest.fixture
def info(tmp_path):
    return RunInfo(tmp_path, "a-study", "a-run", {"loss.a": -1}, ["lsgan_b1c0a-1"])


def start(info):
    return WeightsAndBiases("p", init_timeout=WAIT, finish_timeout=WAIT).start(info)


def log_steps(tracker, steps, then=lambda: None, after=0, seconds=0.0):
    """A row each, pictures with some, `seconds` apart; calls `then` after step `after`."""
    for step in steps:
        pictures = {"samples": PICTURE} if step % 100 == 0 else {}
        tracker.log(Record(step, {"loss/generator": step / 8}, pictures))
        if step == after:
            then()
        time.sleep(seconds)


def close(tracker):
    start = time.monotonic()
    tracker.close(Outcome("finished"))
    return time.monotonic() - start


def sync(folder):
    """`wandb sync` of every part of the run, in the order of their time."""
    for part in sorted((folder / "wandb").glob("*run-*-*"), key=lambda part: part.name.split("run-")[1]):
        sync_all(folder, f"wandb/{part.name}")


def sync_all(folder, pattern):
    """All parts of the runs in one command. With relative paths it would leave the pictures out."""
    parts = sorted(str(path) for path in folder.glob(pattern))
    assert parts
    command = [str(Path(sys.executable).parent / "wandb"), "sync", "--no-skip-online", *parts]
    subprocess.run(command, capture_output=True, check=True, timeout=60, cwd=folder)


def run_id(folder):
    return (folder / "wandb" / "run-id").read_text()


def rows(server, folder):
    return [(row["step"], row["loss/generator"]) for _, row in sorted(server.rows[run_id(folder)].items())]


def pictures(server):
    return [content for (_, name), content in server.files.items() if name.startswith("media/images/samples_")]


NAMES = ("one", "two")
EVERY_ROW = [(step, step / 8) for step in STEPS]


def test_online_everything_arrives_pictures_and_alerts_too(server, info, tmp_path):
    tracker = start(info)
    log_steps(tracker, STEPS)
    tracker.log(Record(310, warnings={"discriminator_won": "D has won"}))
    tracker.close(Outcome("finished"))
    assert rows(server, tmp_path) == EVERY_ROW
    assert server.steps(run_id(tmp_path)) == STEPS
    assert server.exit_codes == {run_id(tmp_path): 0}
    assert [content[:3] for content in pictures(server)] == [b"\xff\xd8\xff"] * 3  # JPEGs
    ((title, text, severity),) = [(a["title"], a["text"], a["severity"]) for a in server.alerts]
    assert (title, text, severity) == ("Discriminator won", "step 310: D has won", "WARN")
    first = server.runs[0]
    assert (first["groupName"], first["displayName"], first["tags"]) == ("a-study", "a-run", ["lsgan_b1c0a-1"])


@pytest.mark.parametrize("mode", ["silent", slow(500), slow(403)])
def test_a_server_that_goes_away_in_the_middle(server, info, tmp_path, mode, caplog):
    tracker = start(info)
    begun = time.monotonic()
    log_steps(tracker, STEPS, lambda: setattr(server, "mode", mode), after=150)
    assert time.monotonic() - begun < 10  # training does not wait
    assert close(tracker) < WAIT + 5
    if mode != 403:  # which W&B takes for an answer, and says so itself
        assert "W&B did not get everything (Timed out finishing run.); upload with `wandb sync --no-skip" in caplog.text
    server.mode = "ok"
    sync(tmp_path)
    assert rows(server, tmp_path) == EVERY_ROW
    assert len(pictures(server)) == 3


@pytest.mark.parametrize("mode", [slow("silent"), slow(500), slow(401), "refused"])
def test_a_server_that_is_not_there_at_the_start(server, info, tmp_path, mode, caplog, monkeypatch):
    if mode == "refused":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
    else:
        server.mode = mode
    begun = time.monotonic()
    tracker = start(info)
    assert time.monotonic() - begun < WAIT + 15
    assert "W&B did not start online (" in caplog.text
    assert "): this run is tracked offline" in caplog.text
    assert "did not start at all" not in caplog.text
    log_steps(tracker, STEPS)
    assert close(tracker) < WAIT + 5
    server.mode = "ok"
    monkeypatch.setenv("WANDB_BASE_URL", server.address)
    sync(tmp_path)
    assert rows(server, tmp_path) == EVERY_ROW
    assert len(pictures(server)) == 3


def kill_core():
    """SIGKILL for W&B's process."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_child = (process / "stat").read_text().rsplit(")", 1)[1].split()[1] == str(os.getpid())
            if is_child and "wandb-core" in (process / "cmdline").read_text():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue  # the process ended meanwhile


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds W&B's process in /proc")
@pytest.mark.parametrize("seconds", [0.0, slow(0.05)])  # noticed at the end, or on the way
def test_wandb_core_killed_in_the_middle(server, info, tmp_path, caplog, seconds):
    tracker = start(info)
    log_steps(tracker, STEPS, kill_core, after=150, seconds=seconds)
    took = close(tracker)
    assert caplog.text.count("W&B died (") == 1
    assert "training goes on, tracked offline from here" in caplog.text
    assert took < WAIT + 10
    sync(tmp_path)
    assert sorted(set(rows(server, tmp_path))) == EVERY_ROW
    assert len(server.rows) == 1  # one run
    assert len(pictures(server)) >= 3


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds W&B's process in /proc")
def test_wandb_core_killed_twice(server, info, caplog):
    tracker = start(info)
    log_steps(tracker, STEPS, kill_core, after=100, seconds=0.05)
    log_steps(tracker, STEPS, kill_core, after=200, seconds=0.05)
    assert caplog.text.count("W&B died (") == 1
    assert caplog.text.count("W&B died again (") == 1
    assert close(tracker) < WAIT + 5


def test_online_resume_goes_on_under_the_same_id_and_steps(server, info, tmp_path):
    tracker = start(info)
    log_steps(tracker, STEPS[:20])
    tracker.close(Outcome("interrupted", "Ctrl-C"))
    first = run_id(tmp_path)
    tracker = start(info)
    log_steps(tracker, STEPS[15:])  # from the last checkpoint
    tracker.close(Outcome("finished"))
    assert run_id(tmp_path) == first
    assert rows(server, tmp_path) == EVERY_ROW
    assert server.steps(first) == STEPS


def test_offline_resume_keeps_id_and_steps_through_sync(server, info, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    for steps in (STEPS[:20], STEPS[15:]):
        tracker = start(info)
        log_steps(tracker, steps)
        tracker.close(Outcome("finished"))
        time.sleep(1.1)  # W&B names folders by the second
    monkeypatch.setenv("WANDB_MODE", "online")
    sync(tmp_path)
    assert len(server.rows) == 1
    assert sorted(set(rows(server, tmp_path))) == EVERY_ROW  # the overlap is there twice, under the same steps


def test_an_offline_study_is_uploaded_by_one_command_and_each_run_once(server, info, tmp_path, monkeypatch):
    """One run was resumed and has two parts; the same command again uploads nothing."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    better = {"metric/fid": "min"}
    first, second = (
        info._replace(folder=tmp_path / name, run=name, loss=loss, better=better)
        for name, loss in (("one", "nsgan"), ("two", "hinge"))
    )
    rows = []
    for part, values in ((first, {10: 5.0, 20: 3.0}), (second, {10: 7.0}), (first, {20: 3.0, 30: 4.0})):
        tracker = start(part._replace(rows=rows if part is first else []))
        for step, value in values.items():
            tracker.log(Record(step, {"metric/fid": value}, {"samples": PICTURE}, labels={"metric/fid": "lite0"}))
        tracker.close(Outcome("finished"))
        rows = rows or [{"step": step, "metric/fid": value} for step, value in values.items()]
        time.sleep(1.1)  # W&B names folders by the second
    monkeypatch.setenv("WANDB_MODE", "online")
    sync_all(tmp_path, "*/wandb/*run-2*")
    assert set(server.rows) == {run_id(tmp_path / "one"), run_id(tmp_path / "two")}
    steps = {name: [row["step"] for _, row in sorted(server.rows[run_id(tmp_path / name)].items())] for name in NAMES}
    assert steps == {"one": [10, 20, 20, 30], "two": [10]}
    grouped = {(run["groupName"], run["jobType"]) for run in server.runs if "groupName" in run}
    assert grouped == {("a-study", "nsgan"), ("a-study", "hinge")}
    summary = server.summaries[run_id(tmp_path / "one")]
    assert (summary["best/metric/fid"], summary["best_step/metric/fid"], summary["metric/fid"]) == (3.0, 20, 4.0)
    told = [json.loads(run["config"]) for run in server.runs if "labels" in run.get("config", "")]
    assert [config["labels"]["value"] for config in told[-1:]] == [{"metric/fid": "lite0"}]
    assert len(pictures(server)) == 4  # the second part repeats one under a name of its own
    before = len(server.runs), len(server.files)
    sync_all(tmp_path, "*/wandb/*run-2*")
    assert (len(server.runs), len(server.files)) == before
    assert steps["one"] == [row["step"] for _, row in sorted(server.rows[run_id(tmp_path / "one")].items())]


HOSTILE = "<script>alert(1)</script>; rm -rf ~ $(touch x) `id` ../../x"


def test_hostile_names_are_text(server, info, tmp_path, monkeypatch):
    """Names that no config would let through reach W&B as they are, and its id and our files without their teeth."""
    monkeypatch.chdir(tmp_path)
    info = info._replace(study=HOSTILE, run=f"a/:;,#?'{HOSTILE}", tags=[HOSTILE, "", "x" * 80])
    tracker = start(info)
    log_steps(tracker, STEPS[:2])
    tracker.close(Outcome("finished"))
    assert all(character.isalnum() or character in "_.-" for character in run_id(tmp_path))
    first = server.runs[0]
    assert (first["groupName"], first["displayName"]) == (HOSTILE, f"a/:;,#?'{HOSTILE}")
    assert first["tags"] == [HOSTILE, "x" * 64]
    assert len(rows(server, tmp_path)) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"wandb"}


def test_a_page_as_an_answer_costs_one_short_line(server, info, caplog):
    server.mode = 401
    close(start(info))
    (line,) = [record.getMessage() for record in caplog.records if "did not start online" in record.getMessage()]
    assert len(line) < 400
    assert "\n" not in line
