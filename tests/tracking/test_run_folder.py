import json
import logging
import resource
import shutil

import numpy as np
import pytest
from PIL import Image

from lsgan.errors import LsganError
from lsgan.tracking.run_folder import RunFolder
from lsgan.tracking.tracker import Outcome, Record


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder.open(tmp_path / "study" / "run")
    folder.start(0, "seed: 1\n", {})
    yield folder
    folder.close(Outcome("finished"))


def status(folder):
    return json.loads((folder.path / "status.json").read_text())


def rows(folder):
    return [json.loads(line) for line in (folder.path / "metrics.jsonl").read_text().splitlines()]


def test_config_and_status_are_there_from_the_start(folder):
    assert (folder.path / "config.yaml").read_text() == "seed: 1\n"
    assert status(folder) == {"status": "running", "step": 0, "reason": None}


def test_numbers_and_pictures(folder):
    picture = np.full((20, 30, 3), 200, np.uint8)
    folder.log(Record(0, pictures={"real": picture}))
    folder.log(Record(10, {"loss/generator": 0.5}, {"samples": picture}))
    assert rows(folder) == [{"step": 10, "loss/generator": 0.5}]  # on disk at once
    assert status(folder)["step"] == 10
    assert folder.last_picture == folder.path / "samples" / "000010.jpg"
    with Image.open(folder.last_picture) as image:
        assert image.size == (30, 20)
        assert abs(np.asarray(image).astype(int) - 200).max() <= 1
    assert (folder.path / "samples" / "real.jpg").exists()


def test_the_newest_picture_is_the_one_of_the_largest_step(folder):
    for step in (2, 999_000, 1_000_000):
        folder.log(Record(step, pictures={"samples": np.zeros((4, 4, 3), np.uint8)}))
    assert folder.last_picture.name == "1000000.jpg"


def test_labels_are_written_where_they_are_new(folder):
    path = folder.path / "labels.json"
    folder.log(Record(2, {"x": 1.0}))
    assert not path.exists()
    folder.log(Record(4, {"x": 1.0}, labels={"x": "Δ of 8"}))
    assert path.read_text() == '{\n "x": "Δ of 8"\n}\n'
    before = path.stat().st_ino  # a file that is written has another one
    folder.log(Record(6, {"x": 1.0}, labels={"x": "Δ of 8"}))
    assert path.stat().st_ino == before
    folder.log(Record(8, {"y": 1.0}, labels={"y": "more"}))
    folder.log(Record(10, {"x": 1.0}, labels={"x": "Δ of 9"}))
    assert folder.record.labels == {"x": "Δ of 9", "y": "more"}


def test_a_resumed_run_keeps_its_labels(tmp_path):
    for step, label in ((0, {"x": "of 8"}), (2, {"y": "of 9"})):
        folder = RunFolder.open(tmp_path / "run")
        folder.start(step, "", {})
        folder.log(Record(step + 1, {"x": 1.0}, labels=label))
        folder.close(Outcome("finished"))
    assert folder.record.labels == {"x": "of 8", "y": "of 9"}


def test_numbers_that_json_does_not_know(folder):
    folder.log(Record(1, {"x": float("inf"), "y": 1.0}))
    assert rows(folder) == [{"step": 1, "x": None, "y": 1.0}]


def test_how_it_ended(tmp_path, caplog):
    caplog.set_level("DEBUG", "lsgan")
    folder = RunFolder.open(tmp_path / "run")
    folder.start(0, "", {})
    folder.log(Record(7, {"x": 1.0}))
    logging.getLogger("lsgan.test").warning("something odd")
    folder.close(Outcome("failed", "the loss is nan"))
    assert status(folder) == {"status": "failed", "step": 7, "reason": "the loss is nan"}
    text = (folder.path / "train.log").read_text()
    assert "WARNING something odd" in text
    assert "failed at step 7: the loss is nan" in text
    logging.getLogger("lsgan.test").warning("after the end")
    assert "after the end" not in (folder.path / "train.log").read_text()


def test_names_are_never_shared(tmp_path):
    assert [RunFolder.create(tmp_path, "run").path.name for _ in range(3)] == ["run", "run-2", "run-3"]


def test_one_process_at_a_time(tmp_path):
    first = RunFolder.open(tmp_path / "run")
    with pytest.raises(LsganError, match=r"another process is training in .*run: stop that one, or name another run"):
        RunFolder.open(tmp_path / "run")
    first.start(0, "", {})
    first.close(Outcome("finished"))
    RunFolder.open(tmp_path / "run")


