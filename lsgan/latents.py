"""Distributions of the latent z."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Latent(Protocol):
    """What the rest of the package needs of a distribution of z."""

    @property
    def dim(self) -> int: ...

    def sample(self, num: int, generator: torch.Generator) -> Tensor: ...


@dataclass(frozen=True)
class Normal:
    """z ~ N(0, I)."""

    dim: int

    def __post_init__(self) -> None:
        _check_dim(self.dim)

    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        """z of shape [num, dim]."""
        return torch.randn(num, self.dim, generator=generator)


@dataclass(frozen=True)
class Uniform:
    """z ~ U(-1, 1) in every coordinate: the choice of the LSGAN authors' code."""

    dim: int

    def __post_init__(self) -> None:
        _check_dim(self.dim)

    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        """z of shape [num, dim], values in [-1, 1)."""
        return torch.rand(num, self.dim, generator=generator) * 2 - 1


def _check_dim(dim: int) -> None:
    if dim < 1:
        raise ValueError(f"dim={dim} must be at least 1")
