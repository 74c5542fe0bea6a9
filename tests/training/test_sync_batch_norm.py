import copy

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
