"""Which samples batch k holds, as a function of (seed, k)."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from lsgan.data.held_out import sides
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

    def reals(self, num: int | None, device: torch.device, *, held_out: bool = False) -> Iterator[Batch]:
        """`num` different samples, as they are in the data, that training sees, or those that it never does.

        In batches of batch_size, of which the last may be smaller; the same ones in the same order each time, whatever
        the seed, so that the first n are a random sample.

        Args:
            num: None: all.
            device: where to.
            held_out: those that training never sees.

        Raises:
            LsganError: there are fewer; or there is no end of them, and `num` is None.
        """
        ...

    def num_reals(self, held_out: bool = False) -> int | None:
        """How many different ones `reals` can give; None: as many as one likes."""
        ...


class BatchOrder:
    """Every image that is not held out once an epoch, in an order that depends on (seed, epoch) alone.

    Epochs are laid end to end and cut into batches, so no image is dropped and a batch may span two.
    """

    def __init__(self, num_images: int, batch_size: int, seed: int, num_held_out: int = 0) -> None:
        self._length, self._batch_size, self._seed = num_images - num_held_out, batch_size, seed
        self._trained_on = sides(num_images, num_held_out).training if num_held_out else None  # None: all, as they are
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    def indices(self, index: int) -> Tensor:
        """Image numbers of batch `index`: int64 [batch_size], each in [0, num_images)."""
        start, stop = index * self._batch_size, (index + 1) * self._batch_size
        pieces = []
        while start < stop:
            epoch, offset = divmod(start, self._length)
            piece = self._epoch(epoch)[offset : offset + stop - start]
            pieces.append(piece)
            start += len(piece)
        return torch.cat(pieces)

    def _shuffled(self, epoch: int) -> Tensor:
        order = torch.randperm(self._length, generator=stream(self._seed, "epoch", epoch))
        return order if self._trained_on is None else self._trained_on[order]
