"""What a dry run tells, and what it leaves alone."""

from typing import Any

import pytest
from PIL import Image

from lsgan.config import plan
from lsgan.sweep import estimate as module
from lsgan.sweep.estimate import Cost, estimate
from lsgan.tracking.run_record import RunRecord


@pytest.fixture
def tried(monkeypatch):
    """The kinds that are tried; each makes 100 images a second, and takes 2 seconds to start and end."""
    kinds = []
    monkeypatch.setattr(module, "_tried", lambda kind, environments: kinds.append(kind) or Cost(100, 2, 10**9, 0))
    return kinds


@pytest.fixture
def lines(composed, tmp_path):
    """The estimate for jobs, of which each is its overrides."""

    def told(*jobs, workers=1):
        places = [f"data_dir={tmp_path / 'data'}", f"runs_dir={tmp_path / 'runs'}", "tracker=none"]
        plans = [(plan(composed(*job, *places), [*job, *places]), [*job]) for job in jobs]
        return list(estimate(plans, [{}] * workers))

    return told


RING = ("dataset=gaussian_ring", "batch_size=10", "steps=100")


def test_each_kind_is_told_before_it_is_tried_once(lines, tried):
    told = lines((*RING, "seed=0"), (*RING, "seed=1"), (*RING, "loss=nsgan"), workers=2)
    assert told[:2] == [
        "trying dataset=gaussian_ring batch_size=10: 40 steps",
        "trying dataset=gaussian_ring batch_size=10 loss=nsgan: 40 steps",
    ]
    assert told[2].endswith("2 at a time: 100, 100 images/s each, 2 s to start and end")
    assert told[3] == "time: about 0:00:24 with 2 at a time"  # 12 s each; the third begins when one has ended
    assert len(tried) == 2


def test_what_a_trial_took_beyond_its_steps_is_its_start(composed, tmp_path):
    (tmp_path / "samples").mkdir()
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "samples" / "000040.jpg").write_bytes(b"12")
    (tmp_path / "checkpoints" / "step-000040.pt").write_bytes(b"123")
    (tmp_path / "config.yaml").write_text("batch_size: 10\n")
    speeds = (1, 99, 100, 101)  # the first is left out
    rows = [f'{{"step": {i}, "images_per_second": {speed}}}' for i, speed in enumerate(speeds)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(rows) + "\n")
    assert module._cost(RunRecord(tmp_path), seconds=7.0) == Cost(100, 3.0, 3, 2)


def test_trials_run_side_by_side_as_the_jobs_will(monkeypatch):
    running = []

    class Trial:
        seconds = 1.0

        def __init__(self, arguments, environment, output):
            running.append(environment)

        def wait(self):
            assert running == [{"A": "1"}, {"A": "2"}]  # both have been started
            return 1

        def kill(self):
            pass

    monkeypatch.setattr(module, "Process", Trial)
    assert module._tried((), [{"A": "1"}, {"A": "2"}]) is None


def test_images_that_are_not_packed_yet_are_neither_fetched_nor_packed(lines, tried, tmp_path):
    told = lines(("dataset=mnist", "seed=1"))
    assert told == ["no estimate: mnist is not packed yet; python -m lsgan.prepare dataset=mnist seed=1 does it"]
    assert not tried
    assert not (tmp_path / "data").exists()


def test_images_that_are_packed_are_tried(lines, tried, composed, tmp_path):
    from lsgan.config import build, check

    assert "not packed yet" in lines(("dataset=digits",))[0]
    build(check(composed("dataset=digits")), "dataset").prepare(tmp_path / "data")
    assert "trying dataset=digits: 40 steps" in lines(("dataset=digits",))
    assert "digits is not packed yet" in lines(("dataset=digits", "dataset.resolution=64"))[0]
    assert tried == [("dataset=digits",)]


def test_a_folder_of_which_a_part_was_taken_is_packed_all_the_same(lines, tried, composed, tmp_path):
    from lsgan.config import build, check

    for i, name in enumerate(("train/a", "train/b", "test/a", "test/b")):
        (tmp_path / "images" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), (i * 60, 0, 0)).save(tmp_path / "images" / name / f"{i}.png")
    typed = ("dataset=image_folder", f"dataset.root={tmp_path / 'images'}", "dataset.name=mine")
    assert "mine is not packed yet" in lines(typed)[0]
    build(check(composed(*typed)), "dataset").prepare(tmp_path / "data")
    assert lines(typed)[0].startswith("trying dataset=image_folder")


def test_a_run_that_is_resumed_is_not_taken_for_the_default(tried):
    jobs: list[Any] = [(None, ["resume=r"])]  # nothing is planned of it
    told = list(estimate(jobs, [{}]))
    assert told == ["no estimate: resume= is among the jobs, and what such a run costs its command does not tell"]
    assert not tried


def test_a_trial_has_its_own_number_of_steps():
    """`images=` would have the last word on it."""
    assert {"steps=40", "images=null"} <= set(module._TRIAL)


def test_a_trial_that_fails_is_told(lines, monkeypatch):
    monkeypatch.setattr(module, "_tried", lambda kind, environments: None)
    assert lines(RING)[-1] == "no estimate: a trial of dataset=gaussian_ring batch_size=10 did not end well"


def test_nothing_to_do(tried):
    assert list(estimate([], [{}])) == ["nothing is to be done"]
