"""What a network of infinite width is to gradient descent: its neural tangent kernel (Jacot et al., 2018, 1806.07572).

The network here has one hidden layer of ReLU and biases, on points of any dimension. Its inputs are (x, 1), so the
origin and the unit of x matter: standardise the points, as one does for a network.
"""

import numpy as np

from lsgan.theory.pairs import Array


def relu(x: Array, y: Array) -> Array:
    """K(x, y) of points [N, d] and [M, d], of shape [N, M]: |x||y| (sin θ + 2 (π - θ) cos θ) / 2π.

    θ is the angle between (x, 1) and (y, 1). It is the sum of the arc-cosine kernels of degree 1 (of the outer weights)
    and of degree 0 times ⟨x, y⟩ (of the inner ones): Cho and Saul (2009), equations 3 and 6.
    """
    sizes, units = _lifted(x)
    other_sizes, other_units = _lifted(y)
    angle = _angles(units, other_units)
    kernel: Array = sizes[:, None] * other_sizes * _profile(angle)
    return kernel


def relu_slopes(x: Array, y: Array) -> Array:
    """∂K(x, y)/∂x, of shape [N, M, d]. At x = y there is a kink: its two slopes' mean."""
    _, units = _lifted(x)
    other_sizes, other_units = _lifted(y)
    angle = _angles(units, other_units)
    # (v - u cos θ) / sin θ without cancellation: u and v are the unit vectors, and 1 - cos θ = 2 sin²(θ/2).
    across = (other_units - units[:, None]) + 2 * np.sin(angle / 2)[..., None] ** 2 * units[:, None]
    across /= np.where(angle > 0, np.sin(angle), 1.0)[..., None]  # 0 where the angle is
    along = _profile(angle)[..., None] * units[:, None]
    turn = (np.cos(angle) + 2 * (np.pi - angle) * np.sin(angle)) / (2 * np.pi)  # minus the profile's slope
    slopes: Array = other_sizes[:, None] * (along + turn[..., None] * across)
    return slopes[..., :-1]


def _profile(angle: Array) -> Array:
    there: Array = (np.sin(angle) + 2 * (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    return there


def _lifted(x: Array) -> tuple[Array, Array]:
    """Sizes [N] and directions [N, d + 1] of (x, 1)."""
    lifted = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    sizes: Array = np.sqrt((lifted**2).sum(axis=1))
    return sizes, lifted / sizes[:, None]


def _angles(units: Array, others: Array) -> Array:
    """Exact for small angles too, where the arc cosine of a product loses half of the digits."""
    apart = np.sqrt(((units[:, None] - others) ** 2).sum(axis=2))
    together = np.sqrt(((units[:, None] + others) ** 2).sum(axis=2))
    angles: Array = 2 * np.arctan2(apart, together)
    return angles
