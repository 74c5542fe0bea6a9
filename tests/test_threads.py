import os
import pickle
import subprocess
import sys
import time

import pytest

from lsgan import threads


class Busy(threads.Load):
    cores = 0.0

    def busy_cores(self):
        return self.cores


@pytest.fixture
def choose(monkeypatch):
    """`choose` on a machine of so many cores, of which others keep so many busy."""

    def run(cores, busy, wanted=None, **environment):
        for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(threads, "_cores", lambda: set(range(cores)))
        monkeypatch.setattr(Busy, "cores", busy)
        told = threads.choose(Busy(), wanted)
        return (told[0] if told else None), os.environ.get("OMP_NUM_THREADS"), os.environ.get("OMP_WAIT_POLICY")

    return run


def test_an_idle_machine_is_left_alone(choose):
    assert choose(8, 0.0) == (None, None, None)
    assert choose(8, 0.2) == (None, None, None)


def test_busy_cores_are_left_to_the_others(choose):
    told, number, _ = choose(8, 2.9)
    assert number == "5"
    assert told.startswith("other processes keep 2.9 of 8 cores busy: training with 5 threads (runtime.threads=")
    assert choose(2, 1.0)[:2] == (
        "other processes keep 1.0 of 2 cores busy: training with 1 thread (runtime.threads=<number> sets it)",
        "1",
    )
    assert choose(2, 7.5)[1] == "1"


def test_a_users_own_setting_wins(choose):
    assert choose(8, 8.0, OMP_NUM_THREADS="6") == (None, "6", None)
    told, number, policy = choose(8, 8.0, wanted=6)  # or a resumed run's: the same threads, the same bits
    assert (number, policy) == (None, "PASSIVE")
    assert told == "other processes keep 8.0 of 8 cores busy: the 6 threads sleep while they wait"
    assert choose(8, 8.0, wanted=6, OMP_WAIT_POLICY="ACTIVE")[2] == "ACTIVE"
    assert choose(8, 8.0, wanted=1) == (None, None, None)


def test_no_more_threads_than_cores_or_the_environment_allow(choose, monkeypatch):
    choose(4, 0.0)
    assert (threads.at_most(2), threads.at_most(9)) == (2, 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert (threads.at_most(2), threads.at_most(9)) == (2, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="the load is read from /proc")
def test_what_others_do_is_seen_and_what_this_process_does_is_not():
    load = threads.Load()
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        sum(range(1000))
    quiet = load.busy_cores()
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.2)
        load = threads.Load()
        time.sleep(1)
        assert load.busy_cores() > quiet + 0.3 or load.busy_cores() > len(threads._cores()) - 0.7
    finally:
        other.kill()
        other.wait()


def test_sent_to_another_machine_it_watches_that_one():
    here = threads.Load()
    assert pickle.loads(pickle.dumps(here))._since > here._since
