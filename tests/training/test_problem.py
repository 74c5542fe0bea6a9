import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.testing import assert_close

from lsgan.streams import stream
from lsgan.training.problem import Inputs, Prefetched, inputs
from lsgan.world import World

CPU = torch.device("cpu")


def test_inputs_are_a_function_of_seed_and_index(make_problem, make_schedule):
    problem, schedule = make_problem(), make_schedule()
    first, again, later = (inputs(index, problem, schedule, CPU) for index in (3, 3, 4))
    assert_close(first, again, atol=0, rtol=0)
    assert not torch.equal(first.z, later.z)
    assert not torch.equal(first.real, later.real)
    assert_close(first.z, torch.randn(16, 4, generator=stream(0, "z", 3)), atol=0, rtol=0)
    assert first.condition == ()


def test_ranks_share_the_noise(make_problem, make_schedule):
    whole = inputs(2, make_problem(), make_schedule(), CPU).z
    parts = [inputs(2, make_problem(), make_schedule(), CPU, World(rank, 2)).z for rank in range(2)]
    assert_close(torch.cat(parts), whole, atol=0, rtol=0)


def test_the_first_samples_of_inputs():
    first = Inputs(torch.arange(4), torch.arange(4) + 10, (torch.arange(4) + 20,)).first(2)
    assert [part.tolist() for part in (first.real, first.z, *first.condition)] == [[0, 1], [10, 11], [20, 21]]


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
