"""Pictures one after the other: an animated GIF by Pillow, or an MP4 by FFmpeg, which comes with the extra `film`."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lsgan.errors import LsganError

LAST_SECONDS = 2.0  # that the last frame of a training stays, so that it can be looked at


def check(kind: str, frames_per_second: float) -> None:
    """Raises LsganError where no film of this kind and pace can be made here."""
    if kind not in _WRITERS:
        raise LsganError(f"film={kind} must be one of {', '.join(_WRITERS)}")
    if not 1 <= frames_per_second <= 50:  # a GIF counts in hundredths of a second, and browsers show 50 at most
        raise LsganError(f"fps={frames_per_second:g} must be from 1 to 50")
    if kind == "mp4":
        _ffmpeg()


def write(path: Path, frames: Sequence[Image.Image], frames_per_second: float, last_seconds: float = 0.0) -> None:
    """A film that begins again when it has ended, where the viewer lets it; its kind is the suffix of `path`.

    Args:
        path: of the file, .gif or .mp4.
        frames: at least one; smaller ones are shown in the upper left of the largest's size, on black.
        frames_per_second: how fast.
        last_seconds: that the last one stays, at least.

    Raises:
        LsganError: FFmpeg is not there, or does not take them.
        OSError: the disk does not.
    """
    width, height = (max(sizes) for sizes in zip(*(frame.size for frame in frames), strict=True))
    size = (width + width % 2, height + height % 2)  # H.264 halves the resolution of colours
    seconds = [1 / frames_per_second] * len(frames)
    seconds[-1] = max(seconds[-1], last_seconds)
    _WRITERS[path.suffix.removeprefix(".")](path, (_fitted(frame, size) for frame in frames), seconds)


def captioned(picture: Image.Image, text: str) -> Image.Image:
    """The picture below a line of text: nothing of it is covered."""
    height = 18
    framed = Image.new("RGB", (picture.width, picture.height + height))
    framed.paste(picture, (0, height))
    ImageDraw.Draw(framed).text((4, 2), text, fill="white", font=ImageFont.load_default(12))
    return framed


def _fitted(frame: Image.Image, size: tuple[int, int]) -> Image.Image:
    """On black, in the size of the film. Grey ones stay grey: a GIF has 256 colours, which are all greys."""
    pixels = np.asarray(frame.convert("RGB"))
    is_grey = bool((pixels == pixels[..., :1]).all())
    fitted = Image.new("L" if is_grey else "RGB", size)
    fitted.paste(frame.convert(fitted.mode))
    return fitted


def _write_gif(path: Path, frames: Iterator[Image.Image], seconds: list[float]) -> None:
    """`seconds`, here and below: that each frame stays; the first one's say the pace."""
    milliseconds = [round(1000 * duration) for duration in seconds]
    next(frames).save(path, "GIF", save_all=True, append_images=frames, duration=milliseconds, loop=0)


def _write_mp4(path: Path, frames: Iterator[Image.Image], seconds: list[float]) -> None:
    frames_per_second = 1 / seconds[0] if len(seconds) > 1 else 1.0
    first = next(frames)
    writer = _ffmpeg().write_frames(
        str(path), first.size, fps=frames_per_second, codec="libx264", quality=8, macro_block_size=2
    )
    try:
        writer.send(None)
        for frame, duration in zip(chain([first], frames), seconds, strict=True):
            for _ in range(max(1, round(duration * frames_per_second))):
                writer.send(frame.convert("RGB").tobytes())
    except OSError as error:  # it tells all its output
        raise LsganError(f"film=mp4: FFmpeg does not take the frames ({_last_line(error)}): take film=gif") from error
    finally:
        writer.close()
    if not path.is_file() or path.stat().st_size == 0:
        raise LsganError("film=mp4: FFmpeg has written nothing: take film=gif")


def _ffmpeg() -> Any:
    """imageio_ffmpeg, which brings FFmpeg along on most machines."""
    try:
        import imageio_ffmpeg
    except ImportError:
        raise LsganError(
            'film=mp4 needs FFmpeg: python -m pip install "lsgan[film]" brings it, and film=gif needs nothing'
        ) from None
    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        raise LsganError(
            "film=mp4: imageio-ffmpeg has no FFmpeg for this machine: install one, or take film=gif"
        ) from None
    return imageio_ffmpeg


def _last_line(error: OSError) -> str:
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)


_WRITERS = {"gif": _write_gif, "mp4": _write_mp4}
