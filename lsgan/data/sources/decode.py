"""One image as the networks will see it: whatever PIL opens -> uint8 [H, W, C], the same on every machine."""

import io
import threading
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 2**26  # 8192 × 8192: what one thread can hold decoded, converted and turned within a few 100 MB
MAX_BYTES = 2**29  # of one encoded image
_LARGE = 2**23  # pixels; larger images are decoded one at a time, whatever the number of threads
_one_large_at_a_time = threading.Lock()

Image.init()
# Not all that Pillow opens: for some formats it runs other programs.
_FORMATS = tuple({"JPEG", "MPO", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF"} & Image.OPEN.keys())


class Fit(NamedTuple):
    """How images become squares of one size; part of a store's recipe.

    Args:
        resolution: pixels a side.
        channels: 1 (grey) or 3 (RGB).
        crop: cut the largest central square first; otherwise the whole image is squeezed into one.
    """

    resolution: int
    channels: int
    crop: bool


def open_image(encoded: bytes) -> Image.Image:
    """The image (the first frame of several), not decoded yet.

    Raises:
        ValueError: the bytes are no image that PIL knows.
    """
    if not encoded:
        raise ValueError("the file is empty")
    try:
        return Image.open(io.BytesIO(encoded), formats=_FORMATS)
    except UnidentifiedImageError:
        raise ValueError("not an image in a format that is known") from None


def fit(image: Image.Image, how: Fit) -> npt.NDArray[np.uint8]:
    """The image, upright and of `how`'s size: uint8 [H, W, C]. Bilinear, antialiased when it shrinks, as
    torchvision's Resize is by default.

    A JPEG much larger than needed is decoded at 1/2, 1/4 or 1/8 of its size (in the DCT domain), but at no less
    than twice the resolution wanted. On photographs of 256 pixels that costs 0.7 (at 64) to 0.9 grey levels (at 32)
    on average, 44 to 47 dB; at once the resolution wanted it would cost 1.5 to 2.8.

    Raises:
        ValueError: too many pixels, or a kind of pixel whose range is not known; PIL raises others.
    """
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{image.width}×{image.height} pixels are more than {MAX_PIXELS:,}: refused as too large")
    with _one_large_at_a_time if image.width * image.height > _LARGE else nullcontext():
        return _fit(image, how)


def _fit(image: Image.Image, how: Fit) -> npt.NDArray[np.uint8]:
    image.draft(None, (2 * how.resolution, 2 * how.resolution))  # does nothing but for JPEG
    ImageOps.exif_transpose(image, in_place=True)
    image = _in_mode("L" if how.channels == 1 else "RGB", image)
    size = (how.resolution, how.resolution)
    if how.crop and image.width != image.height:
        side = min(image.size)
        left, top = ((length - side) // 2 for length in image.size)
        image = image.crop((left, top, left + side, top + side))
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(*size, how.channels)


def _in_mode(mode: str, image: Image.Image) -> Image.Image:
    """Grey or RGB: 16 bits become 8 (PIL would clip them), transparent images lie on white."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _from_16_bits(image)
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        opaque = Image.new("RGB", image.size, "white")
        opaque.paste(image, mask=image)
        image = opaque
    return image if image.mode == mode else image.convert(mode)


def _from_16_bits(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image)
    if image.mode == "F" or pixels.min() < 0 or pixels.max() > 0xFFFF:
        raise ValueError("32-bit pixels have no range that is known: save the image with 8 or 16 bits")
    return Image.fromarray(((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8))
