import pytest
import torch

from lsgan.training.machine import Machine
from lsgan.training.pace import Pace
from lsgan.training.runtime import Runtime


@pytest.fixture
def threads(monkeypatch):
    """The number of threads as PyTorch is told it; two at first."""
    told = [2]
    monkeypatch.setattr(torch, "get_num_threads", lambda: told[-1])
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    return told


def run(pace, *durations):
    for seconds, times in durations:
        for _ in range(times):
            pace.note(seconds)


def test_steps_that_crawl_are_told_once_and_done_with_one_thread(threads, caplog):
    run(Pace(Machine(Runtime("cpu", "fp32"))), (9.0, 3), (0.1, 20), (1.0, 30))  # the first three warm up
    assert threads == [2, 1]
    assert caplog.text.count("steps take 10.0 times as long as before: something else keeps the CPU busy") == 1
    assert "training on with one thread" in caplog.text


@pytest.mark.parametrize("runtime", [Runtime("cpu", "fp32", threads=2), Runtime("cpu", "fp32", deterministic=True)])
def test_a_number_that_was_set_stays(threads, caplog, runtime):
    run(Pace(Machine(runtime)), (0.1, 23), (1.0, 30))
    assert threads == [2]
    assert caplog.text.count("runtime.threads=1 waits for no other thread") == 1


@pytest.mark.parametrize(
    "durations",
    [
        [(0.1, 23), (0.24, 50)],  # slower, but not many times
        [(0.01, 23), (0.1, 19), (0.01, 500)],  # a hitch of 1.9 seconds
        [(0.1, 23), (0.1, 6), (2.0, 4), (0.1, 50)],  # a few slow steps: pictures, a full disk
        [(1.0, 23), (0.1, 50)],  # faster
    ],
)
def test_what_is_no_crawl(threads, caplog, durations):
    run(Pace(Machine(Runtime("cpu", "fp32"))), *durations)
    assert threads == [2]
    assert caplog.text == ""


def test_one_thread_waits_for_no_other(threads, caplog):
    threads.append(1)
    run(Pace(Machine(Runtime("cpu", "fp32"))), (0.1, 23), (9.0, 50))
    assert caplog.text == ""


def test_a_gpu_is_not_watched(threads, caplog):
    machine = Machine(Runtime("cpu", "fp32"))
    machine.device = torch.device("cuda", 0)
    run(Pace(machine), (0.1, 23), (9.0, 50))
    assert caplog.text == ""
