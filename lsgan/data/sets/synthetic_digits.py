"""Printed digits of low variability, as in the LSGAN authors' stability experiments: drawn here."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lsgan.data.sets.images import ImageDataset
from lsgan.data.sources.source import Item
from lsgan.streams import stream

MOST_IMAGES = 10_000_000
_SIDE = 28  # pixels of a drawing
_FONT_SIZE = 24


@dataclass(frozen=True, kw_only=True)
class SyntheticDigits(ImageDataset):
    """White digits of one font on black, 28×28, shifted sideways and turned at random (Mao et al., TPAMI 2019,
    "datasets with small variability"; arXiv 1712.06391). Their font and ranges are not known: these are ours.

    The same images every time, whatever the seed of the training. Label k is the digit k.

    Args:
        num_images: how many.
        max_shift: largest shift to the left or right, in pixels; every whole number up to it is equally likely.
        max_degrees: largest angle of the turn to either side.

    Raises:
        ValueError: num_images < 1 or > MOST_IMAGES, or a range below 0.
    """

    num_images: int
    max_shift: int
    max_degrees: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_images < 1:
            raise ValueError(f"num_images={self.num_images} must be at least 1")
        if self.num_images > MOST_IMAGES:
            raise ValueError(
                f"num_images={self.num_images} must be at most {MOST_IMAGES}: their angles fill the memory"
            )
        if not (self.max_shift >= 0 and self.max_degrees >= 0):
            raise ValueError(f"max_shift={self.max_shift} and max_degrees={self.max_degrees:g} must not be negative")

    @property
    def num_classes(self) -> int:
        """Ten."""
        return 10

    def source_id(self, data_dir: Path) -> str:
        return f"{self.num_images} printed digits, shifts to {self.max_shift}, turns to {self.max_degrees:g} degrees"

    def open_source(self, data_dir: Path, scratch: Path) -> nullcontext["_SyntheticDigitsSource"]:
        draw = stream(0, "synthetic digits")
        labels = torch.randint(10, (self.num_images,), generator=draw)
        shifts = torch.randint(-self.max_shift, self.max_shift + 1, (self.num_images,), generator=draw)
        degrees = (torch.rand(self.num_images, generator=draw) * 2 - 1) * self.max_degrees
        return nullcontext(_SyntheticDigitsSource(labels, shifts, degrees))


class _SyntheticDigitsSource:
    classes = tuple("0123456789")

    def __init__(self, labels: Tensor, shifts: Tensor, degrees: Tensor) -> None:
        self._labels, self._shifts, self._degrees = labels.tolist(), shifts.tolist(), degrees.tolist()
        self._digits = [_drawn(digit) for digit in self.classes]

    @property
    def num_items(self) -> int:
        return len(self._labels)

    def items(self) -> Iterator[Item]:
        for i, (label, shift, degrees) in enumerate(zip(self._labels, self._shifts, self._degrees, strict=True)):
            moved = partial(
                self._digits[label].rotate, degrees, resample=Image.Resampling.BICUBIC, translate=(shift, 0)
            )
            yield Item(f"digit {i}", moved, label)


def _drawn(digit: str) -> Image.Image:
    """The digit in the middle, in the font that comes with Pillow."""
    image = Image.new("L", (_SIDE, _SIDE))
    font = ImageFont.load_default(_FONT_SIZE)
    left, top, right, bottom = font.getbbox(digit)
    place = ((_SIDE - left - right) / 2, (_SIDE - top - bottom) / 2)
    ImageDraw.Draw(image).text(place, digit, fill=255, font=font)
    return image
