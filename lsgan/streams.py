"""Randomness as a function of (seed, purpose, index), never of how often somebody drew before.

Batch k's images, noise and initial weights are therefore the same after a resume, and the same for
every loss that is trained with the same seed (paired comparisons).
"""

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def stream(seed: int, purpose: str, index: int = 0) -> torch.Generator:
    """A CPU generator whose draws depend on nothing but the three arguments.

    CPU on purpose: the same numbers come out whatever device the training runs on.
    """
    return torch.Generator().manual_seed(derived_seed(seed, purpose, index))


def derived_seed(seed: int, purpose: str, index: int = 0) -> int:
    """What `stream` begins with, in [0, 2^64): for generators that are not ours to make."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def uniform(generator: torch.Generator) -> Callable[[Sequence[int]], Tensor]:
    """A source of U[0, 1) of any shape [N, ...]."""
    return lambda shape: torch.rand(*shape, generator=generator)
