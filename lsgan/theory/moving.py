"""A generator that can only shift a Gaussian: how fast its mean moves to the data, under which D.

Real samples are N(0, real_std²), fakes N(distance, fake_std²). G's mean moves by gradient flow with the speed
-E_q[∂V_G/∂x], told here as positive where the distance shrinks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.integrate import cumulative_trapezoid
from scipy.interpolate import PchipInterpolator

from lsgan.theory.finite_time import Samples, trained
from lsgan.theory.gaussians import log_density
from lsgan.theory.pairs import Array
from lsgan.theory.pull import Game, sent

_BEYOND = 5.5  # standard deviations, where the densities' weights end


class Shifted(NamedTuple):
    """The two Gaussians, their distance at least 0."""

    distance: float
    real_std: float = 1.0
    fake_std: float = 1.0

    def grid(self, points: int) -> Array:
        """So many points about each mean, put together: [N, 1], rising."""
        steps = np.linspace(-_BEYOND, _BEYOND, points)
        x = np.concatenate([steps * self.real_std, self.distance + steps * self.fake_std])
        return np.unique(x)[:, None]

    def log_ratio_slope(self, x: Array) -> Array:
        """Of log p - log q, by x."""
        there: Array = (x - self.distance) / self.fake_std**2 - x / self.real_std**2
        return there

    def log_densities(self, x: Array) -> tuple[Array, Array]:
        """log p and log q."""
        return log_density(x, 0.0, self.real_std), log_density(x, self.distance, self.fake_std)

    def samples(self, points: int) -> Samples:
        """The densities as weights, each summing to 1, by the trapezoidal rule."""
        x = self.grid(points)
        cells = np.gradient(x[:, 0])
        cells[[0, -1]] /= 2
        p, q = (np.exp(log) * cells for log in self.log_densities(x[:, 0]))
        return Samples(x, p / p.sum(), q / q.sum())


def optimal_speed(game: Game, pair: Shifted, points: int = 1001) -> float:
    """Under the D that minimises D's loss pointwise, in closed form but for the mean over the fakes."""
    samples = pair.samples(points)
    x = samples.points[:, 0]
    log_p, log_q = pair.log_densities(x)
    slopes = game.optimal_slope(log_p, log_q, pair.log_ratio_slope(x))
    return _speed(game, samples.fake, game.optimal(log_p, log_q), slopes[:, None])


def trained_speeds(games: Sequence[Game], pair: Shifted, times: Sequence[float], points: int = 61) -> Array:
    """Under a D trained from 0 for each of the times, of losses of G that share the loss of D: [games, times]."""
    samples = pair.samples(points)
    ds = trained(games[0], samples, times)
    seen = [(d(samples.points), d.slopes(samples.points)) for d in ds]
    return np.array([[_speed(game, samples.fake, *each) for each in seen] for game in games])


def path(distances: Array, speeds: Array) -> tuple[Array, Array]:
    """When the mean passes which distance: it starts at the last, and d(distance)/dt = -speed.

    The speeds between the given ones (of distances that rise) are interpolated. The path ends where a speed is not
    above 0: there the mean stands, or goes the other way. Returns times from 0 and distances, empty if it never moves.
    """
    fine = np.linspace(distances[-1], distances[0], 2001)
    between = PchipInterpolator(distances, speeds)(fine)
    stops = np.flatnonzero(between <= 0)
    fine, between = (each[: stops[0] if len(stops) else None] for each in (fine, between))
    if not len(fine):
        return np.array([]), np.array([])
    return cumulative_trapezoid(-1 / between, fine, initial=0), fine


def _speed(game: Game, weights: Array, outputs: Array, slopes: Array) -> float:
    return -float(weights @ sent(game, outputs, slopes)[:, 0])
