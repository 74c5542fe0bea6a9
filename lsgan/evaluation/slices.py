"""Sliced Wasserstein distance: optimal transport along lines, where sorting solves it."""

import torch
from torch import Tensor

from lsgan.evaluation.arrays import blocks

LINES = 64  # that are projected onto at a time: 50 MB for 50,000 samples a side


def sliced_wasserstein(real: Tensor, fake: Tensor, directions: Tensor) -> float:
    """The mean over directions of the squared Wasserstein-2 distance of the projections.

    Exact for each direction, for equal and for unequal numbers of samples: the integral of (F⁻¹ - G⁻¹)² over [0, 1],
    with F and G the empirical distribution functions.

    Args:
        real: [N, d].
        fake: [M, d].
        directions: unit vectors, float64 [P, d].
    """
    of_real, of_fake, mass = _plan(len(real), len(fake))
    total = 0.0
    for lines in directions.split(LINES):
        gaps = _sorted_along(real, lines)[:, of_real] - _sorted_along(fake, lines)[:, of_fake]  # [lines, pieces]
        total += (gaps.square_() @ mass).sum().item()
    return total / len(directions)


def _sorted_along(samples: Tensor, lines: Tensor) -> Tensor:
    """Projections in ascending order, [lines, N]."""
    return torch.cat([lines @ block.T for block in blocks(samples)], dim=1).sort(dim=1).values


def _plan(n: int, m: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which of n sorted points gives mass to which of m, and how much: three times [pieces], at most n + m - 1.

    Counted in units of 1 / (n m), in which a point of the one side is m and of the other n: whole numbers.
    """
    ends = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique()
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    return starts // m, starts // n, (ends - starts).double() / (n * m)
