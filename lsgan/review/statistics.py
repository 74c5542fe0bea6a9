"""Statistics that hold for a handful of seeds: paired differences, exact tests, and how often runs fail."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

_EXACT = 2**16  # sign patterns that are all tried; above, as many are drawn


class Interval(NamedTuple):
    """Where a number lies, with the confidence that was asked for."""

    low: float
    high: float


class Paired(NamedTuple):
    """Differences of two settings over seeds that both have.

    Args:
        num: how many seeds.
        mean: of the differences.
        interval: of the mean, Student's t on the differences; nan for fewer than two seeds.
        p: two-sided, of the exact sign-flip test: how often differences with random signs have a mean as far from 0.
        smallest_p: what that test could give at best with so many seeds.
    """

    num: int
    mean: float
    interval: Interval
    p: float
    smallest_p: float


def paired(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> Paired:
    """How much larger `first` is, seed by seed: first[i] and second[i] have the same seed.

    Student's t interval covers as it says from three seeds on if differences are about normal; the percentile
    bootstrap does not (75% at 3 seeds, 84% at 5, where it says 95).

    Raises:
        ValueError: no seeds, or not as many of one as of the other.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(f"{len(first)} and {len(second)} values are no pairs")
    differences = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    num, mean = len(differences), float(differences.mean())
    return Paired(num, mean, mean_interval(differences, confidence), sign_flip_p(differences), 2.0 ** (1 - num))


def mean_interval(values: Sequence[float] | npt.NDArray[np.float64], confidence: float = 0.95) -> Interval:
    """Of the mean, by Student's t; nan for fewer than two values."""
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return Interval(math.nan, math.nan)
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return Interval(float(values.mean() - half), float(values.mean() + half))


def sign_flip_p(differences: npt.NDArray[np.float64]) -> float:
    """Two-sided p of the hypothesis that the differences are symmetric about 0 (Fisher's randomisation test).

    All 2^n patterns of signs up to 16 differences; 65,536 drawn ones, the observed one added, beyond that.
    """
    num, observed = len(differences), abs(differences.sum())
    if 2**num <= _EXACT:
        signs = np.array(list(itertools.product((-1, 1), repeat=num)))
        extreme, total = 0, len(signs)
    else:
        signs = np.random.default_rng(0).choice((-1, 1), (_EXACT, num))
        extreme, total = 1, _EXACT + 1
    sums = np.abs(signs @ differences)
    extreme += int((sums >= observed * (1 - 1e-12)).sum())  # rounding must not lose the observed pattern itself
    return extreme / total


def share_interval(count: int, num: int, confidence: float = 0.95) -> Interval:
    """Of a share of which `count` in `num` were seen: exact (Clopper and Pearson, 1934).

    Raises:
        ValueError: count is not in [0, num], or num < 1.
    """
    if not (num >= 1 and 0 <= count <= num):
        raise ValueError(f"{count} of {num} is no share")
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else float(stats.beta.ppf(tail, count, num - count + 1))
    high = 1.0 if count == num else float(stats.beta.ppf(1 - tail, count + 1, num - count))
    return Interval(low, high)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values, corrected for their number (Holm, 1979): each may be read as if it were the only one."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = largest
    return corrected
