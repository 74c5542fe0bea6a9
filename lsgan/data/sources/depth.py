"""Images of more than 8 bits a channel, brought to 8."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

_BITS_PER_SAMPLE = 258  # a tag of TIFF
# How Pillow is told to keep the upper byte of each colour, and what makes it keep the lower one.
_LOWER = {"RGB;16B": "RGB;16L", "RGB;16L": "RGB;16B", "RGBA;16B": "RGBA;16L", "RGBA;16L": "RGBA;16B"}


def has_16_bits(image: Image.Image) -> bool:
    """Whether an image that is not decoded yet has 16 bits and does not tell how many of them are used."""
    return (image.mode.startswith("I") and _told_bits(image) is None) or ";16" in _raw_mode(image)


def brightest(image: Image.Image) -> int:
    """The highest value in a decoded image that `has_16_bits`; of colours, which Pillow decodes to their upper 8 bits,
    the highest that it may be."""
    pixels = np.asarray(image)
    if image.mode.startswith("I"):
        return int(pixels.max())
    return int(pixels[..., : 1 if image.mode == "LA" else 3].max()) * 256 + 255


def lower_bytes(image: Image.Image) -> Image.Image | None:
    """Of an image in colours of 16 bits that is not decoded yet, an image of their lower 8 bits; None of others.

    Raises:
        ValueError: Pillow does not give them.
    """
    raw = _raw_mode(image)
    if image.mode.startswith("I") or ";16" not in raw:
        return None
    if raw not in _LOWER or not isinstance(image.fp, io.BytesIO):  # type: ignore[attr-defined]
        raise ValueError(
            "dataset.bits is for grey and RGB pixels, uncompressed or in a PNG: save the image with 8 bits"
        )
    lower = Image.open(io.BytesIO(image.fp.getvalue()), formats=[str(image.format)])  # type: ignore[attr-defined]
    lower.tile = [_with_raw_mode(tile, _LOWER[raw]) for tile in lower.tile]
    return lower


def to_8_bits(image: Image.Image, bits: int | None, lower: Image.Image | None = None) -> Image.Image:
    """A decoded image as one of 8 bits (PIL would clip grey levels of more).

    Args:
        image: any; one of 8 bits is given back as it is.
        bits: how many are used, of 16; None: all. What a TIFF says goes before.
        lower: the lower 8 bits, of colours.

    Raises:
        ValueError: a value outside, or pixels whose range is not known.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_scaled(np.asarray(image), _told_bits(image) or bits))
    if bits is None or lower is None:
        return image
    upper = np.asarray(image)
    levels = _scaled(upper[..., :3].astype(np.uint16) << 8 | np.asarray(lower)[..., :3], bits)
    return Image.fromarray(np.concatenate([levels, upper[..., 3:]], axis=-1))  # transparency uses all bits


def _scaled(pixels: npt.NDArray[Any], bits: int | None) -> npt.NDArray[np.uint8]:
    white = 2 ** (bits or 16) - 1
    if pixels.dtype.kind == "f" or (bits is None and pixels.max() > white):
        raise ValueError("32-bit pixels have no range that is known: save the image with 8 or 16 bits")
    if bits is None and pixels.min() < 0:
        raise ValueError(
            f"pixels below 0 (to {pixels.min()}) have no range that is known: save the image without a sign"
        )
    if pixels.min() < 0 or pixels.max() > white:
        raise ValueError(
            f"pixels from {pixels.min()} to {pixels.max()} do not fit in dataset.bits={bits} (0 to {white})"
        )
    levels = (np.arange(white + 1, dtype=np.uint32) * 255 + white // 2) // white
    return levels.astype(np.uint8)[pixels]


def _told_bits(image: Image.Image) -> int | None:
    """Less than 16, as a TIFF may say; Pillow leaves such values as they are."""
    told: int = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))[0]
    return told if told < 16 else None


def _raw_mode(image: Image.Image) -> str:
    """In which form Pillow will read the pixels; "" once it has."""
    args = next((tile[3] for tile in getattr(image, "tile", ())), "")
    return str(args[0] if isinstance(args, tuple) and args else args)


def _with_raw_mode(tile: Any, raw: str) -> Any:
    return type(tile)(*tile[:3], (raw, *tile[3][1:]) if isinstance(tile[3], tuple) else raw)