def test_what_is_no_run_folder(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(LsganError, match=r"photos exists already and is not a run folder: choose another run=<name>"):
        RunFolder.open(tmp_path / "photos")
    (tmp_path / "file").touch()
    for make in (lambda: RunFolder.open(tmp_path / "file" / "run"), lambda: RunFolder.create(tmp_path / "file", "run")):
        with pytest.raises(LsganError, match=r"file.* cannot be written \(.*\): set runs_dir=<folder>"):
            make()


def test_a_full_disk_costs_no_row(folder, caplog):
    folder.log(Record(1, {"x": 1.0}))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (folder.path / "metrics.jsonl").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))  # half a row
    try:
        for step in (2, 3):
            folder.log(Record(step, {"x": float(step)}, {"samples": np.zeros((99, 99, 3), np.uint8)}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert rows(folder) == [{"step": 1, "x": 1.0}]
    assert caplog.text.count("run cannot be written (File too large)") == 1
    folder.log(Record(4, {"x": 4.0}))
    assert rows(folder) == [{"step": step, "x": float(step)} for step in (1, 2, 3, 4)]


def test_a_resumed_run_has_every_row_once(folder):
    for step in (1, 2, 3):
        folder.log(Record(step, {"x": float(step)}))
    folder.close(Outcome("failed", "killed"))
    with open(folder.path / "metrics.jsonl", "a") as file:
        file.write('{"step": 4, "x"')  # the kill came in the middle of a line
    again = RunFolder.open(folder.path)
    again.start(2, "seed: 1\n", {})
    again.log(Record(3, {"x": 30.0}))
    again.close(Outcome("finished"))
    assert rows(folder) == [{"step": 1, "x": 1.0}, {"step": 2, "x": 2.0}, {"step": 3, "x": 30.0}]


def test_a_warning_stays_until_a_resume_from_before_it(folder):
    folder.log(Record(1, {"x": 1.0}))
    folder.log(Record(2, {"x": 1.0}, warnings={"discriminator_won": "D has won"}))
    folder.log(Record(3, {"x": 1.0}))
    told = {"discriminator_won": {"step": 2, "reason": "D has won"}}
    assert status(folder) == {"status": "running", "step": 3, "reason": None, "warnings": told}
    folder.close(Outcome("finished"))
    assert status(folder) == {"status": "finished", "step": 3, "reason": None, "warnings": told}
    again = RunFolder(folder.path)
    again.start(2, "seed: 1\n", {})
    again.close(Outcome("interrupted", "Ctrl-C"))
    assert status(folder)["warnings"] == told
    again = RunFolder(folder.path)
    again.start(1, "seed: 1\n", {})
    again.close(Outcome("finished"))
    assert status(folder) == {"status": "finished", "step": 1, "reason": None}


def test_a_run_that_was_killed_after_its_last_step_is_finished_later(folder):
    folder.log(Record(6, {"x": 1.0}, warnings={"collapsed": "one sample"}))
    folder._lock.release()  # by a kill
    again = RunFolder.open(folder.path)
    again.finish(6)
    assert status(folder)["status"] == "finished"
    assert status(folder)["warnings"]["collapsed"]["step"] == 6
    RunFolder.open(folder.path).finish(6)
    lines = (folder.path / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["start", "end"]


def test_a_run_that_has_said_how_it_ended_keeps_that(tmp_path):
    """A collapse at the very last step, for example."""
    folder = RunFolder.open(tmp_path / "run")
    folder.start(0, "", {})
    folder.log(Record(6, {"x": 1.0}))
    folder.close(Outcome("collapsed", "one sample"))
    RunFolder.open(folder.path).finish(6)
    assert status(folder) == {"status": "collapsed", "step": 6, "reason": "one sample"}


ROWS = [b'{"step": %d, "x": %d}' % (step, step) for step in range(1, 8)]
ODD = [
    b"3", b'{"a": 1}', b'"step"', b"null", b"[]", b"\xff\xfe\x00binary\x85", b"x" * 10_000_000, b"\0" * 4096,
    b'{"step": 4, "x"', b'{"step": "4"}', b'{"step": 4.5}', b'{"step": true}', b'{"step": -1}',
    b'{"step": 4, "x": "y"}',
    b'{"step": 4, "x": [1]}', b"[" * 100_000, b"9" * 10_000, b'{"x": NaN}',
]  # fmt: skip


def set_aside(folder):
    return (folder.path / "metrics.set-aside.jsonl").read_bytes().split(b"\n")[:-1]


def test_what_is_readable_stays_and_what_is_not_is_set_aside_and_told(folder, caplog):
    folder.close(Outcome("failed", "killed"))
    content = b"\n".join((*ROWS[:3], *ODD, b"", b"  ", b"\0\0\0" + ROWS[3], *ROWS[4:]))  # the last one has no end
    (folder.path / "metrics.jsonl").write_bytes(content)
    assert [row["step"] for row in RunFolder(folder.path).record.rows] == [1, 2, 3, 4, 5, 6, 7]
    again = RunFolder.open(folder.path)
    again.start(5, "seed: 1\n", {})
    again.log(Record(6, {"x": 60.0}))
    again.close(Outcome("finished"))
    assert rows(folder) == [*map(json.loads, ROWS[:5]), {"step": 6, "x": 60.0}]
    assert set_aside(folder) == [*ODD, *ROWS[5:]]
    told = (
        f"{folder.path / 'metrics.jsonl'}: {len(ODD)} lines that cannot be read or came twice: now in metrics.set-aside"
    )
    assert told in caplog.text
    before = set_aside(folder)
    again = RunFolder.open(folder.path)
    again.start(6, "seed: 1\n", {})
    again.close(Outcome("finished"))
    assert set_aside(folder) == before
    assert len(rows(folder)) == 6


def test_of_two_rows_of_a_step_the_later_counts_and_steps_are_in_order(folder):
    folder.close(Outcome("failed", "killed"))
    (folder.path / "metrics.jsonl").write_bytes(b"\n".join((ROWS[2], ROWS[0], b'{"step": 1, "x": 5}', ROWS[1])) + b"\n")
    expected = [{"step": 1, "x": 5}, {"step": 2, "x": 2}, {"step": 3, "x": 3}]
    assert RunFolder(folder.path).record.rows == expected
    again = RunFolder.open(folder.path)
    again.start(3, "seed: 1\n", {})
    again.close(Outcome("finished"))
    assert rows(folder) == expected
    assert set_aside(folder) == [ROWS[0]]


def test_metrics_that_are_as_they_should_be_stay_as_they_are(folder):
    for step in (1, 2):
        folder.log(Record(step, {"x": float(step)}))
    folder.close(Outcome("interrupted", "Ctrl-C"))
    before = (folder.path / "metrics.jsonl").stat()
    again = RunFolder.open(folder.path)
    again.start(2, "seed: 1\n", {})
    again.close(Outcome("finished"))
    after = (folder.path / "metrics.jsonl").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not (folder.path / "metrics.set-aside.jsonl").exists()


SMALL_FILES = (
    "status.json", "history.jsonl", "metrics.jsonl", "metrics.set-aside.jsonl", "config.yaml", ".lock", "train.log",
    "samples/000002.jpg", "samples/real.jpg", "samples", "status.json.new", "metrics.jsonl.new",
)  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"\0" * 99, b"\xff\xfe\x00\n\x85", None])
@pytest.mark.parametrize("name", SMALL_FILES)
def test_a_spoilt_file_stops_nothing_or_is_one_sentence(folder, name, content, capfd):
    """None: a folder lies in its place."""
    picture = np.zeros((4, 4, 3), np.uint8)
    folder.log(Record(2, {"x": 1.0}, {"samples": picture, "real": picture}))
    folder.close(Outcome("finished"))
    path = folder.path / name
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    path.mkdir() if content is None else path.write_bytes(content)
    record = RunFolder(folder.path).record
    assert record.status.name in ("finished", "unknown")
    assert len(record.rows) + len(record.history) + record.has_saved >= 0
    told = None
    try:
        with RunFolder.open(folder.path) as again:
            again.start(2, "seed: 1\n", {})
            again.log(Record(3, {"x": 3.0}, {"samples": picture, "real": picture}))
            again.close(Outcome("finished"))
    except LsganError as error:
        told = str(error)
    if told is None:
        assert rows(folder)[-1] == {"step": 3, "x": 3.0}
        assert status(folder)["status"] == "finished"
    else:
        assert content is None or name == "samples"
        assert str(path) in told
        assert "\n" not in told
    assert "Traceback" not in capfd.readouterr().err


def test_a_checkpoint_is_never_ahead_of_its_rows(folder):
    folder.log(Record(1, {"x": 1.0}))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((folder.path / "metrics.jsonl").stat().st_size + 10, limits[1]))
    try:
        folder.log(Record(2, {"x": 2.0}))
        with pytest.raises(OSError, match="File too large"), folder.saving(2):
            pytest.fail("the checkpoint would be written")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with folder.saving(2):
        assert len(rows(folder)) == 2
    assert folder.record.has_saved


