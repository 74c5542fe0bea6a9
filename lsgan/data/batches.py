"""Which samples batch k holds, as a function of (seed, k)."""

from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from lsgan.streams import stream

WHOLE = slice(None)


class Batch(NamedTuple):
    """Real samples, and what they show where the data set knows."""

    samples: Tensor  # [N, *shape], float32, images in [-1, 1]
    labels: Tensor | None  # int64 [N], each in [0, num_classes)


class Batches(Protocol):
    """An endless, repeatable sequence of real batches."""

    @property
    def identity(self) -> dict[str, Any]:
        """What these samples are, wherever they lie: plain values, equal for equal data and for no other."""
        ...

    def batch(self, index: int, device: torch.device, part: slice = WHOLE) -> Batch:
        """Batch `index` on `device`: its batch_size samples, or `part` of them."""
        ...


class BatchOrder:
    """Every image once an epoch, in an order that depends on (seed, epoch) alone.

    Epochs are laid end to end and cut into batches, so no image is dropped and a batch may span two.
    """

    def __init__(self, num_images: int, batch_size: int, seed: int) -> None:
        self._num_images, self._batch_size = num_images, batch_size
        self._epoch = lru_cache(maxsize=2)(
            lambda epoch: torch.randperm(num_images, generator=stream(seed, "epoch", epoch))
        )

    def indices(self, index: int) -> Tensor:
        """Image numbers of batch `index`: int64 [batch_size], each in [0, num_images)."""
        start, stop = index * self._batch_size, (index + 1) * self._batch_size
        pieces = []
        while start < stop:
            epoch, offset = divmod(start, self._num_images)
            piece = self._epoch(epoch)[offset : offset + stop - start]
            pieces.append(piece)
            start += len(piece)
        return torch.cat(pieces)
