"""The packed store: every image of a data set decoded once into uint8 [N, H, W, C] on disk.

    <data_dir>/packed/<name>-<recipe hash>/images.bin   the bytes, image after image
                                           store.json   shape, recipe, what was skipped, SHA-256

Decoding and resizing never happen in the training loop, and several runs share the page cache.
A store is written beside its final place and renamed when it is whole.
"""

import hashlib
import json
import logging
import os
import secrets
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn

from lsgan.errors import LsganError

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
_CHUNK = 64  # images that one task decodes: large enough to hide its overhead, small in memory
_SKIPPED_NAMED = 10  # skipped images that the warning names; store.json names all

ImageArray = npt.NDArray[np.uint8]


class Source(Protocol):
    """Images to pack. `image` is called from several threads at once."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """How to call image `index` in a message."""
        ...

    def image(self, index: int) -> Image.Image:
        """Image `index`; raises whatever the decoder raises when it cannot be read."""
        ...


class Recipe(NamedTuple):
    """All that decides a store's bytes, besides the images themselves."""

    source: str  # says which images these are
    resolution: int
    channels: int
    crop: bool

    def digest(self) -> str:
        content = json.dumps([FORMAT_VERSION, *self])
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def open_store(folder: Path) -> ImageArray:
    """The images of a packed store, uint8 [N, H, W, C], memory-mapped read-only.

    Raises:
        LsganError: the store does not have the size that its store.json states.
    """
    shape = tuple(json.loads((folder / "store.json").read_text())["shape"])
    path = folder / "images.bin"
    if path.stat().st_size != np.prod(shape):
        raise LsganError(f"{path} has {path.stat().st_size} bytes, not {np.prod(shape)}: delete {folder} to pack again")
    return np.memmap(path, np.uint8, mode="r", shape=shape)


def pack(source: Source, recipe: Recipe, folder: Path) -> None:
    """Decodes, resizes and writes every image of `source` into a new store at `folder`, on all cores.

    Unreadable images are skipped, counted and named; the order of the others is kept.

    Raises:
        LsganError: there is no image, none that can be read, or the disk does not take them.
    """
    if len(source) == 0:
        raise LsganError(f"{recipe.source} holds no images")
    part = folder.with_name(f".{folder.name}.part-{secrets.token_hex(4)}")
    try:
        part.mkdir(parents=True)
        _write_store(source, recipe, part)
        try:
            part.rename(folder)
        except OSError:
            if not folder.exists():  # otherwise another process was first, with the same bytes
                raise
    except OSError as error:
        raise LsganError(f"cannot pack into {folder.parent}: {error.strerror}; free it or set data_dir") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_store(source: Source, recipe: Recipe, folder: Path) -> None:
    count, skipped, sha256 = 0, [], hashlib.sha256()
    with _progress() as progress, open(folder / "images.bin", "wb") as file:
        task = progress.add_task("packing images", total=len(source))
        for images, unreadable in _in_order(lambda chunk: _decode(source, chunk, recipe), len(source)):
            file.write(images.data)
            sha256.update(images.data)
            count += len(images)
            skipped += unreadable
            progress.advance(task, len(images) + len(unreadable))
    if skipped:
        log.warning("%s", _skipped_message(skipped, len(source)))
    if count == 0:
        raise LsganError(f"none of the {len(source)} images of {recipe.source} can be read; the first: {skipped[0]}")
    meta = {
        "format_version": FORMAT_VERSION,
        "shape": [count, recipe.resolution, recipe.resolution, recipe.channels],
        "recipe": recipe._asdict(),
        "skipped": skipped,
        "sha256": sha256.hexdigest(),
    }
    (folder / "store.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False))


def _in_order(
    decode: Callable[[range], tuple[ImageArray, list[str]]], num_images: int
) -> Iterator[tuple[ImageArray, list[str]]]:
    """`decode` of consecutive chunks, run by threads (PIL works outside the GIL), in order, few ahead."""
    num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pending: deque[Future[tuple[ImageArray, list[str]]]] = deque()
    with ThreadPoolExecutor(num_threads) as pool:
        for start in range(0, num_images, _CHUNK):
            pending.append(pool.submit(decode, range(start, min(start + _CHUNK, num_images))))
            if len(pending) > 2 * num_threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _decode(source: Source, chunk: range, recipe: Recipe) -> tuple[ImageArray, list[str]]:
    images, skipped = [], []
    for index in chunk:
        try:
            images.append(fit(source.image(index), recipe))
        except Exception as error:  # a decoder may raise anything on a broken file
            skipped.append(f"{source.name(index)}: {error}")
    shape = (len(images), recipe.resolution, recipe.resolution, recipe.channels)
    return np.array(images, np.uint8).reshape(shape), skipped


def fit(image: Image.Image, recipe: Recipe) -> ImageArray:
    """One image as the recipe wants it: uint8 [H, W, C], bicubic, antialiased when it shrinks."""
    image = ImageOps.exif_transpose(image).convert("L" if recipe.channels == 1 else "RGB")
    size = (recipe.resolution, recipe.resolution)
    if recipe.crop:
        image = ImageOps.fit(image, size, Image.Resampling.BICUBIC)
    elif image.size != size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(image).reshape(*size, recipe.channels)


def _skipped_message(skipped: list[str], num_images: int) -> str:
    named = "\n  ".join(skipped[:_SKIPPED_NAMED])
    more = len(skipped) - _SKIPPED_NAMED
    rest = f"\n  … and {more} more, all named in store.json" if more > 0 else ""
    return f"skipped {len(skipped)} of {num_images} images that cannot be read:\n  {named}{rest}"


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _ImagesPerSecond(),
        TimeRemainingColumn(),
    )


class _ImagesPerSecond(ProgressColumn):
    def render(self, task: Task) -> str:
        return f"{task.finished_speed or task.speed or 0:,.0f} images/s"
