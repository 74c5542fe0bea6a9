import json
import threading
from pathlib import Path

import pytest

from lsgan.comparison import compared
from lsgan.errors import LsganError
from lsgan.tracking.run_folder import RunFolder
from lsgan.tracking.run_record import RunRecord
from lsgan.tracking.tracker import Outcome, Record

OLD = Path(__file__).resolve().parent / "fixtures" / "runs-0.1"
LEAST_SQUARES = {"_target_": "lsgan.losses.LeastSquares", "a": -1, "b": 1, "c": 0}


def write(folder: Path, status="finished", step=9, losses=(), **config) -> Path:
    folder.mkdir(parents=True)
    config = {"run": folder.name, "study": folder.parent.name, "steps": 9, "seed": 0, "loss": LEAST_SQUARES, **config}
    (folder / "config.yaml").write_text(json.dumps(config))
    (folder / "status.json").write_text(json.dumps({"status": status, "step": step, "reason": None}))
    rows = [{"step": i, "loss/generator": loss} for i, loss in enumerate(losses)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def differing(folder):
    return {run.record.path.name: run.differing for run in compared(folder)}


def test_only_what_differs_within_a_study_is_told(tmp_path):
    write(tmp_path / "a" / "one", seed=1, data_dir="/x")
    write(tmp_path / "a" / "two", seed=2, data_dir="/y")
    write(tmp_path / "b" / "three", seed=3, batch_size=8)
    assert differing(tmp_path) == {"one": {"seed": 1}, "two": {"seed": 2}, "three": {}}
    assert differing(tmp_path / "a") == {"one": {"seed": 1}, "two": {"seed": 2}}
    assert differing(tmp_path / "a" / "one") == {"one": {}}


def test_of_another_component_its_own_keys_are_no_difference(tmp_path):
    write(tmp_path / "least")
    write(tmp_path / "other", loss={"_target_": "lsgan.losses.NonSaturating"})
    assert differing(tmp_path) == {
        "least": {"loss._target_": "lsgan.losses.LeastSquares"},
        "other": {"loss._target_": "lsgan.losses.NonSaturating"},
    }
    write(tmp_path / "third", loss={**LEAST_SQUARES, "a": 0}, flag=True)
    assert differing(tmp_path)["third"] == {"loss._target_": "lsgan.losses.LeastSquares", "loss.a": 0, "flag": True}


def test_a_run_of_a_version_that_knew_no_exponent_is_compared_as_what_it_was(tmp_path):
    write(tmp_path / "before")
    write(tmp_path / "now", loss={**LEAST_SQUARES, "k": 2})
    assert differing(tmp_path) == {"before": {}, "now": {}}
    write(tmp_path / "cubic", loss={**LEAST_SQUARES, "k": 3})
    assert differing(tmp_path) == {"before": {"loss.k": 2}, "now": {"loss.k": 2}, "cubic": {"loss.k": 3}}


def test_how_each_stands(tmp_path):
    write(tmp_path / "done", losses=(1.0, 0.5, None))
    write(tmp_path / "killed", "running", 4)
    write(tmp_path / "stopped", "interrupted", 5)
    going_on = RunFolder.open(tmp_path / "going_on")
    going_on.start(0, "steps: 30\n", {})
    going_on.log(Record(3, {"loss/generator": 0.25}))
    try:
        runs = {run.record.path.name: run for run in compared(tmp_path)}
        assert {name: run.status for name, run in runs.items()} == {
            "done": "finished", "going_on": "running", "killed": "killed", "stopped": "interrupted",
        }  # fmt: skip
        assert (runs["going_on"].record.status.step, runs["going_on"].steps) == (3, 30)
        assert runs["done"].losses == {"loss/generator": 0.5}
        assert runs["killed"].losses == {}
        assert runs["done"].last_picture is None
        with pytest.raises(LsganError, match="another process is training"):  # looking has not taken its lock
            RunFolder.open(tmp_path / "going_on")
    finally:
        going_on.close(Outcome("finished"))


def test_who_looks_keeps_no_trainer_out(tmp_path):
    fcntl = pytest.importorskip("fcntl", reason="the locks of Unix")
    run = write(tmp_path / "killed", "running")
    with open(run / ".lock", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # as `is_held` does, for an instant; here for longer
        closing = threading.Timer(0.15, file.close)
        closing.start()
        folder = RunFolder.open(run)
    closing.join()
    folder._lock.release()


NO_CONFIG = (b"a: [1", b"- 1", b"\xff\xfe\0", b"", b"a: 2026-13-45", b"[" * 1000, b"a: &x {b: *x}")
NO_STATUS = (b"", b"{", b"3", b"\xff", b"[" * 100_000, b'{"status": [], "step": "x", "reason": {}}')


def spoil(folder: Path) -> None:
    for i, content in enumerate(NO_CONFIG):
        (write(folder / f"config{i}") / "config.yaml").write_bytes(content)
    for i, content in enumerate(NO_STATUS):
        (write(folder / f"status{i}") / "status.json").write_bytes(content)
    (write(folder / "rows") / "metrics.jsonl").write_text('{"step": 1, "loss/g": "a"}\n3\n{"st')
    (folder / "empty" / "checkpoints").mkdir(parents=True)
    (folder / "folders" / "config.yaml").mkdir(parents=True)
    (folder / "folders" / "status.json").mkdir()
    write(folder / "steps", steps={"a": 1})


def test_damaged_runs_are_listed_as_such(tmp_path):
    spoil(tmp_path / "study")
    write(tmp_path / "study" / "sound")
    statuses = {run.record.path.name: run.status for run in compared(tmp_path)}
    damaged = {name for name, status in statuses.items() if status == "damaged"}
    configs, told = {f"config{i}" for i in range(len(NO_CONFIG))}, {f"status{i}" for i in range(len(NO_STATUS))}
    assert damaged == {*configs, *told, "empty", "folders"}
    assert statuses["sound"] == statuses["rows"] == statuses["steps"] == "finished"


def test_what_is_no_run_is_not_listed(tmp_path):
    run = write(tmp_path / "study" / "run")
    (run / "wandb" / "run-1").mkdir(parents=True)
    (run / "wandb" / "config.yaml").write_text("a: 1")
    (tmp_path / "study" / "notes").mkdir()
    (tmp_path / "study" / ".hidden").mkdir()
    (tmp_path / "study" / ".hidden" / "config.yaml").write_text("a: 1")
    (tmp_path / "study" / "multirun.yaml").write_text("a: 1")
    for folder in (tmp_path, tmp_path / "study", run):
        assert [found.record.path for found in compared(folder)] == [run]
    for folder, message in {"study/notes": "holds no runs", "nowhere": "is not a folder"}.items():
        with pytest.raises(LsganError, match=message):
            compared(tmp_path / folder)


def test_run_folders_of_version_0_1():
    runs = compared(OLD)
    assert [run.status for run in runs] == ["finished"] * 3
    assert runs[1].record == RunRecord(OLD / "digits" / "digits")
    assert runs[0].record.config["architecture"]["_target_"] == "lsgan.architectures.conditional.dcgan_conditional"
    assert "architecture._target_" not in runs[0].differing | runs[1].differing  # it is the same where it is now
    assert runs[0].differing["architecture.conditioning"] == "concatenated"
    assert runs[1].last_picture == OLD / "digits" / "digits" / "samples" / "000004.jpg"
