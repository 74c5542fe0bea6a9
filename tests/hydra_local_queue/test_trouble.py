"""The queue in this process: what becomes of its jobs when something of its own goes wrong."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from omegaconf import DictConfig

from hydra_plugins.hydra_local_queue import _queue
from hydra_plugins.hydra_local_queue._job import Job, Jobs, Outcome
from hydra_plugins.hydra_local_queue._slots import Slot

SAVES = """
import pathlib, signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
pathlib.Path("begun").touch()
signal.sigwait([signal.SIGTERM])
time.sleep(0.3)
pathlib.Path("saved").touch()
"""
DEAF = SAVES.replace("time.sleep(0.3)", "time.sleep(100)")


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """Makes a queue whose jobs are code, run in tmp_path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_queue, "command", lambda overrides, hydra_overrides: list(overrides))
    return lambda knowing: _queue.Queue(knowing, [Slot(0, {})], tmp_path / "out", ())


def listed(code):
    return _queue.Listed([Job(0, ["-c", code], "job", DictConfig({}))])


class Wrong(Jobs):
    """Cannot tell how a job stands, once it is begun."""

    def progress(self, job):
        if Path("begun").exists():
            raise ZeroDivisionError
        return {}


def test_an_error_of_its_own_lets_jobs_save(queue, tmp_path):
    with pytest.raises(ZeroDivisionError):
        queue(Wrong()).run(listed(SAVES))
    assert (tmp_path / "saved").exists()


def test_asked_again_it_kills_them(queue, tmp_path):
    def ask():
        while not (tmp_path / "begun").exists():
            time.sleep(0.05)
        time.sleep(2)  # it waits for the job by now
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=ask).start()
    begun = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        queue(Wrong()).run(listed(DEAF))
    assert time.monotonic() - begun < 30
    assert not (tmp_path / "saved").exists()


def test_a_log_that_cannot_be_written_costs_the_log_alone(queue, tmp_path, capsys):
    feed = listed("open('ran', 'w')")
    (tmp_path / "out" / _queue._log_name(feed.jobs[0])).mkdir(parents=True)
    queue(Jobs()).run(feed)
    assert feed.jobs[0].outcome.is_good
    assert (tmp_path / "ran").exists()
    assert "its output is lost: " in capsys.readouterr().out


def test_each_command_has_a_log_of_its_own_and_a_reason_of_its_own(queue, tmp_path):
    """Two sweeps of a study have a job 0 each; the second time it is killed before it says anything."""
    code = "import os, pathlib; pathlib.Path('ran').exists() and os._exit(4); open('ran', 'w'); exit('told before')"
    first, again, other = listed(code), listed(code), listed("exit('of another sweep')")
    for feed in (first, other, again):
        queue(Jobs()).run(feed)
    assert [feed.jobs[0].outcome.reason for feed in (first, other, again)] == [
        "told before",
        "of another sweep",
        "exit code 4",
    ]
    logs = sorted(path.read_text().count("$ python") for path in (tmp_path / "out").iterdir())
    assert logs == [1, 2]


class Held(Jobs):
    """Another process is at the jobs when they are first looked at, and finishes one of them."""

    def __init__(self):
        self.looks = 0

    def is_held(self, job):
        self.looks += 1
        return self.looks <= 2

    def before(self, job):
        return Outcome("finished", "by another") if self.looks and job.number == 0 else None


def test_it_says_whom_it_waits_for_and_asks_again_how_they_ended(queue, capsys):
    jobs = [Job(i, [], f"n={i}", DictConfig({})) for i in range(2)]
    queue(Held()).wait_for(jobs, retry_failed=False)
    told = capsys.readouterr().out
    assert told.count("another process is at it; waiting for it to save and end") == 2
    assert "job 0 n=0: finished: by another" in told
    assert [job.outcome is None for job in jobs] == [False, True]
