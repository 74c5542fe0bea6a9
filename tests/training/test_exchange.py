"""What a rank gets of the others, and gives back to them. Several processes do it in test_distributed.py."""

import pytest
import torch
from torch.testing import assert_close

from lsgan.training.distributed import Together
from lsgan.training.exchange import of_all_ranks
from lsgan.training.machine import Machine
from lsgan.training.runtime import Runtime
from lsgan.world import World


@pytest.fixture
def second_of_two(monkeypatch):
    """This process is rank 1; `others` is what rank 0 adds to each sum in turn."""
    others = []

    def all_reduce(values):
        values += others.pop(0)

    monkeypatch.setattr(torch.distributed, "all_reduce", all_reduce)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    return others


def test_every_rank_gets_all_values_and_back_the_gradients_of_all_losses(second_of_two):
    values = torch.tensor([3.0, 4.0], requires_grad=True)
    second_of_two.append(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
    rows = of_all_ranks(values)
    assert_close(rows, torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    second_of_two.append(torch.tensor([[10.0, 10.0], [20.0, 30.0]]))  # the gradient of rank 0's loss
    (rows * torch.tensor([[1.0, 1.0], [5.0, 7.0]])).sum().backward()
    assert_close(values.grad, torch.tensor([25.0, 37.0]))


def test_a_whole_batch_is_in_the_order_of_its_parts(second_of_two):
    machine = Machine(Runtime("cpu", "fp32"), World(1, 2))
    machine._together = Together(World(1, 2), patient=None)  # nobody waits here
    second_of_two.append(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
    assert_close(machine.whole(torch.tensor([[3.0], [4.0]])), torch.tensor([[1.0], [2.0], [3.0], [4.0]]))


def test_alone_the_whole_batch_is_what_is_there():
    values = torch.ones(3, 1)
    assert Machine(Runtime("cpu", "fp32")).whole(values) is values
