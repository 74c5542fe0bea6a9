"""What run folders tell of jobs, without a process."""

import json
import sys

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, open_dict

from hydra_plugins.hydra_local_queue._job import Job
from lsgan.config import CONF_DIR
from lsgan.sweep.jobs import TrainJobs

SMALL = ("tracker=none", "steps=4")
RING = "dataset=gaussian_ring"


@pytest.fixture
def job(tmp_path):
    """Makes a job as the launcher does; its runs lie below tmp_path."""

    def make(*overrides):
        told = [*SMALL, f"runs_dir={tmp_path}", *overrides]
        with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
            config = compose("train", told)
        with open_dict(config):
            config.hydra = OmegaConf.create({})
        return Job(0, told, " ".join(overrides), config)

    return make


class Folder:
    """A run folder, as far as a job that stops leaves one."""

    def __init__(self, path):
        self.path = path
        path.mkdir(parents=True)
        (path / "config.yaml").touch()

    def remember(self, event, status=None, reason=None):
        with open(self.path / "history.jsonl", "a") as file:
            file.write(json.dumps({"event": event, "time": "", "step": 0}) + "\n")
        if status:
            (self.path / "status.json").write_text(json.dumps({"status": status, "step": 0, "reason": reason}))


@pytest.fixture
def known(job, tmp_path):
    """A job and its folder, with what an earlier command has left."""
    one = job(RING, "run=mine")
    assert TrainJobs().before(one) is None
    folder = Folder(tmp_path / "gaussian_ring" / "mine")
    folder.remember("start")
    folder.remember("end", "interrupted", "by an earlier command")
    return one, folder


def test_what_an_earlier_process_has_written_is_not_how_this_one_ended(known):
    one, _ = known
    TrainJobs().begins(one)
    found = TrainJobs().outcome(one, 1, "error: no such thing")
    assert (found.status, found.reason) == ("failed", "error: no such thing")


@pytest.mark.parametrize("status", ["failed", "collapsed", "interrupted"])
def test_what_this_process_has_written_is_how_it_ended(known, status):
    one, folder = known
    TrainJobs().begins(one)
    folder.remember("start", status, "why")
    found = TrainJobs().outcome(one, 3, "the last line")
    assert (found.status, found.reason, found.exit_code) == (status, "why", 3)


def test_a_new_folder_tells_of_its_first_process(job, tmp_path):
    one = job(RING, "run=mine")
    TrainJobs().before(one)
    TrainJobs().begins(one)
    Folder(tmp_path / "gaussian_ring" / "mine").remember("start", "failed", "why")
    assert TrainJobs().outcome(one, 1, "the last line").reason == "why"


@pytest.mark.parametrize("code", [130, 143, 129, 138, 140])
def test_one_that_is_stopped_before_it_has_a_folder_is_interrupted(job, code):
    one = job(RING, "run=mine")
    TrainJobs().before(one)
    TrainJobs().begins(one)
    assert TrainJobs().outcome(one, code, "a last line").status == "interrupted"
    assert TrainJobs().outcome(one, 1, "a last line").status == "failed"


def prepared(*jobs):
    known = TrainJobs()
    assert [known.before(one) for one in jobs] == [None] * len(jobs)
    return known.preparations(jobs)


def test_a_data_set_of_images_is_prepared_once_and_points_are_not(job):
    first = job("seed=0")
    assert prepared(first, job("seed=1"), job(RING)) == [["-m", "lsgan.prepare", *first.overrides]]


@pytest.mark.parametrize("flag", ["--config-dir=mine", "-cd=mine", "--config-name=mine"])
def test_jobs_with_configs_from_elsewhere_prepare_for_themselves(job, monkeypatch, flag):
    """`lsgan.prepare` would compose another data set, or none."""
    monkeypatch.setattr(sys, "argv", ["train.py", "-m", flag, "seed=0,1"])
    assert prepared(job("seed=0")) == []


def test_a_run_that_is_resumed_has_its_images(job):
    """The command tells nothing of its data set: `lsgan.prepare` would pack the default one."""
    known, one = TrainJobs(), job("seed=0")
    known.before(one)
    one.overrides.append("resume=r")
    assert known.preparations([one]) == []
