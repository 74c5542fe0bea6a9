"""Image files among those of a folder, a zip or a tar: read one by one, never unpacked, the same order in all three."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol

from PIL import Image

from lsgan.data.sources.classes import Place, find_labels, of_splits
from lsgan.data.sources.decode import MAX_BYTES, START, open_image
from lsgan.data.sources.kinds import LOOKED_FOR, sort_out, told
from lsgan.data.sources.source import Item, Reading
from lsgan.data.sources.splits import ALL
from lsgan.errors import LsganError


class Read(Protocol):
    """The content of a file by its name, or its first `size` bytes; called from several threads at once.

    Raises ValueError, or what a disk raises, when it cannot be read.
    """

    def __call__(self, name: str, size: int = -1) -> bytes: ...


class ImageFiles:
    """A source (source.py) of the images among the files of one place.

    Args:
        where: the place, for messages.
        names: of all its files, "/" between folders (or "\\", as some programs write them into a zip).
        read: their content.
        split: as `splits.choose` takes it.

    Raises:
        LsganError: none of the files is an image, there is no such split, or a list of labels cannot be read.
    """

    def __init__(self, where: Path, names: Sequence[str], read: Read, split: Sequence[str] | None = ALL) -> None:
        spelt = {name.replace("\\", "/"): name for name in names}
        self._read = lambda name, size=-1: read(spelt[name], size)
        images, self.left_out = sort_out(spelt, partial(self._read, size=START))
        if not images:
            others = told({kind: len(those) for kind, those in self.left_out.items()})
            raise LsganError(f"no images in {where} (looked for {LOOKED_FOR}){'; it holds ' * bool(others)}{others}")
        place = Place(where, list(spelt), self._read)
        self._names, splits, of = of_splits(images, place, split)
        self._labels, taken = find_labels(self._names, images, place)
        self.reading = Reading(taken + of, splits)

    @property
    def num_items(self) -> int:
        return len(self._names)

    @property
    def classes(self) -> Sequence[str] | None:
        return self._labels.classes if self._labels else None

    def items(self) -> Iterator[Item]:
        if self._labels is None:
            yield from (Item(name, partial(self._image, name, unlabelled=False)) for name in self._names)
            return
        for name, label in zip(self._names, self._labels.of, strict=True):
            yield Item(name, partial(self._image, name, unlabelled=label is None), label)

    def _image(self, name: str, unlabelled: bool) -> Image.Image:
        if unlabelled:
            raise ValueError("the list of labels does not name it")
        return open_image(self._read(name))


@contextmanager
def image_folder(root: Path, split: Sequence[str] | None = ALL) -> Iterator[ImageFiles]:
    """Every image below `root`; symbolic links are followed, each folder is entered once. Raises as `ImageFiles`."""
    yield ImageFiles(root, list(walk(root)), partial(read_file, root), split)


def walk(root: Path) -> Iterator[str]:
    """The files below `root`, relative, "/" between folders; hidden ones left out, links that lead nowhere included.

    Raises:
        OSError: a folder cannot be listed.
    """
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_raise):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:  # a symbolic link back up, or to a folder entered before
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        above = PurePosixPath(Path(folder).relative_to(root))
        yield from (str(above / name) for name in sorted(files) if _is_file(os.path.join(folder, name)))  # noqa: PTH118 (many)


def _is_file(path: str) -> bool:
    """A file, or a link that leads nowhere: reading it will fail, and say so."""
    return os.path.isfile(path) or (os.path.islink(path) and not os.path.exists(path))  # noqa: PTH110, PTH113, PTH114


def _raise(error: OSError) -> None:
    raise error


def read_file(root: Path, name: str, size: int = -1) -> bytes:
    """`Read` for the files of a folder."""
    with open(root / name, "rb") as file:
        if size < 0:
            refuse_huge(os.fstat(file.fileno()).st_size)
        return file.read(size)


def refuse_huge(size: int) -> None:
    """Raises ValueError for a file of so many bytes that it can be no image."""
    if size > MAX_BYTES:
        raise ValueError(f"{size:,} bytes are more than {MAX_BYTES:,}: refused as too large")
