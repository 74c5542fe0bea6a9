"""Penalties on D's gradient, added to D's loss (which is a batch mean, so the weights are at mean scale).

A penalty is called with the discriminator, real and fake samples [N, ...] and a source of noise for
them, and returns a scalar. D's outputs are summed before differentiating, so each sample gets its
own gradient; batch norm in D mixes the samples of a batch, and then "own" is an approximation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Discriminator = Callable[[Tensor], Tensor]
Noise = Callable[[Sequence[int]], Tensor]  # a shape [N, ...] -> U[0, 1) of that shape, on the CPU


class Penalty(Protocol):
    """What the training needs of a penalty. One that is zero whatever D is says so in `is_zero`."""

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor, noise: Noise) -> Tensor: ...


@dataclass(frozen=True)
class NoPenalty:
    """Zero."""

    is_zero = True

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor, noise: Noise) -> Tensor:
        return real.new_zeros(())


@dataclass(frozen=True)
class R1:
    """r1_gamma / 2 · E||grad D(x)||^2 on real samples (Mescheder et al., 2018, eq. 9; arXiv 1801.04406)."""

    r1_gamma: float

    def __post_init__(self) -> None:
        _check_not_negative("r1_gamma", self.r1_gamma)

    @property
    def is_zero(self) -> bool:
        return self.r1_gamma == 0

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor, noise: Noise) -> Tensor:
        return self.r1_gamma / 2 * _gradient(discriminator, real).square().sum(1).mean()


@dataclass(frozen=True)
class WganGP:
    """weight · E(||grad D|| - 1)^2 on lines between real and fake (Gulrajani et al., 2017, eq. 3; arXiv 1704.00028)."""

    weight: float

    def __post_init__(self) -> None:
        _check_not_negative("weight", self.weight)

    @property
    def is_zero(self) -> bool:
        return self.weight == 0

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor, noise: Noise) -> Tensor:
        mix = _one_per_sample(real, noise)
        return self.weight * _unit_slope(discriminator, torch.lerp(real, fake.detach(), mix))


@dataclass(frozen=True)
class LsganGP:
    """weight · E(||grad D|| - 1)^2 near the real data, as LSGANs-GP use it (Mao et al., 2019; arXiv 1712.06391).

    The paper takes DRAGAN's penalty (Kodali et al., 2017; arXiv 1705.07215), where real samples are
    moved by random noise of scale c, and gives λ=150, c=30. This follows what the authors' code does,
    as its results come from there: x + t·c·u with t ~ U(0, 1) per sample and u ~ U[0, 1) per pixel.
    Two deviations. The code's adversarial loss is a batch *sum* while its penalty is a mean, so at our
    mean scale its λ=150 is weight = 150/64 = 2.34375. And it draws u once for the whole training
    (a constant of its graph); here u is drawn afresh for each batch. Its D has layer norm, not batch norm.

    Args:
        weight: λ at mean scale.
        noise_scale: c, in units of the data's range [-1, 1].
    """

    weight: float
    noise_scale: float

    def __post_init__(self) -> None:
        _check_not_negative("weight", self.weight)
        _check_not_negative("noise_scale", self.noise_scale)

    @property
    def is_zero(self) -> bool:
        return self.weight == 0

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor, noise: Noise) -> Tensor:
        direction = noise(real.shape).to(real)
        points = real + self.noise_scale * _one_per_sample(real, noise) * direction
        return self.weight * _unit_slope(discriminator, points)


def _one_per_sample(like: Tensor, noise: Noise) -> Tensor:
    """U[0, 1) of shape [N, 1, ...]: one number for each sample of `like`."""
    return noise([len(like), *[1] * (like.dim() - 1)]).to(like)


def _unit_slope(discriminator: Discriminator, points: Tensor) -> Tensor:
    """E(||grad D|| - 1)^2 at the given points, a scalar."""
    return (_gradient(discriminator, points).norm(dim=1) - 1).square().mean()


def _gradient(discriminator: Discriminator, points: Tensor) -> Tensor:
    """D's gradient at each point, flattened to [N, features] and itself differentiable."""
    points = points.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
    return gradient.flatten(1)


def _check_not_negative(name: str, value: float) -> None:
    if not value >= 0:
        raise ValueError(f"{name}={value:g} must not be negative")
