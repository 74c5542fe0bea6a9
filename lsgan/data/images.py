"""Image data sets: a source of images, packed once, then read as batches."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from lsgan.data.batches import Batch, BatchOrder
from lsgan.data.pictures import Picture, image_grid, save_images
from lsgan.data.store import ImageArray, Recipe, Source, open_store, pack

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ImageDataset(ABC):
    """Square images of one size. A new data set says where its images are: `source_id` and `open_source`.

    Args:
        name: of the data set; names the packed store and, by default, the study.
        resolution: of the images that the networks see, in pixels a side.
        channels: 1 (grey) or 3 (RGB); images are converted.
        crop: cut the largest central square before resizing; otherwise the whole image is squeezed into one.

    Raises:
        ValueError: resolution < 1, or another number of channels.
    """

    name: str
    resolution: int
    channels: int = 3
    crop: bool = False

    samples_shown: ClassVar[int] = 64

    def __post_init__(self) -> None:
        if self.resolution < 1:
            raise ValueError(f"resolution={self.resolution} must be at least 1")
        if self.channels not in (1, 3):
            raise ValueError(f"channels={self.channels} must be 1 or 3")

    @property
    def num_classes(self) -> int | None:
        """How many labels there are; None if the images have none."""
        return None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: (channels, resolution, resolution)."""
        return (self.channels, self.resolution, self.resolution)

    @abstractmethod
    def source_id(self, data_dir: Path) -> str:
        """Says which images these are; another text means another packed store."""

    @abstractmethod
    def open_source(self, data_dir: Path) -> AbstractContextManager[Source]:
        """The images themselves. Raises LsganError when they are not there."""

    def open(self, data_dir: Path, batch_size: int, seed: int) -> "ImageBatches":
        """Packs the images if that has not been done yet, and returns their batches.

        Raises:
            LsganError: the images are not there, or cannot be read.
        """
        recipe = Recipe(self.source_id(data_dir), self.resolution, self.channels, self.crop)
        folder = data_dir / "packed" / f"{self.name}-{recipe.digest()}"
        if not folder.exists():
            with self.open_source(data_dir) as source:
                pack(source, recipe, folder)
        images = open_store(folder)
        log.info(
            "%s: %s images %s, packed in %s", self.name, f"{len(images):,}", "×".join(map(str, self.shape)), folder
        )
        return ImageBatches(images, BatchOrder(len(images), batch_size, seed))

    def picture(self, samples: Tensor) -> Picture:
        """A grid of the samples [N, C, H, W]: uint8 [H, W, 3]."""
        return image_grid(samples)

    def real_picture(self, samples: Tensor) -> Picture:
        """The same of real samples."""
        return image_grid(samples)

    def save(self, batches: Iterable[Tensor], folder: Path) -> None:
        """Batches of samples one by one, as PNG files."""
        save_images(batches, folder)


class ImageBatches:
    """Batches of a packed store, in the order of (seed, index)."""

    def __init__(self, images: ImageArray, order: BatchOrder) -> None:
        self._images, self._order = images, order

    def batch(self, index: int, device: torch.device) -> Batch:
        """Images [batch_size, C, H, W] of batch `index`, float32 in [-1, 1], channels last in memory."""
        pixels = torch.from_numpy(self._images[self._order.indices(index).numpy()])  # [N, H, W, C]
        return Batch(pixels.to(device).permute(0, 3, 1, 2).float().div_(127.5).sub_(1), labels=None)
