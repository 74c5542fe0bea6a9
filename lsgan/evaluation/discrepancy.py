"""Maximum mean discrepancy: the unbiased estimate over all pairs, and how far it may be off."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from lsgan.evaluation.arrays import spans

BLOCK = 2048  # samples a side of a block of the kernel matrix: 32 MB

Kernel = Callable[[Tensor, Tensor], Tensor]  # float64 [n, d] and [m, d] -> [n, m]


class Estimate(NamedTuple):
    """A number that was estimated from samples.

    Args:
        value: the number.
        error: one standard error of it, where it can be told.
    """

    value: float
    error: float | None


class _Sums(NamedTuple):
    """Of a kernel matrix [n, m]; of one set with itself, its diagonal counts as 0."""

    rows: Tensor  # [n]
    columns: Tensor  # [m]
    squares: float  # of all entries


def unbiased_mmd(real: Tensor, fake: Tensor, kernel: Kernel, block: int = BLOCK) -> Estimate:
    """MMD² of [N, d] and [M, d]: the U-statistic (Gretton et al. 2012, equation 3), 0 on average where both are alike.

    The standard error is that of the whole Hoeffding decomposition, for samples that are independent of each other:
    of the first order, which is all that counts for sets that differ, and of the second, which is all that is left of
    two sets from one distribution. In simulations it is the spread over repetitions (root mean square) to a few percent
    for sets that differ, and 10 to 30% more than that for sets that are alike.

    The block size, and the number of threads, change both by rounding alone.
    """
    n, m = len(real), len(fake)
    within_real, within_fake = _within(real, kernel, block), _within(fake, kernel, block)
    across = _across(real, fake, kernel, block)
    means = (
        within_real.rows.sum() / (n * (n - 1)),
        within_fake.rows.sum() / (m * (m - 1)),
        across.rows.sum() / (n * m),
    )
    value = means[0] + means[1] - 2 * means[2]
    return Estimate(value.item(), _error(within_real, within_fake, across))


def _within(samples: Tensor, kernel: Kernel, block: int) -> _Sums:
    """Of one set with itself: each pair of blocks is computed once."""
    rows, squares = torch.zeros(len(samples), dtype=torch.float64), 0.0
    parts = spans(len(samples), block)
    for index, one in enumerate(parts):
        left = samples[one].double()
        values = kernel(left, left).fill_diagonal_(0)
        rows[one] += values.sum(dim=1)
        squares += values.square_().sum().item()
        for other in parts[index + 1 :]:
            values = kernel(left, samples[other].double())
            rows[one] += values.sum(dim=1)
            rows[other] += values.sum(dim=0)
            squares += 2 * values.square_().sum().item()
    return _Sums(rows, rows, squares)


def _across(real: Tensor, fake: Tensor, kernel: Kernel, block: int) -> _Sums:
    rows, columns = (torch.zeros(len(samples), dtype=torch.float64) for samples in (real, fake))
    squares = 0.0
    for one in spans(len(real), block):
        left = real[one].double()
        for other in spans(len(fake), block):
            values = kernel(left, fake[other].double())
            rows[one] += values.sum(dim=1)
            columns[other] += values.sum(dim=0)
            squares += values.square_().sum().item()
    return _Sums(rows, columns, squares)


def _error(real: _Sums, fake: _Sums, across: _Sums) -> float | None:
    """One standard error; None for fewer than 4 samples a side.

    The variance over samples of their mean kernel values has the first order once and the second twice, as the
    jackknife has it, so the second is taken off once. What is left of the first is not negative, though estimates are.
    """
    n, m = len(real.rows), len(fake.rows)
    if min(n, m) < 4:
        return None
    of_real = real.rows / (n - 1) - across.rows / m
    of_fake = fake.rows / (m - 1) - across.columns / n
    both = 4 / n * of_real.var().item() + 4 / m * of_fake.var().item()
    second = (
        2 / (n * (n - 1)) * _second_order(real)
        + 2 / (m * (m - 1)) * _second_order(fake)
        + 4 / (n * m) * _interaction(across)
    )
    return math.sqrt(max(both - second, second, 0.0))


def _second_order(sums: _Sums) -> float:
    """E of the square of the kernel centred in both arguments, unbiased (U-centring: Székely and Rizzo 2014)."""
    n, total = len(sums.rows), sums.rows.sum().item()
    squares = sums.squares - 2 / (n - 2) * sums.rows.square().sum().item() + total**2 / ((n - 1) * (n - 2))
    return squares / (n * (n - 3))


def _interaction(sums: _Sums) -> float:
    """The same for arguments from two sets: the interaction of a two-way analysis of variance."""
    n, m, total = len(sums.rows), len(sums.columns), sums.rows.sum().item()
    explained = sums.rows.square().sum().item() / m + sums.columns.square().sum().item() / n - total**2 / (n * m)
    return (sums.squares - explained) / ((n - 1) * (m - 1))
