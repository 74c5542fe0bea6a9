import json
import logging
import resource

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
