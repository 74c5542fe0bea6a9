import json
import subprocess
import sys
from pathlib import Path

import pytest

from lsgan.tracking.run_folder import RunFolder
from lsgan.tracking.run_record import RunRecord, Status
from lsgan.tracking.tracker import Outcome, Record

OLD = Path(__file__).resolve().parents[1] / "fixtures" / "runs-0.1"


@pytest.fixture
def folder(tmp_path):
    """A run that is going on, its lock held."""
    folder = RunFolder.open(tmp_path / "study" / "run")
    folder.start(0, "seed: 1\nlr: 1.0e-05\n", {"code": {"lsgan": "9"}, "data": {"images": 3}})
    folder.log(Record(2, {"x": 1.0}))
    yield folder
    folder.close(Outcome("finished"))


def test_a_run_that_is_going_on_is_read_beside_its_writer(folder):
    record = RunRecord(folder.path)
    assert record.config == {"seed": 1, "lr": 1e-5}
    assert record.status == Status("running", 2)
    assert record.rows == [{"step": 2, "x": 1.0}]
    assert (record.code, record.data) == ({"lsgan": "9"}, {"images": 3})
    assert record.checkpoints == record.pictures == {}
    assert record.best is record.real_picture is None
    assert record.troubles == []


def test_the_history_has_a_line_for_each_start_and_each_end(folder):
    folder.log(Record(4, {"x": 1.0}, warnings={"collapsed": "one sample"}))
    with pytest.raises(KeyboardInterrupt), folder.ending():
        raise KeyboardInterrupt
    folder.close(Outcome("finished"))  # what comes later does not change the outcome
    again = RunFolder.open(folder.path)
    again.start(4, "seed: 1\n", {"overrides": ["steps=9"]})
    again.close(Outcome("failed", "no room"))
    history = RunRecord(folder.path).history
    assert [(entry["event"], entry["step"]) for entry in history] == [
        ("start", 0),
        ("end", 4),
        ("start", 4),
        ("end", 4),
    ]
    assert [entry.get("status") for entry in history] == [None, "interrupted", None, "failed"]
    assert history[2]["overrides"] == ["steps=9"]
    assert all(entry["time"].endswith("+00:00") for entry in history)
    assert RunRecord(folder.path).data == {"images": 3}  # of the last start that knew


def test_the_outcome_stands_before_services_are_closed(folder):
    with folder.ending():
        pass
    assert RunRecord(folder.path).status.name == "finished"  # a kill from here on changes nothing


def test_damaged_files_cost_what_is_in_them(folder):
    with open(folder.path / "metrics.jsonl", "a") as file:
        file.write('{"step": 3, "x"\n3\n{"a": 1}\n{"step": 4, "x": 2.0}\n{"step": 5')
    (folder.path / "status.json").write_bytes(b"")
    (folder.path / "history.jsonl").write_bytes(b"\xff\xfe\n" + (folder.path / "history.jsonl").read_bytes())
    record = RunRecord(folder.path)
    assert record.rows == [{"step": 2, "x": 1.0}, {"step": 4, "x": 2.0}]
    assert record.status == Status()
    assert record.data == {"images": 3}
    assert [trouble.partition(": ")[2] for trouble in record.troubles] == [
        "4 lines left out that cannot be read",
        "1 line left out that cannot be read",
    ]
    (folder.path / "config.yaml").write_text("a: [1")
    assert RunRecord(folder.path).config == {}
    for name in ("config.yaml", "metrics.jsonl", "status.json", "history.jsonl"):
        (folder.path / name).unlink()
    empty = RunRecord(folder.path)
    assert (empty.config, empty.rows, empty.history, empty.status) == ({}, [], [], Status())


def test_labels_that_cannot_be_read(folder):
    assert RunRecord(folder.path).labels == {}
    for content, told in (("{", ["is not what lsgan writes"]), ('{"x": 1, "y": "of 8"}', []), ("[]", ["is not what"])):
        (folder.path / "labels.json").write_text(content)
        record = RunRecord(folder.path)
        assert record.labels == ({"y": "of 8"} if not told else {})
        assert [part in trouble for part, trouble in zip(told, record.troubles, strict=True)] == [True] * len(told)


def test_what_is_json_and_yet_nothing_of_ours(folder):
    (folder.path / "status.json").write_text('{"status": "failed", "warnings": {"a": "b", "c": {"step": null}}}')
    assert RunRecord(folder.path).status == Status("failed")
    (folder.path / "status.json").write_text('{"status": "failed", "warnings": ["a"]}')
    assert RunRecord(folder.path).status == Status("failed")
    with open(folder.path / "history.jsonl", "a") as file:
        file.write('{"event": "start", "code": "x", "data": [1]}\n')
    record = RunRecord(folder.path)
    assert (record.code, record.data) == ({"lsgan": "9"}, {"images": 3})


def test_a_torn_history_takes_the_next_line(folder):
    with open(folder.path / "history.jsonl", "a") as file:
        file.write('{"event": "sta')
    folder.close(Outcome("finished"))
    assert [entry["event"] for entry in RunRecord(folder.path).history] == ["start", "end"]


def test_run_folders_of_version_0_1(tmp_path):
    record = RunRecord(OLD / "digits" / "digits")
    assert record.config["loss"] == {"_target_": "lsgan.losses.LeastSquares", "a": -1, "b": 1, "c": 0}
    assert (record.status.name, record.status.step) == ("finished", 4)
    assert [row["step"] for row in record.rows] == [1, 2, 3, 4]
    assert [path.name for path in record.checkpoints.values()] == ["step-000004.pt"]
    assert list(record.pictures) == [4]
    assert record.best.name == "best.pt"
    assert record.history == []
    told = {"step": 7, "reason": "D has won: over the last"}
    (tmp_path / "status.json").write_text(json.dumps({"status": "finished", "step": 9, "warning": told}))
    assert RunRecord(tmp_path).status.warnings == {"discriminator_won": told}


def test_reading_needs_no_torch():
    program = "import sys; import lsgan.tracking.run_record; sys.exit('torch' in sys.modules or 'wandb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=OLD.parents[2], check=False).returncode == 0
