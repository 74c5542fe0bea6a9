"""How far generated features are from real ones, one number each: FID, KID, MIND, and the Inception Score.

All are computed in float64. The block size, and the number of threads, change the results by rounding alone: by about
1e-12 of the variance of the features (FID, MIND), or of the size of the kernel (KID).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lsgan.errors import LsganError
from lsgan.evaluation import arrays
from lsgan.evaluation.discrepancy import BLOCK, Estimate, unbiased_mmd
from lsgan.evaluation.slices import sliced_wasserstein
from lsgan.streams import stream

PROJECTIONS = 1000
SPLITS = 10


class Moments(NamedTuple):
    """Mean and covariance of features; can be kept, where one side stays the same.

    Args:
        mean: float64 [d].
        factor: float64 [r, d] with r <= d; factor' factor is the covariance.
    """

    mean: Tensor
    factor: Tensor


def fid(real: Tensor, fake: Tensor) -> float:
    """Fréchet Inception Distance (Heusel et al. 2017, equation 6) of features [N, d] and [M, d].

    Its bias depends on N, M and on what is judged (Chong and Forsyth 2020): compare it at equal numbers alone.

    Raises:
        LsganError: see `arrays.check`.
    """
    arrays.check(real, fake)
    return frechet(moments(real), moments(fake))


def moments(features: Tensor) -> Moments:
    """Of [N, d], N > 1, with the covariance divided by N - 1."""
    mean = arrays.mean(features)
    scale = (len(features) - 1) ** -0.5
    if len(features) <= features.shape[1]:
        return Moments(mean, (features.double() - mean) * scale)
    factor = mean.new_zeros(0, len(mean))
    for block in arrays.blocks(features, max(arrays.ROWS, 2 * len(mean))):  # QR of a tall matrix, from top to bottom
        factor = torch.linalg.qr(torch.cat([factor, (block - mean) * scale]), mode="r").R
    return Moments(mean, factor)


def frechet(real: Moments, fake: Moments) -> float:
    """Squared Fréchet distance of two Gaussians (Dowson and Landau 1982), at least 0.

    tr (S T)^½ is the nuclear norm of X Y' where S = X'X and T = Y'Y. No root of a singular matrix is taken, so nothing
    is lost where there are fewer samples than features: a set is 1e-13 of its variance from itself, or less.
    """
    spread = real.factor.square().sum() + fake.factor.square().sum()
    shared = torch.linalg.svdvals(real.factor @ fake.factor.T).sum()
    return max(0.0, ((real.mean - fake.mean).square().sum() + spread - 2 * shared).item())


def kid(real: Tensor, fake: Tensor, block: int = BLOCK) -> Estimate:
    """Kernel Inception Distance (Bińkowski et al. 2018): unbiased MMD² with the kernel (x·y / d + 1)³, over all pairs.

    The field takes the mean over random subsets instead, which has the same expectation and more noise; its "std" is
    the spread over subsets. The error here is the spread that the value has over repetitions with new samples.

    Args:
        real: [N, d].
        fake: [M, d].
        block: samples a side of what is computed at a time.

    Raises:
        LsganError: see `arrays.check`.
    """
    arrays.check(real, fake)
    return unbiased_mmd(real, fake, _cubic, block)


def _cubic(one: Tensor, other: Tensor) -> Tensor:
    values = (one @ other.T).div_(one.shape[1]).add_(1)
    return values * values * values


def mind(real: Tensor, fake: Tensor, seed: int = 0, projections: int = PROJECTIONS) -> float:
    """Monge Inception Distance (Berthet et al. 2026, arXiv 2605.06797) of features [N, d] and [M, d].

    3 d times the mean, over random unit vectors u, of the squared Wasserstein-2 distance between u·real and u·fake:
    squared, as FID is. A set and the same set shifted by m are 3 |m|² apart, three times their FID.

    Two deliberate differences from other implementations. Where N and M differ they leave samples out; here all count,
    by the quantile functions. And the difference Δ of the means counts exactly: along u it adds (u·Δ)² to the squared
    distance of the centred sets, which is |Δ|² / d on average over all u, and this stands in the place of its average
    over the random ones. The expectation is the same; chance is left in the share of the centred sets alone.

    Its value at no difference falls with N and M, as FID's does, if sooner: compare it at equal numbers.

    Args:
        real: [N, d].
        fake: [M, d].
        seed: of the directions.
        projections: how many directions.

    Raises:
        LsganError: see `arrays.check`.
    """
    arrays.check(real, fake)
    dim = real.shape[1]
    directions = torch.randn(projections, dim, generator=stream(seed, "mind"), dtype=torch.float64)
    directions /= directions.norm(dim=1, keepdim=True)
    shift = arrays.mean(real) - arrays.mean(fake)
    centred = sliced_wasserstein(real, fake, directions) - (directions @ shift).square().mean().item()
    return 3 * shift.square().sum().item() + 3 * dim * max(0.0, centred)


def inception_score(probabilities: Tensor, splits: int = SPLITS) -> Estimate:
    """Inception Score (Salimans et al. 2016) of class probabilities [N, C]: exp E KL(p(y|x) ‖ p(y)), mean over splits.

    The splits, and the shuffling before them, are torch-fidelity's, so the value is. The error is the standard error
    of the mean over splits, theirs the spread of the splits.

    Raises:
        LsganError: no probabilities, or fewer samples than splits.
    """
    arrays.check_one("generated", probabilities, splits, "the Inception Score")
    low, sums = probabilities.min().item(), probabilities.double().sum(dim=1)
    if low < 0 or (sums - 1).abs().max() > 1e-3:
        raise LsganError(
            f"class probabilities of a sample sum to {sums[(sums - 1).abs().argmax()]:g}, and the smallest is {low:g}: "
            "the Inception Score takes those of a softmax"
        )
    num = len(probabilities)
    shuffled = probabilities.double()[np.random.RandomState(2020).permutation(num)]
    parts = [shuffled[i * num // splits : (i + 1) * num // splits] for i in range(splits)]
    scores = torch.stack([_score(part) for part in parts])
    return Estimate(scores.mean().item(), scores.std().item() / splits**0.5 if splits > 1 else None)


def _score(probabilities: Tensor) -> Tensor:
    own = torch.special.xlogy(probabilities, probabilities)
    others = torch.special.xlogy(probabilities, probabilities.mean(dim=0))
    return (own - others).sum(dim=1).mean().exp()
