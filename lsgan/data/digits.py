"""Handwritten digits that need no download: scikit-learn's copy of the UCI optical digits."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from lsgan.data.images import ImageDataset


@dataclass(frozen=True, kw_only=True)
class Digits(ImageDataset):
    """1,797 images of 8×8 pixels and 17 grey levels, enlarged to `resolution`."""

    def source_id(self, data_dir: Path) -> str:
        return "scikit-learn digits"

    def open_source(self, data_dir: Path) -> nullcontext["_DigitsSource"]:
        from sklearn.datasets import load_digits

        return nullcontext(_DigitsSource(load_digits().images))


class _DigitsSource:
    def __init__(self, images: npt.NDArray[np.float64]) -> None:
        self._pixels = np.round(images * (255 / 16)).astype(np.uint8)  # [1797, 8, 8]

    def __len__(self) -> int:
        return len(self._pixels)

    def name(self, index: int) -> str:
        return f"digit {index}"

    def image(self, index: int) -> Image.Image:
        return Image.fromarray(self._pixels[index])
