import json
import resource
from contextlib import contextmanager

import pytest

from lsgan.errors import LsganError
from lsgan.training import saver as module
from lsgan.training.saver import Saver
from lsgan.training.state import load_checkpoint


@contextmanager
def full_disk():
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def steps(folder):
    return sorted(path.name for path in folder.glob("step-*.pt"))


def test_a_full_disk_does_not_stop_the_training(make_state, tmp_path, caplog, monkeypatch):
    state, saver = make_state(), Saver(tmp_path, 3, None, "min")
    saver.after_step(state, {}, due=True)
    state.step = 1
    with full_disk():
        saver.after_step(state, {}, due=True)
        assert "step 1: the checkpoint could not be written (" in caplog.text
        assert "the ones before are kept, training goes on" in caplog.text
        state.step = 2
        saver.after_step(state, {}, due=False)  # too early to try again
        assert caplog.text.count("could not be written") == 1
        monkeypatch.setattr(module.time, "monotonic", lambda: float("inf"))
        saver.after_step(state, {}, due=False)
        assert caplog.text.count("could not be written") == 2
    assert steps(tmp_path) == ["step-000000.pt"]
    state.step = 3
    saver.after_step(state, {}, due=False)
    assert steps(tmp_path) == ["step-000000.pt", "step-000003.pt"]
    state.step = 4
    saver.after_step(state, {}, due=False)
    saver.finish(state)
    assert steps(tmp_path) == ["step-000000.pt", "step-000003.pt"]  # nothing is due any more


def test_a_last_checkpoint_that_cannot_be_written_is_an_error(make_state, tmp_path):
    state, saver = make_state(), Saver(tmp_path, 3, None, "min")
    with full_disk():
        saver.after_step(state, {}, due=True)
        with pytest.raises(LsganError, match=r"the last checkpoint could not be written to .*: make room there and"):
            saver.finish(state)
    saver.finish(state)
    assert steps(tmp_path) == ["step-000000.pt"]


def best(folder):
    record = json.loads((folder / "best.json").read_text())
    assert load_checkpoint(folder / "best.pt")["step"] == record["step"]
    return record["step"]


@pytest.mark.parametrize(("mode", "expected"), [("min", [1, 2, 2, 4]), ("max", [1, 1, 3, 3])])
def test_the_best_is_kept_when_it_is_not_new_any_more(make_state, tmp_path, mode, expected):
    state, saver, seen = make_state(), Saver(tmp_path, 1, "fid", mode), []
    for step, value in enumerate([5.0, 3.0, 7.0, 2.0], start=1):
        state.step = step
        saver.after_step(state, {"fid": value, "other": -value}, due=True)
        seen.append(best(tmp_path))
    assert seen == expected
    assert steps(tmp_path) == ["step-000004.pt"]


def test_what_is_no_number_or_not_due_is_never_the_best(make_state, tmp_path):
    state, saver = make_state(), Saver(tmp_path, 1, "fid", "min")
    saver.after_step(state, {"fid": 5.0}, due=True)
    for step, (scalars, due) in enumerate([({"fid": float("nan")}, True), ({}, True), ({"fid": 1.0}, False)], start=1):
        state.step = step
        saver.after_step(state, scalars, due=due)
    assert best(tmp_path) == 0


def test_the_best_after_a_kill_is_that_of_an_undisturbed_run(make_state, tmp_path):
    """Killed after step 3, resumed from step 1: steps 2 and 3 come again, with the same values."""
    values = {1: 5.0, 2: 3.0, 3: 4.0, 4: 3.5}
    state = make_state()
    for step in (1, 2, 3, 2, 3, 4):
        state.step = step
        Saver(tmp_path, 1, "fid", "min").after_step(state, {"fid": values[step]}, due=True)
    assert best(tmp_path) == 2


def test_a_best_that_lies_ahead_belongs_to_another_course(make_state, tmp_path):
    """Step 3 was the best, but its checkpoint was damaged and the run went on from step 1 with other values."""
    state = make_state()
    for step, value in ((1, 5.0), (3, 2.0), (2, 3.0), (3, 4.0)):
        if step == 2:
            (tmp_path / "step-000003.pt").rename(tmp_path / "step-000003.pt.damaged")
        state.step = step
        Saver(tmp_path, 1, "fid", "min").after_step(state, {"fid": value}, due=True)
    assert best(tmp_path) == 2


def test_another_metric_starts_anew(make_state, tmp_path):
    state = make_state()
    Saver(tmp_path, 1, "fid", "min").after_step(state, {"fid": 1.0}, due=True)
    state.step = 1
    Saver(tmp_path, 1, "kid", "min").after_step(state, {"kid": 2.0}, due=True)
    assert best(tmp_path) == 1
