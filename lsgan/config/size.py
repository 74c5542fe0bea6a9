"""How much memory an experiment takes at least: what cannot fit is refused before anything of it is allocated.

A machine whose kernel promises more memory than there is does not raise an error, it kills.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from lsgan.config.settings import Settings
from lsgan.errors import LsganError

if TYPE_CHECKING:
    from lsgan.architectures.networks import Networks

_FLOAT = 4  # bytes


class Need(NamedTuple):
    """A lower bound of what something takes."""

    what: str
    num_bytes: int
    decided_by: str  # `key=value` of the settings


def expect_room(needs: "list[Need]", available: int) -> None:
    """Raises LsganError for the first that takes more bytes than are `available`."""
    for what, num_bytes, decided_by in needs:
        if num_bytes > available:
            raise LsganError(
                f"{decided_by}: {what} alone would take {num_bytes / 1e9:,.0f} GB of memory, and there are "
                f"{available / 1e9:,.0f} GB here: make it smaller"
            )


def of_batch(settings: Settings, shape: tuple[int, ...], z_dim: int, num_ranks: int) -> list[Need]:
    """Real images and as many fakes for a rank's part of the batch, and z for the whole of it."""
    size = settings.batch_size
    images = 2 * _FLOAT * size * math.prod(shape) // num_ranks
    return [
        Need("a batch", images, f"batch_size={size}"),
        Need("z for a batch", _FLOAT * size * z_dim, f"batch_size={size}, latent.dim={z_dim}"),
    ]


def of_networks(settings: Settings, networks: "Networks") -> list[Need]:
    """Weights and their gradients, from networks that may be on the meta device."""
    weights = sum(weight.numel() for network in networks for weight in network.parameters())
    return [
        Need("the weights with their gradients", 2 * _FLOAT * weights, deciding(settings, "architecture", "latent"))
    ]


def deciding(settings: Settings, *sections: str) -> str:
    """The settings of some sections that memory grows with, `key=value` of each, the largest first."""
    numbers = dict(_numbers(settings, sections))
    largest = sorted(numbers, key=numbers.__getitem__, reverse=True)[:3]
    return ", ".join(f"{key}={numbers[key]}" for key in largest)


def _numbers(settings: Settings, sections: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    for section in sections:
        node = getattr(settings, section)
        if isinstance(node, int):
            yield section, node
            continue
        for key, value in node.items():
            if isinstance(value, int) and not isinstance(value, bool):
                yield f"{section}.{key}", value
