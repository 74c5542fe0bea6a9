"""From D's outputs to a divergence that compares between all losses and targets: D is calibrated before it is read.

A loss's own formula, 2 - 8·V(D)/(b - a)² for least squares, holds for a D that is optimal, scale and all: of one
whose contrast is s times the optimal one's it gives (2s - s²)·Δ. Here D's order of the samples is all that counts.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Array = npt.NDArray[np.float64]

LEAST = 8  # samples a side: two a half are told apart by a few more


class Divergences(NamedTuple):
    """Lower bounds of divergences between real and fake samples, each with its standard error; NaN where D's are."""

    triangular: float  # of Δ = ∫ (p - q)² / (p + q), in [0, 2]
    triangular_stderr: float
    jsd: float  # Jensen–Shannon, in nats, in [0, log 2]
    jsd_stderr: float


def divergences(real: npt.ArrayLike, fake: npt.ArrayLike) -> Divergences:
    """What D's outputs on samples that it was not trained on, real [N] and fake [N], tell of both divergences.

    η, the chance that a sample with such an output is real, is found by isotonic regression on one half of the samples
    and used on the other, in turns. Any η gives lower bounds in expectation (2η - 1 in LSGAN's V with a = -1, b = 1:
    Mao et al., 2017, equations 2 and 5; η in the standard GAN's V: Goodfellow et al., 2014, theorem 1):

        Δ ≥ 2 - 4·E_real[(1 - η)²] - 4·E_fake[η²]        JSD ≥ log 2 + ½·E_real[log η] + ½·E_fake[log(1 - η)]

    They are tight if η is the right one given the whole sample; it is that given D's output, as far as N samples tell.
    Nothing is clipped: of equal distributions they are a little below 0. Outputs count by their order alone, so a
    rising function of D changes nothing. The errors are those of the means, with η as it was found.

    Raises:
        ValueError: not one-dimensional, not as many of either, or fewer than 8.
    """
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    if real.ndim != 1 or real.shape != fake.shape or len(real) < LEAST:
        raise ValueError(
            f"outputs on real samples {list(real.shape)} and on fakes {list(fake.shape)} must be two lists of equally "
            f"many, at least {LEAST}"
        )
    outputs = np.concatenate([real, fake])
    if not np.isfinite(outputs).all():
        return Divergences(*[math.nan] * 4)
    chances = _chances(rankdata(outputs), np.repeat([1.0, 0.0], len(real)))
    of_real, of_fake = chances[: len(real)], chances[len(real) :]
    triangular = _sum_of_means(1 - 4 * (1 - of_real) ** 2, 1 - 4 * of_fake**2)
    jsd = _sum_of_means((math.log(2) + np.log(of_real)) / 2, (math.log(2) + np.log1p(-of_fake)) / 2)
    return Divergences(*triangular, *jsd)


def _chances(places: Array, is_real: Array) -> Array:
    """η of each sample, by the other half: of either side every second sample is in the one."""
    chances, half = np.empty_like(places), np.arange(len(places) // 2) % 2
    first = np.tile(half, 2) == 0
    for seen in (first, ~first):
        at, eta = _calibrated(places[seen], is_real[seen])
        chances[~seen] = np.interp(places[~seen], at, eta)
    return chances


def _calibrated(places: Array, is_real: Array) -> tuple[Array, Array]:
    """The places in order, and η there, rising.

    A block in which isotonic regression has k of n real gets (k + ½) / (n + 1): no chance is 0 or 1, whose logarithm
    one sample on the wrong side would make infinite.
    """
    from sklearn.isotonic import IsotonicRegression  # takes a while to import

    order = np.argsort(places, kind="stable")
    places, is_real = places[order], is_real[order]
    fitted = IsotonicRegression().fit_transform(places, is_real)
    _, block, size = np.unique(fitted, return_inverse=True, return_counts=True)
    return places, ((np.bincount(block, is_real) + 0.5) / (size + 1))[block]


def _sum_of_means(real: Array, fake: Array) -> tuple[float, float]:
    """Of either side's values [N], and the standard error of that sum."""
    error = math.sqrt((real.var(ddof=1) + fake.var(ddof=1)) / len(real))
    return float(real.mean() + fake.mean()), error
