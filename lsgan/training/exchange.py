"""What ranks exchange within a forward pass: gradients of any order go back the same way."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F


def of_all_ranks(values: Tensor) -> Tensor:
    """[n] of each rank -> [ranks, n] on every rank.

    Its gradient is that of the ranks' losses together: their sum, of which `Together.backward` makes the mean.
    """
    rank, size = dist.get_rank(), dist.get_world_size()
    return _SumOverRanks.apply(F.pad(values[None], (0, 0, rank, size - 1 - rank)))  # zeros where others have theirs


class _SumOverRanks(torch.autograd.Function):
    """Its gradient is the sum over ranks of the gradients, so it is its own derivative of every order."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _SumOverRanks.apply(gradients[0])
