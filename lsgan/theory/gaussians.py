"""The normal distribution of one variable."""

import math

from lsgan.theory.pairs import Array


def log_density(x: Array, mean: float, std: float) -> Array:
    """log N(x; mean, std²), of the shape of x."""
    return -(((x - mean) / std) ** 2) / 2 - math.log(std * math.sqrt(2 * math.pi))
