"""Two densities, and the integral of what is made of them: on a grid, or by adaptive quadrature. All in float64."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import integrate

Array = npt.NDArray[np.float64]
Integrand = Callable[[Array, Array], Array]  # of log p and log q, elementwise


class Pair(Protocol):
    """Densities p and q of the same space, known by their logarithms, -inf for 0."""

    def integral(self, integrand: Integrand) -> float:
        """∫ integrand(log p(x), log q(x)) dx."""
        ...


@dataclass(frozen=True)
class OnGrid:
    """Densities on a regular grid of any dimension, whose sums stand for integrals.

    Of smooth densities that are practically 0 at the borders the sum converges faster than any power of the spacing.

    Args:
        log_p: at the grid's points, any shape.
        log_q: the same.
        cell: the volume of a cell.

    Raises:
        ValueError: shapes that differ, NaN, or a volume that is not above 0.
    """

    log_p: Array
    log_q: Array
    cell: float

    def __post_init__(self) -> None:
        if np.shape(self.log_p) != np.shape(self.log_q):
            raise ValueError(f"log_p has shape {np.shape(self.log_p)}, log_q {np.shape(self.log_q)}: one grid has both")
        if np.isnan(self.log_p).any() or np.isnan(self.log_q).any():
            raise ValueError("a density is NaN: a logarithm of 0 is -inf")
        if not self.cell > 0:
            raise ValueError(f"cell={self.cell} must be above 0")

    def integral(self, integrand: Integrand) -> float:
        values = integrand(np.asarray(self.log_p, np.float64), np.asarray(self.log_q, np.float64))
        return float(values.sum() * self.cell)


@dataclass(frozen=True)
class OnLine:
    """Densities of one variable as functions, integrated adaptively (QUADPACK).

    Args:
        log_p: of an array of x, elementwise.
        log_q: the same.
        points: where something happens: means, edges. Between and beyond them it is integrated apart.
        low: of the range; -inf for all.
        high: the same.
    """

    log_p: Callable[[Array], Array]
    log_q: Callable[[Array], Array]
    points: Sequence[float] = ()
    low: float = -np.inf
    high: float = np.inf

    def integral(self, integrand: Integrand) -> float:
        def at(x: float) -> float:
            where = np.asarray([x], np.float64)
            return float(integrand(self.log_p(where), self.log_q(where))[0])

        edges = [self.low, *sorted(point for point in self.points if self.low < point < self.high), self.high]
        parts = [
            integrate.quad(at, start, end, epsabs=1e-13, epsrel=1e-12, limit=500)[0] for start, end in pairwise(edges)
        ]
        return float(sum(parts))


@dataclass(frozen=True)
class InPlane:
    """Densities of two variables as functions, integrated adaptively over a rectangle.

    Args:
        log_p: of two arrays, x and y, elementwise.
        log_q: the same.
        x_range: outside of it, and of `y_range`, both densities are practically 0.
        y_range: see `x_range`.
    """

    log_p: Callable[[Array, Array], Array]
    log_q: Callable[[Array, Array], Array]
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def integral(self, integrand: Integrand) -> float:
        def at(y: float, x: float) -> float:
            where = np.asarray([x], np.float64), np.asarray([y], np.float64)
            return float(integrand(self.log_p(*where), self.log_q(*where))[0])

        return float(integrate.dblquad(at, *self.x_range, *self.y_range, epsabs=1e-10, epsrel=1e-10)[0])