def test_whether_a_run_has_saved(tmp_path):
    folder = RunFolder.open(tmp_path / "run")
    folder.start(0, "checkpoint_every: 2\n", {})
    for step in (1, 2, 3):
        folder.log(Record(step, {"x": 1.0}))
    assert not folder.record.has_saved  # the disk was full, perhaps
    for step in (4, 5):
        with folder.saving(step):
            pass
    folder.close(Outcome("failed", "killed"))
    assert folder.record.has_saved
    assert [entry["step"] for entry in folder.record.history if entry["event"] == "saved"] == [4]
    (folder.path / "history.jsonl").unlink()
    assert folder.record.has_saved  # by its rows, as of earlier versions
    (folder.path / "metrics.jsonl").unlink()
    (folder.path / "status.json").unlink()
    assert not folder.record.has_saved
    for name, expected in (("step-000002.part", False), ("step-000002.pt.damaged", True)):
        (folder.path / "checkpoints").mkdir(exist_ok=True)
        (folder.path / "checkpoints" / name).touch()
        assert folder.record.has_saved == expected


def test_last_words_find_room_on_a_full_disk(disk, monkeypatch, capfd):
    monkeypatch.setattr(logging, "raiseExceptions", False)  # as `show_log_lines` does
    folder = RunFolder.open(disk.path / "run")
    folder.start(0, "", {})
    folder.log(Record(1, {"x": 1.0}))
    disk.fill()
    for _ in range(100):
        logging.getLogger("lsgan.test").warning("x" * 100)
    folder.close(Outcome("failed", "no room"))
    assert status(folder) == {"status": "failed", "step": 1, "reason": "no room"}
    assert capfd.readouterr().err == ""
