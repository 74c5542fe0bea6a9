"""What generated points have of a mixture of Gaussians whose parameters are known."""

import math
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from lsgan.evaluation import arrays
from lsgan.evaluation.discrepancy import BLOCK, Estimate, unbiased_mmd
from lsgan.evaluation.slices import sliced_wasserstein

NEAR = 3  # std: who is that close to the centre of a mode is of high quality
ENOUGH = 0.25  # of its share of the points: with as many near ones a mode is covered
DEFINITION = f"a mode counts with {ENOUGH:g} of its share of the points, or more, within {NEAR} std"
LINES = 360  # through the plane, for `sliced_w2`
ELEMENTS = 2**22  # in a block of distances: 32 MB


@runtime_checkable
class Mixture(Protocol):
    """Gaussians of one std; data sets that are one have these."""

    @property
    def centres(self) -> Tensor:
        """[modes, d]."""
        ...

    @property
    def std(self) -> float: ...

    @property
    def shares(self) -> Tensor:
        """Of the modes among the points, [modes]; they sum to 1."""
        ...


class Coverage(NamedTuple):
    """What points have of a mixture.

    Args:
        modes: how many are covered: see `DEFINITION`.
        quality: share of the points within 3 std of a centre, in [0, 1]; in the plane 0.989 of real ones are.
        kl: KL(points ‖ mixture), in nats, of the histogram of the nearest modes of all points, near or not, from
            the true shares (the uniform ones where all are equal). From 0 to log(1 / smallest share); real points
            have about (modes - 1) / (2 N).
    """

    modes: int
    quality: float
    kl: float


def coverage(points: Tensor, mixture: Mixture) -> Coverage:
    """Of points [N, d].

    Raises:
        LsganError: no points, or NaN among them.
    """
    arrays.check(mixture.centres, points, at_least=1)
    shares = mixture.shares.double()
    distance, mode = _nearest_centre(points, mixture.centres)
    near = distance < NEAR * mixture.std
    enough = ENOUGH * shares * len(points) * (1 - 1e-6)  # shares are float32: a quarter is one to their precision
    found = mode[near].bincount(minlength=len(shares))
    histogram = mode.bincount(minlength=len(shares)) / len(points)
    kl = torch.special.xlogy(histogram, histogram / shares).sum()
    return Coverage(int((found >= enough).sum()), int(near.sum()) / len(points), max(0.0, kl.item()))


def energy_distance(real: Tensor, fake: Tensor, block: int = BLOCK) -> Estimate:
    """2 E|x - y| - E|x - x'| - E|y - y'| (Székely and Rizzo 2013) of points [N, d] and [M, d], in their units.

    The unbiased estimate: below 0 as often as above where both are alike, whatever N and M. No root is taken of it.

    Raises:
        LsganError: see `arrays.check`.
    """
    arrays.check(real, fake)
    return unbiased_mmd(real, fake, _negative_distance, block)


def _negative_distance(one: Tensor, other: Tensor) -> Tensor:
    return -torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")


def sliced_w2(real: Tensor, fake: Tensor) -> float:
    """Sliced Wasserstein-2 distance (Bonneel et al. 2015) of points [N, 2] and [M, 2] in the plane, in their units.

    The root of the mean, over directions spread evenly, of the squared distance along them. A set and the same set
    shifted by m are |m| / √2 apart.

    Raises:
        LsganError: see `arrays.check`.
    """
    arrays.check(real, fake, at_least=1)
    angles = torch.arange(LINES, dtype=torch.float64) * (math.pi / LINES)
    return math.sqrt(sliced_wasserstein(real, fake, torch.stack([angles.cos(), angles.sin()], dim=1)))


def _nearest_centre(points: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to it, float64, and which it is, both [N]."""
    rows = max(1, ELEMENTS // len(centres))
    exact = centres.double()
    found = [
        torch.cdist(block, exact, compute_mode="donot_use_mm_for_euclid_dist").min(dim=1)
        for block in arrays.blocks(points, rows)
    ]
    return torch.cat([part.values for part in found]), torch.cat([part.indices for part in found])
