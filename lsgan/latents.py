"""Distributions of the latent z."""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


class Latent(Protocol):
    """What the rest of the package needs of a distribution of z."""

    @property
    def dim(self) -> int: ...

    def sample(self, num: int, generator: torch.Generator) -> Tensor: ...


@runtime_checkable
class Explorable(Latent, Protocol):
    """One that also says what lies between two z, and where the likely ones are. Training needs neither."""

    def between(self, start: Tensor, end: Tensor, share: float) -> Tensor:
        """z [N, dim] on the way from `start` to `end`, both [N, dim]: `share` of it, in [0, 1], is behind.

        Where start and end are independent draws, so distributed is what lies between: G sees nothing that it was not
        trained on.
        """
        ...

    def truncated(self, z: Tensor, limit: float) -> Tensor:
        """z [N, dim] pulled in: distributed as those draws whose every coordinate is in [-limit, limit].

        That is the truncation trick of BigGAN (Brock et al., 2019; arXiv 1809.11096, section 3.1), which draws anew
        what is beyond. Here each coordinate goes through the quantiles instead: the same distribution, and the same
        z, so the same sample, only more usual.

        Raises:
            ValueError: no z has such a limit.
        """
        ...


@dataclass(frozen=True)
class Normal:
    """z ~ N(0, I)."""

    dim: int

    def __post_init__(self) -> None:
        _check_dim(self.dim)

    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        """z of shape [num, dim]."""
        return torch.randn(num, self.dim, generator=generator)

    def between(self, start: Tensor, end: Tensor, share: float) -> Tensor:
        """Along a great circle: cos(θ)·start + sin(θ)·end, θ from 0 to π/2.

        cos² + sin² = 1, so of two independent N(0, I) it is N(0, I) at every share. It is the spherical interpolation
        of White (2016; arXiv 1609.04468) where start and end are at right angles, as draws of many dimensions nearly
        are; a straight line would shrink to N(0, I/2) halfway.
        """
        angle = share * math.pi / 2
        return math.cos(angle) * start + math.sin(angle) * end

    def truncated(self, z: Tensor, limit: float) -> Tensor:
        if not limit > 0:
            raise ValueError(f"truncation={limit:g} must be above 0")
        # 2·Φ(z) - 1 = erf(z / √2) is uniform on (-1, 1); of the truncated normal it is so on (-erf(l/√2), erf(l/√2))
        inside = torch.erf(z.double() / math.sqrt(2)) * math.erf(limit / math.sqrt(2))
        return (math.sqrt(2) * torch.erfinv(inside)).to(z.dtype).clamp(-limit, limit)


@dataclass(frozen=True)
class Uniform:
    """z ~ U(-1, 1) in every coordinate: the choice of the LSGAN authors' code."""

    dim: int

    def __post_init__(self) -> None:
        _check_dim(self.dim)

    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        """z of shape [num, dim], values in [-1, 1)."""
        return torch.rand(num, self.dim, generator=generator) * 2 - 1

    def between(self, start: Tensor, end: Tensor, share: float) -> Tensor:
        """As `Normal.between`, of the normal scores Φ⁻¹((z + 1) / 2) = √2·erfinv(z), and back.

        What is uniform has N(0, 1) for its scores, and what has N(0, 1) for its scores is uniform: so it is at every
        share. A straight line between the z themselves would be triangular halfway, and seldom near the bounds.
        """
        first, last = (torch.erfinv(z.double().clamp(-_INSIDE, _INSIDE)) for z in (start, end))  # √2 falls out
        return torch.erf(Normal(self.dim).between(first, last, share)).to(start.dtype)

    def truncated(self, z: Tensor, limit: float) -> Tensor:
        if not 0 < limit <= 1:
            raise ValueError(f"truncation={limit:g} must be above 0 and at most 1: z is in [-1, 1)")
        return z * limit


_INSIDE = 1 - 2.0**-25  # of 1, whose score would be infinite: less than a step of float32 away


def _check_dim(dim: int) -> None:
    if dim < 1:
        raise ValueError(f"dim={dim} must be at least 1")
