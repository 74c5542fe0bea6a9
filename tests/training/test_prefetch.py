import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from lsgan.training.machine import Machine
from lsgan.training.prefetch import Prefetched, prefetched
from lsgan.training.runtime import Runtime


class Numbers:
    """The number k for index k; remembers who asked for what."""

    def __init__(self):
        self.asked = []

    def __call__(self, index):
        self.asked.append((index, threading.current_thread().name))
        if index == 13:
            raise OSError("the disk is gone")
        return index


@pytest.fixture
def thread():
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as executor:
        yield executor


def wait_for(condition):
    while not condition():
        time.sleep(0.001)


def test_the_next_value_is_made_while_nobody_waits(thread):
    numbers = Numbers()
    ahead = Prefetched(numbers, thread)
    assert ahead(4) == 4
    wait_for(lambda: len(numbers.asked) == 2)
    assert numbers.asked == [(4, "MainThread"), (5, "prefetch_0")]
    assert ahead(5) == 5
    wait_for(lambda: len(numbers.asked) == 3)
    assert numbers.asked[2] == (6, "prefetch_0")  # 5 was not made twice


def test_any_order_gives_the_right_value(thread):
    ahead = Prefetched(Numbers(), thread)
    for index in (4, 5, 9, 9, 2, 3):
        assert ahead(index) == index


def test_an_error_in_the_thread_comes_with_its_own_index(thread):
    ahead = Prefetched(Numbers(), thread)
    assert ahead(12) == 12
    with pytest.raises(OSError, match="the disk is gone"):
        ahead(13)


@pytest.mark.parametrize("idle", [True, False])
def test_a_thread_prepares_ahead_where_a_core_is_idle(monkeypatch, idle):
    monkeypatch.setattr(Machine, "has_idle_core", idle)
    numbers = Numbers()
    with prefetched(numbers, Machine(Runtime("cpu", "fp32"))) as get:
        assert [get(index) for index in (4, 5)] == [4, 5]
    assert ("prefetch_0" in {name for _, name in numbers.asked}) == idle


def test_the_thread_uses_the_gpu_of_its_rank(monkeypatch):
    """CUDA's current device is a thread's own, and 0 at first."""
    machine, set_by = Machine(Runtime("cpu", "fp32")), []
    machine.device = torch.device("cuda", 3)
    monkeypatch.setattr(
        torch.cuda, "set_device", lambda device: set_by.append((threading.current_thread().name, device))
    )
    with prefetched(Numbers(), machine) as get:
        assert get(1) == 1
    assert set_by == [("prefetch_0", torch.device("cuda", 3))]
