"""From the packed store to the network: batch k by its index, in the network's range and layout."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lsgan.data.batches import WHOLE, Batch, BatchOrder
from lsgan.data.held_out import Sides, expect_reals, sides
from lsgan.data.store import Store
from lsgan.streams import stream

_BLOCK = 4096  # images that are copied to a device at once
_NONE = np.empty(0, np.int64)


class StoreBatches:
    """Batches of a packed store in the order of (seed, index), mirrored by (seed, index) too.

    Args:
        store: the images.
        batch_size: of them.
        seed: of the order and the flips.
        flip: mirror every second image, left to right, on average.
        device_cache_gb: a store up to this size is copied to a GPU, as uint8. A larger one, and any on the CPU,
            is read through the operating system's page cache, which all runs share.
        num_held_out: of the images, that no batch has.
    """

    def __init__(
        self,
        store: Store,
        batch_size: int,
        seed: int,
        *,
        flip: bool = False,
        device_cache_gb: float = 0,
        num_held_out: int = 0,
    ) -> None:
        self._store, self._images, self._labels = store, store.images, store.labels
        self._order = BatchOrder(len(store.images), batch_size, seed, num_held_out)
        self._batch_size, self._seed, self._flip, self._num_held_out = batch_size, seed, flip, num_held_out
        self._cached = store.images.nbytes <= device_cache_gb * 1e9
        self._resident: Tensor | None = None

    @property
    def identity(self) -> dict[str, Any]:
        return self._store.identity

    def batch(self, index: int, device: torch.device, part: slice = WHOLE) -> Batch:
        """Images [N, C, H, W] of `part` of batch `index`, float32 in [-1, 1], channels last in memory."""
        return self._read(self._order.indices(index)[part], device, self._mirrored(index, part))

    def reals(self, num: int | None, device: torch.device, *, held_out: bool = False) -> Iterator[Batch]:
        """Images as they are in the store, never mirrored: see `Batches.reals`."""
        side = self._sides.held_out if held_out else self._sides.training
        expect_reals(num, len(side), held_out=held_out)
        return (self._read(indices, device) for indices in side[:num].split(self._batch_size))

    def num_reals(self, held_out: bool = False) -> int:
        return self._num_held_out if held_out else len(self._images) - self._num_held_out

    @cached_property
    def _sides(self) -> Sides:
        return sides(len(self._images), self._num_held_out)

    def _read(self, indices: Tensor, device: torch.device, mirrored: npt.NDArray[np.int64] = _NONE) -> Batch:
        """The images of these numbers, int64 [N]; those at the places `mirrored` are."""
        if self._cached and device.type != "cpu":
            pixels = self._on_device(device).index_select(0, _sent(indices, device))  # uint8 [N, H, W, C]
            if len(mirrored):
                there = _sent(torch.from_numpy(mirrored), device)
                pixels[there] = pixels[there].flip(2)
        else:
            read = self._images[indices.numpy()]
            read[mirrored] = torch.from_numpy(read[mirrored]).flip(2).numpy()  # each of the three by the faster library
            pixels = _sent(torch.from_numpy(read), device)
        labels = None if self._labels is None else _sent(torch.from_numpy(self._labels[indices.numpy()]), device)
        return Batch(pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1), labels)

    def _mirrored(self, index: int, part: slice) -> npt.NDArray[np.int64]:
        """Which images of `part` of batch `index` are mirrored."""
        if not self._flip:
            return _NONE
        chance = torch.rand(self._batch_size, generator=stream(self._seed, "flip", index))
        return np.flatnonzero(chance[part].numpy() < 0.5)

    def _on_device(self, device: torch.device) -> Tensor:
        if self._resident is None:
            resident = torch.empty(self._images.shape, dtype=torch.uint8, device=device)
            for start in range(0, len(self._images), _BLOCK):  # the whole would need as much memory here as there
                block = slice(start, start + _BLOCK)
                resident[block] = torch.from_numpy(np.array(self._images[block]))
            self._resident = resident
        return self._resident


def _sent(values: Tensor, device: torch.device) -> Tensor:
    """The values on the device. What prepares batches does not wait until a GPU has come so far as to take them."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)
