"""Packing: from a source of encoded images to a store, in one pass.

A store grows under a hidden name beside its place, is resumed there if it was interrupted, and gets its
name when it is whole. A lock that dies with its holder keeps a second process waiting meanwhile.
"""

import hashlib
import json
import logging
import math
import os
import shutil
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn

from lsgan.data.sources.decode import Fit, fit
from lsgan.data.sources.depth import brightest, has_16_bits
from lsgan.data.sources.kinds import told
from lsgan.data.sources.room import NoRoomError, require_room
from lsgan.data.sources.source import Item, Reading, Source
from lsgan.data.store import ImageArray, Recipe, reading_note
from lsgan.errors import LsganError
from lsgan.files import lock, read_small, refusal, remedy, sync, write_atomically

log = logging.getLogger(__name__)

_CHUNK = 16  # images that one task decodes: enough to hide its overhead, small in memory
_SAVE_SECONDS = 5.0  # between two notes of how far the packing is
_SKIPPED_NAMED = 10  # skipped images that the warning names; skipped.txt names all
_PREVIEW = 8  # rows and columns of the picture

OpenSource = Callable[[Path], AbstractContextManager[Source]]  # given a folder for what must be unpacked


def pack(open_source: OpenSource, recipe: Recipe, folder: Path) -> None:
    """Decodes, resizes and writes every image of a source into a new store at `folder`, on all cores.

    What cannot be read is skipped, and files of other kinds are left out; both are counted and named. The order of
    the others is kept. An interrupted packing
    goes on where it was; a process that comes second waits and finds the store there.

    Raises:
        LsganError: there is no image, none that can be read, or the disk does not take them.
    """
    part = folder.with_name(f".{folder.name}.part")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with lock(part.with_suffix(".lock"), f"packing {folder.name}"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PIL's, on odd files: what matters is whether they can be read
            if not folder.exists():
                _fill(part, open_source, recipe)
                part.rename(folder)
                sync(folder.parent)
    except OSError as error:
        raise LsganError(
            f"cannot pack into {folder.parent}: {refusal(error)}; {remedy(error)} and start again, or set data_dir "
            "(what is packed already is kept)"
        ) from error


def _fill(part: Path, open_source: OpenSource, recipe: Recipe) -> None:
    scratch = part / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        with open_source(scratch) as source:
            _write(part, source, recipe)
    except NoRoomError:
        raise  # what is packed already is kept
    except LsganError:
        shutil.rmtree(part)  # going on would end the same way
        raise
    shutil.rmtree(scratch)
    sync(part)


def _write(part: Path, source: Source, recipe: Recipe) -> None:
    how = recipe.fit
    with _Writer(part, how) as writer, _progress() as progress:
        items = source.items()
        writer.pass_over(islice(items, writer.num_items))
        if source.num_items is not None:
            missing = (source.num_items - writer.num_items) * writer.image_bytes
            require_room(part, missing, f"to pack {source.num_items:,} images")
        bar = progress.add_task("packing images", total=source.num_items, completed=writer.num_items)
        for decoded in _in_order(partial(_decode, how=how), items):
            writer.add(decoded)
            progress.advance(bar, len(decoded))
        writer.finish(recipe, source)


class _Decoded(NamedTuple):
    name: str
    label: int | None
    pixels: ImageArray | None  # None: it could not be read
    reason: str = ""
    brightest: int | None = None  # of pixels of 16 bits


class _Writer:
    """The growing files of a store, and the note from which a later process goes on."""

    def __init__(self, part: Path, how: Fit) -> None:
        self._part, self._shape = part, (how.resolution, how.resolution, how.channels)
        self.image_bytes = math.prod(self._shape)
        self._labels: list[int | None] = []
        self.num_items = 0
        self._skipped: list[tuple[int, str, str]] = []  # position, name, reason
        self._brightest: int | None = None  # of all pixels of 16 bits
        self._noted = time.monotonic()

    def __enter__(self) -> "_Writer":
        path, note = self._part / "images.bin", self._part / "progress.json"
        path.touch()
        noted = _noted(note)
        if 0 <= (noted.num_items - len(noted.skipped)) * self.image_bytes <= path.stat().st_size:
            self.num_items, self._skipped, self._brightest = noted
        self._file = open(path, "r+b")
        self._sha256, self._num_images = hashlib.sha256(), self.num_items - len(self._skipped)
        self._file.truncate(self._num_images * self.image_bytes)  # what came after the note is done again
        while block := self._file.read(1 << 22):
            self._sha256.update(block)
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def pass_over(self, items: Iterable[Item]) -> None:
        """The items that an earlier process wrote or skipped."""
        skipped = {i for i, _, _ in self._skipped}
        self._labels = [item.label for i, item in enumerate(items) if i not in skipped]

    def add(self, decoded: Sequence[_Decoded]) -> None:
        for name, label, pixels, reason, level in decoded:
            self._brightest = max((value for value in (self._brightest, level) if value is not None), default=None)
            if pixels is None:
                self._skipped.append((self.num_items, name, reason))
            else:
                self._file.write(pixels.data)
                self._sha256.update(pixels.data)
                self._labels.append(label)
                self._num_images += 1
            self.num_items += 1
        if time.monotonic() - self._noted > _SAVE_SECONDS:
            self._note()

    def _note(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())  # the images first: the note must never promise more than there is
        note = json.dumps({"num_items": self.num_items, "skipped": self._skipped, "brightest": self._brightest})
        write_atomically(self._part / "progress.json", note)
        self._noted = time.monotonic()

    def finish(self, recipe: Recipe, source: Source) -> None:
        """Writes all that describes the images, and takes the note away.

        Raises:
            LsganError: there are none.
        """
        if self._num_images == 0:
            raise LsganError(_nothing_message(recipe.source, self._skipped))
        if self._skipped:
            log.warning("%s", _skipped_message(self._skipped, self.num_items))
        left_out: Mapping[str, Sequence[str]] = getattr(source, "left_out", {})
        reading: Reading | None = getattr(source, "reading", None)
        classes = source.classes
        num_left_out = {kind: len(names) for kind, names in left_out.items()}
        if left_out:
            log.warning("left out: %s", told(num_left_out))
        if lines := _lines(self._skipped, left_out):
            write_atomically(self._part / "skipped.txt", lines)
        if recipe.fit.bits is None and self._brightest is not None and self._brightest < 2**15:
            log.warning("%s", _dark_message(self._brightest))
        if classes is not None:
            np.save(self._part / "labels.npy", np.array(self._labels, np.int64))
            for label in sorted(set(range(len(classes))) - set(self._labels)):
                log.warning("class %r has no image that can be read", classes[label])
        self._file.flush()
        os.fsync(self._file.fileno())
        shape = (self._num_images, *self._shape)
        _save_preview(np.memmap(self._file, np.uint8, mode="r", shape=shape), self._part / "preview.jpg")
        meta = {
            "shape": shape,
            "num_skipped": len(self._skipped),
            "left_out": num_left_out,
            "classes": None if classes is None else list(classes),
            **({} if reading is None else {"reading": reading_note(reading)}),
            "recipe": recipe.settings(),
            "resize": "bilinear, antialiased; JPEG decoded at no less than twice the resolution",
            "sha256": self._sha256.hexdigest(),
        }
        write_atomically(self._part / "store.json", json.dumps(meta, indent=1, ensure_ascii=False))
        (self._part / "progress.json").unlink(missing_ok=True)


class _Note(NamedTuple):
    num_items: int  # that an earlier process has dealt with
    skipped: list[tuple[int, str, str]]
    brightest: int | None


def _noted(path: Path) -> _Note:
    """The note of an earlier process; of nothing if there is none, or none that can be read."""
    try:
        note = json.loads(read_small(path) or "")
        skipped = [(int(i), str(name), str(reason)) for i, name, reason in note["skipped"]]
        brightest = note.get("brightest")
        return _Note(int(note["num_items"]), skipped, None if brightest is None else int(brightest))
    except (ValueError, KeyError, TypeError):
        return _Note(0, [], None)


def _in_order(decode: Callable[[Sequence[Item]], list[_Decoded]], items: Iterator[Item]) -> Iterator[list[_Decoded]]:
    """`decode` of consecutive chunks, run by threads (PIL works outside the GIL), in order, few ahead."""
    num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pending: deque[Future[list[_Decoded]]] = deque()
    with ThreadPoolExecutor(num_threads) as pool:
        try:
            while chunk := list(islice(items, _CHUNK)):
                pending.append(pool.submit(decode, chunk))
                if len(pending) > num_threads + 2:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _decode(chunk: Sequence[Item], how: Fit) -> list[_Decoded]:
    decoded = []
    for item in chunk:
        try:
            image = item.load()
            counts = how.bits is None and has_16_bits(image)
            pixels = fit(image, how)
            decoded.append(_Decoded(item.name, item.label, pixels, brightest=brightest(image) if counts else None))
        except Exception as error:  # a decoder may raise anything on a broken file
            reason = " ".join(str(error).split()) or type(error).__name__
            decoded.append(_Decoded(item.name, item.label, None, reason))
    return decoded


def _save_preview(images: ImageArray, path: Path) -> None:
    """A square of images spread evenly over the store."""
    num, side, _, channels = images.shape
    chosen = np.linspace(0, num - 1, min(num, _PREVIEW**2)).round().astype(int)
    cells = np.full((_PREVIEW**2, side, side, channels), 255, np.uint8)
    cells[: len(chosen)] = images[chosen]
    rows = cells.reshape(_PREVIEW, _PREVIEW, side, side, channels).swapaxes(1, 2)
    picture = rows.reshape(_PREVIEW * side, _PREVIEW * side, channels)
    Image.fromarray(picture.squeeze(-1) if channels == 1 else picture).save(path, quality=95)


def _nothing_message(source: str, skipped: Sequence[tuple[int, str, str]]) -> str:
    if not skipped:
        return f"{source} holds no images"
    _, name, reason = skipped[0]
    return f"none of the {len(skipped)} images of {source} can be read; the first: {name}: {reason}"


def _skipped_message(skipped: Sequence[tuple[int, str, str]], num_items: int) -> str:
    named = "".join(f"\n  {name}: {reason}" for _, name, reason in skipped[:_SKIPPED_NAMED])
    more = len(skipped) - _SKIPPED_NAMED
    rest = f"\n  … and {more} more, all named in skipped.txt" if more > 0 else ""
    return f"skipped {len(skipped)} of {num_items} images that cannot be read:{named}{rest}"


def _lines(skipped: Sequence[tuple[int, str, str]], left_out: Mapping[str, Sequence[str]]) -> str:
    """Of skipped.txt."""
    reasons = [(name, reason) for _, name, reason in skipped]
    for kind, names in left_out.items():
        reasons += [(name, f"left out ({kind or 'no suffix'}: not a kind of image that is read)") for name in names]
    return "".join(f"{name!r}: {why}\n" if "\n" in name else f"{name}: {why}\n" for name, why in reasons)


def _dark_message(level: int) -> str:
    bits = max(level.bit_length(), 1)
    return (
        f"the brightest of the 16-bit pixels is {level} of 65535, so these images come out dark: they seem to use "
        f"{bits} bits; dataset.bits={bits} makes the most of them"
    )


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
