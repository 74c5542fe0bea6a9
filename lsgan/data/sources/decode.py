"""One image as the networks will see it: whatever PIL opens -> uint8 [H, W, C], the same on every machine."""

import io
import threading
from contextlib import nullcontext, suppress
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError, features

from lsgan.data.sources.depth import lower_bytes, to_8_bits
from lsgan.data.sources.jpeg import without_odd_segments
from lsgan.data.sources.png import PNG_SIGNATURE, without_odd_chunks
from lsgan.data.sources.seems import what_it_seems

MAX_PIXELS = 2**26  # 8192 × 8192: what one thread can hold decoded, converted and turned within a few 100 MB
MAX_BYTES = 2**29  # of one encoded image
START = 512  # bytes that tell what a file is
_LARGE = 2**23  # pixels; larger images are decoded one at a time, whatever the number of threads
_one_large_at_a_time = threading.Lock()


def _formats() -> tuple[str, ...]:
    """What is read, by Pillow's names. Not all that Pillow opens: for some formats it runs other programs."""
    Image.init()
    with suppress(ImportError):  # the extra `heif`
        from pillow_heif import register_heif_opener

        register_heif_opener()
    known = {"JPEG", "MPO", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "QOI", "HEIF"}
    known |= {name for name, codec in {"AVIF": "avif", "JPEG2000": "jpg_2000"}.items() if features.check(codec)}
    return tuple(sorted(known & Image.OPEN.keys()))


FORMATS = _formats()


class Fit(NamedTuple):
    """How images become squares of one size; part of a store's recipe.

    Args:
        resolution: pixels a side.
        channels: 1 (grey) or 3 (RGB).
        crop: cut the largest central square first; otherwise the whole image is squeezed into one.
        bits: how many of 16 bits are used, where a file does not tell; None: all.
    """

    resolution: int
    channels: int
    crop: bool
    bits: int | None = None


def open_image(encoded: bytes) -> Image.Image:
    """The image (the first frame of several), not decoded yet.

    Raises:
        ValueError: the bytes are no image that PIL knows.
    """
    if not encoded:
        raise ValueError("the file is empty")
    if encoded.startswith(PNG_SIGNATURE):
        encoded = without_odd_chunks(encoded)
    with suppress(UnidentifiedImageError):
        return Image.open(io.BytesIO(encoded), formats=FORMATS)
    if _format(encoded[:START]) == "JPEG":
        with suppress(UnidentifiedImageError):
            return Image.open(io.BytesIO(without_odd_segments(encoded)), formats=("JPEG",))
    raise ValueError(_what_is_wrong(encoded[:START]))


def is_image_content(start: bytes) -> bool:
    """Whether a file that starts so (with `START` bytes) is an image in a format that is read."""
    return _format(start) is not None


def _format(start: bytes) -> str | None:
    if len(start) < 16 or (start.startswith(b"P") and not start[2:3].isspace()):  # a text that begins like a PPM
        return None
    accepts = ((name, Image.OPEN[name][1]) for name in FORMATS)
    return next((name for name, accept in accepts if accept and accept(start[:16]) is True), None)


def _what_is_wrong(start: bytes) -> str:
    if name := _format(start):
        return f"a damaged {name} file"
    return what_it_seems(start) or "not an image in a format that is known"


def fit(image: Image.Image, how: Fit) -> npt.NDArray[np.uint8]:
    """The image, upright and of `how`'s size: uint8 [H, W, C]. Bilinear, antialiased when it shrinks, as
    torchvision's Resize is by default.

    A JPEG much larger than needed is decoded at 1/2, 1/4 or 1/8 of its size (in the DCT domain), but at no less
    than twice the resolution wanted. On photographs of 256 pixels that costs 0.7 (at 64) to 0.9 grey levels (at 32)
    on average, 44 to 47 dB; at once the resolution wanted it would cost 1.5 to 2.8.

    Raises:
        ValueError: too many pixels, a kind of pixel whose range is not known, or one outside of it; PIL raises others.
    """
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{image.width}×{image.height} pixels are more than {MAX_PIXELS:,}: refused as too large")
    with _one_large_at_a_time if image.width * image.height > _LARGE else nullcontext():
        return _fit(image, how)


def _fit(image: Image.Image, how: Fit) -> npt.NDArray[np.uint8]:
    image.draft(None, (2 * how.resolution, 2 * how.resolution))  # does nothing but for JPEG
    lower = None if how.bits is None else lower_bytes(image)
    image = to_8_bits(_upright(image), how.bits, None if lower is None else _upright(lower))
    image = _in_mode("L" if how.channels == 1 else "RGB", image)
    size = (how.resolution, how.resolution)
    if how.crop and image.width != image.height:
        side = min(image.size)
        left, top = ((length - side) // 2 for length in image.size)
        image = image.crop((left, top, left + side, top + side))
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(*size, how.channels)


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    with suppress(Exception):  # of EXIF data that are damaged: the pixels are not
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _in_mode(mode: str, image: Image.Image) -> Image.Image:
    """Grey or RGB; transparent images lie on white."""
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        opaque = Image.new("RGB", image.size, "white")
        opaque.paste(image, mask=image)
        image = opaque
    return image if image.mode == mode else image.convert(mode)
