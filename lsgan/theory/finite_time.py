"""D after a finite time of training: gradient flow in the space of a kernel, without a network and without noise.

D starts at 0 and follows ∂D(x)/∂t = -Σ K(x, x_i) (u_i ℓ_r'(D(x_i)) + v_i ℓ_f'(D(x_i))), where u and v are the weights
that the real and the fake samples give to the points x_i, and ℓ_r', ℓ_f' the slopes of D's loss. That is what a wide
network does (Jacot et al., 2018), and how Franceschi et al. (arXiv 2106.05566) look at GANs: with a D of finite time,
which has a gradient everywhere, in place of an optimal one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import integrate, linalg

from lsgan.theory import kernels
from lsgan.theory.pairs import Array
from lsgan.theory.pull import Game, LeastSquares


@dataclass(frozen=True)
class Samples:
    """What D is trained on.

    Args:
        points: of shape [N, d].
        real: their weights as real samples [N], at least 0.
        fake: the same as fakes.
    """

    points: Array
    real: Array
    fake: Array


@dataclass(frozen=True)
class Discriminator:
    """D(x) = Σ K(x, x_i) · coefficients_i."""

    points: Array
    coefficients: Array

    def __call__(self, x: Array) -> Array:
        """At points [N, d]: [N]."""
        outputs: Array = kernels.relu(x, self.points) @ self.coefficients
        return outputs

    def slopes(self, x: Array) -> Array:
        """∂D/∂x at points [N, d]: [N, d]."""
        slopes: Array = np.einsum("nmd,m->nd", kernels.relu_slopes(x, self.points), self.coefficients)
        return slopes


def trained(game: Game, samples: Samples, times: Sequence[float]) -> list[Discriminator]:
    """D at each of the times, which grow from above 0."""
    flow = _linear if isinstance(game, LeastSquares) else _integrated
    return [Discriminator(samples.points, found) for found in flow(game, samples, times)]


def _linear(game: Game, samples: Samples, times: Sequence[float]) -> list[Array]:
    """Closed form: with one target y for each point, D_t = (I - exp(-tK)) y (Franceschi et al., 2106.05566).

    With weights m = u + v, and y = (b u + a v) / m, z = √m (D - y) obeys dz/dt = -S z for S = √m K √m. So the
    coefficients -√m ∫ z are √m (I - exp(-tS)) S⁻¹ √m y, taken in the eigenbasis of S.
    """
    weights = np.sqrt(samples.real + samples.fake)
    nothing = np.zeros(len(weights))
    push = -(samples.real * game.real_slope(nothing) + samples.fake * game.fake_slope(nothing))  # b u + a v
    kernel = kernels.relu(samples.points, samples.points)
    values, basis = linalg.eigh(weights[:, None] * kernel * weights)
    values = np.maximum(values, np.finfo(np.float64).tiny)  # rounding leaves some below 0
    scaled = basis.T @ np.divide(push, weights, out=np.zeros_like(push), where=weights > 0)
    return [weights * (basis @ (-np.expm1(-time * values) / values * scaled)) for time in times]


def _integrated(game: Game, samples: Samples, times: Sequence[float]) -> list[Array]:
    """No closed form: an implicit integrator, as the fast directions of the kernel make the equation stiff."""
    kernel = kernels.relu(samples.points, samples.points)

    def motion(_: float, coefficients: Array) -> Array:
        outputs = kernel @ coefficients
        there: Array = -(samples.real * game.real_slope(outputs) + samples.fake * game.fake_slope(outputs))
        return there

    start = np.zeros(len(kernel))
    found = integrate.solve_ivp(motion, (0.0, times[-1]), start, "LSODA", t_eval=times, rtol=1e-7, atol=1e-9)
    return list(found.y.T)
