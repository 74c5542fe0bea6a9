"""Randomness as a function of (seed, purpose, index), never of how often somebody drew before.

Batch k's images, noise and initial weights are therefore the same after a resume, and the same for
every loss that is trained with the same seed (paired comparisons).
"""

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lsgan.world import ALONE, World


def stream(seed: int, purpose: str, index: int = 0) -> torch.Generator:
    """A CPU generator whose draws depend on nothing but the three arguments.

    CPU on purpose: the same numbers come out whatever device the training runs on.
    """
    digest = hashlib.blake2b(f"{seed}/{purpose}/{index}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little"))


def uniform(generator: torch.Generator, world: World = ALONE) -> Callable[[Sequence[int]], Tensor]:
    """A source of U[0, 1) for samples [N, ...] of one rank: drawn for the samples of all ranks, and cut like them."""

    def draw(shape: Sequence[int]) -> Tensor:
        num = shape[0] * world.size
        return torch.rand(num, *shape[1:], generator=generator)[world.part(num)]

    return draw
