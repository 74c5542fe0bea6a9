import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.testing import assert_close

from lsgan.training.sync_batch_norm import SyncBatchNorm


@pytest.fixture
def one_rank():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_statistics_of_bf16_are_float32(one_rank):
    """As in PyTorch's own batch norm: a mean of bf16 numbers would lose all but two or three digits."""
    torch.manual_seed(0)
    values = (torch.randn(64, 8, 4, 4) + 3).bfloat16()
    plain = nn.BatchNorm2d(8)
    synchronised = SyncBatchNorm(copy.deepcopy(plain))
    expected, found = plain(values), synchronised(values)
    assert found.dtype == torch.bfloat16
    assert synchronised.running_mean.dtype == torch.float32
    assert_close(synchronised.running_mean, plain.running_mean, rtol=1e-5, atol=1e-6)
    assert_close(synchronised.running_var, plain.running_var, rtol=1e-4, atol=1e-6)
    assert_close(found, expected, rtol=1e-2, atol=1e-2)


class Ranks:
    """Ranks in threads of this process, which take turns: all_reduce adds up what each of them has."""

    def __init__(self, num):
        self.num, self.local = num, threading.local()
        self._barrier, self._values = threading.Barrier(num, timeout=20), [None] * num

    def all_reduce(self, values):
        self._values[self.local.rank] = values.clone()
        self._barrier.wait()
        total = sum(self._values)
        self._barrier.wait()
        values.copy_(total)

    def run(self, function, parts):
        results = [None] * self.num

        def of_rank(rank):
            self.local.rank = rank
            results[rank] = function(parts[rank])

        with ThreadPoolExecutor(self.num) as pool:
            list(pool.map(of_rank, range(self.num)))
        return results


@pytest.fixture
def ranks(monkeypatch):
    def make(num):
        found = Ranks(num)
        monkeypatch.setattr(dist, "all_reduce", found.all_reduce)
        monkeypatch.setattr(dist, "get_rank", lambda: found.local.rank)
        monkeypatch.setattr(dist, "get_world_size", lambda: num)
        return found

    return make


@pytest.mark.parametrize("sizes", [(8, 8, 8), (3, 9, 12)])  # ranks need not have equally many
def test_a_large_mean_and_a_small_spread(ranks, sizes):
    """In float32, mean of squares less squared mean has no digit left: both are about 2500, the variance is 1e-6."""
    torch.manual_seed(0)
    values = torch.randn(sum(sizes), 4, 6, 6) * 1e-3 + 50
    plain = nn.BatchNorm2d(4, eps=1e-12)
    expected = copy.deepcopy(plain).double()
    outputs = expected(values.double())
    norms = iter([SyncBatchNorm(copy.deepcopy(plain)) for _ in sizes])
    used = []

    def forward(part):
        used.append(next(norms))
        return used[-1](part)

    found = torch.cat(ranks(len(sizes)).run(forward, values.split(sizes)))
    assert_close(found.double(), outputs, rtol=0, atol=0.02)  # a unit of float32 at 50 is 0.004 spreads
    for norm in used:
        assert_close(norm.running_mean.double(), expected.running_mean, rtol=1e-6, atol=0)
        assert_close(norm.running_var.double(), expected.running_var, rtol=1e-3, atol=0)


@pytest.mark.parametrize("sizes", [(4, 4), (2, 6)])
def test_it_is_differentiable_twice_over_ranks(ranks, sizes):
    """Each rank's loss is the sum over its samples; what is differentiated is the sum over the ranks."""
    torch.manual_seed(0)
    values = torch.randn(sum(sizes), 3, 2, dtype=torch.float64)
    plain = nn.BatchNorm1d(3).double()
    nn.init.uniform_(plain.weight)

    def derivatives(norm, x):
        x = x.clone().requires_grad_()
        (first,) = torch.autograd.grad(norm(x).pow(3).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.pow(2).sum(), x)
        return first.detach(), second

    expected = derivatives(copy.deepcopy(plain), values)
    parts = ranks(2).run(lambda part: derivatives(SyncBatchNorm(copy.deepcopy(plain)), part), values.split(sizes))
    for found, whole in zip(zip(*parts, strict=True), expected, strict=True):
        assert_close(torch.cat(found), whole, rtol=1e-9, atol=1e-9)
