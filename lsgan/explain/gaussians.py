"""Two Gaussians of one variable: p of the real samples and q of G's."""

import math

import numpy as np

from lsgan.explain.choices import Choices
from lsgan.theory.gaussians import log_density
from lsgan.theory.pairs import OnGrid

_BEYOND = 12.0  # standard deviations from a mean, where densities are practically 0
_SPACING = 0.05  # standard deviations of the narrower one: sums of smooth densities converge fast


def apart(choices: Choices, distance: float) -> OnGrid:
    """p and q with the spreads of the choices and their means so far apart."""
    reach = _BEYOND * max(choices.real_std, choices.fake_std)
    x = np.arange(-reach, distance + reach, _SPACING * min(choices.real_std, choices.fake_std))
    p, q = log_density(x, 0.0, choices.real_std), log_density(x, distance, choices.fake_std)
    return OnGrid(p, q, float(x[1] - x[0]))


def log_chi_square_and_1(choices: Choices, distance: float) -> float:
    """log(1 + χ²) with χ² = ∫ (q - p)² / p, in closed form; inf where the tails of q are too heavy for p.

    For equal spreads it is (distance / std)². Logarithms, as χ² itself leaves the range of float64 soon.
    """
    p2, q2 = choices.real_std**2, choices.fake_std**2
    if q2 >= 2 * p2:
        return math.inf
    return distance**2 / (2 * p2 - q2) + math.log(p2 / math.sqrt(q2 * (2 * p2 - q2)))


def typical_std(choices: Choices) -> float:
    """Of both, √((σ_p² + σ_q²) / 2): the unit of distances in the figures."""
    return math.sqrt((choices.real_std**2 + choices.fake_std**2) / 2)
