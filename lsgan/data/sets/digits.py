"""Handwritten digits that need no download: scikit-learn's copy of the UCI optical digits."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from lsgan.data.sets.images import ImageDataset
from lsgan.data.sources.source import Item


@dataclass(frozen=True, kw_only=True)
class Digits(ImageDataset):
    """1,797 images of 8×8 pixels and 17 grey levels, enlarged to `resolution`; label k is the digit k."""

    @property
    def num_classes(self) -> int:
        """Ten."""
        return 10

    def source_id(self, data_dir: Path) -> str:
        return "scikit-learn digits"

    def open_source(self, data_dir: Path, scratch: Path) -> nullcontext["_DigitsSource"]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        return nullcontext(_DigitsSource(digits.images, digits.target))


class _DigitsSource:
    classes = tuple("0123456789")

    def __init__(self, images: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> None:
        self._pixels = np.round(images * (255 / 16)).astype(np.uint8)  # [1797, 8, 8]
        self._labels = labels

    @property
    def num_items(self) -> int:
        return len(self._pixels)

    def items(self) -> Iterator[Item]:
        for i, (pixels, label) in enumerate(zip(self._pixels, self._labels, strict=True)):
            yield Item(f"digit {i}", partial(Image.fromarray, pixels), int(label))
