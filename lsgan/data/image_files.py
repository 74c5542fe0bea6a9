"""Image files in a folder tree, a zip or a tar: read one by one, never unpacked, the same order in all three."""

import bz2
import gzip
import lzma
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from PIL import Image
from rich.progress import wrap_file

from lsgan.data.decode import MAX_BYTES, open_image
from lsgan.data.labels import LABEL_FILES, Labels, class_folders, common_folder, read_labels
from lsgan.data.source import Item
from lsgan.errors import LsganError

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".avif"}
)

_OPENERS: dict[bytes, Callable[..., Any]] = {  # by the first bytes of the file
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}

# What reading a zip may raise: damaged, in a compression that Python does not have, or encrypted.
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError)

Read = Callable[[str], bytes]  # the content of a file by its name; called from several threads at once


class ImageFiles:
    """A source (data/source.py) of the images among the files of one place.

    Args:
        where: the place, for messages.
        names: of all its files, "/" between folders.
        read: their content.

    Raises:
        LsganError: none of the files is named like an image, or a list of labels cannot be read.
    """

    def __init__(self, where: Path, names: Sequence[str], read: Read) -> None:
        self._read = read
        self._names = sorted(filter(is_image, names))
        if not self._names:
            raise LsganError(f"no images in {where} (looked for {', '.join(sorted(SUFFIXES))})")
        self._labels = _labels(where, self._names, names, read)

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
def image_folder(root: Path) -> Iterator[ImageFiles]:
    """Every image below `root`; symbolic links are followed, each folder is entered once."""
    yield ImageFiles(root, list(walk(root)), partial(_read_file, root))


@contextmanager
def image_zip(path: Path) -> Iterator[ImageFiles]:
    """Every image in a zip file.

    Raises:
        LsganError: the file is not a sound zip.
    """
    with opened_zip(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist() if not info.is_dir()}

        def read(name: str) -> bytes:
            _refuse_huge(sizes[name])
            return archive.read(name)  # checks the CRC

        yield ImageFiles(path, list(sizes), read)


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip file; an error of its format inside the block is one sentence too.

    Raises:
        LsganError: the file is not a sound zip.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except BROKEN_ZIP as error:
        raise LsganError(f"{path} is not a sound zip file ({error}): get it again") from error


@contextmanager
def image_tar(path: Path, scratch: Path) -> Iterator[ImageFiles]:
    """Every image in a tar; a compressed one is first unpacked into a temporary file in `scratch`, to be read anywhere.

    Raises:
        LsganError: the file is not a sound tar.
    """
    try:
        with _plain_tar(path, scratch) as plain, tarfile.open(fileobj=plain, mode="r:") as tar:
            places, descriptor = _places(tar), plain.fileno()

            def read(name: str) -> bytes:
                offset, size = places[name]
                _refuse_huge(size)
                content = os.pread(descriptor, size, offset)
                if len(content) < size:
                    raise ValueError(f"the archive ends after {len(content):,} of its {size:,} bytes")
                return content

            yield ImageFiles(path, list(places), read)
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, not the decompressor's
        raise LsganError(f"{path} is not a sound tar file ({error}): get it again") from error


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


def is_image(name: str) -> bool:
    """Whether a file is named like an image, and neither it nor a folder above is hidden."""
    path = PurePosixPath(name)
    hidden = any(part == "__MACOSX" or (part.startswith(".") and part.strip(".")) for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not hidden


def _is_file(path: str) -> bool:
    """A file, or a link that leads nowhere: reading it will fail, and say so."""
    return os.path.isfile(path) or (os.path.islink(path) and not os.path.exists(path))  # noqa: PTH110, PTH113, PTH114


def _raise(error: OSError) -> None:
    raise error


def _labels(where: Path, images: Sequence[str], files: Sequence[str], read: Read) -> Labels | None:
    """By a list beside the images, else by their folders."""
    present, common = set(files), common_folder(images)
    listed = [f"{folder}{name}" for folder in {"", common} for name in LABEL_FILES if f"{folder}{name}" in present]
    if len(listed) > 1:
        raise LsganError(f"{where} holds {' and '.join(sorted(listed))}: keep one of them")
    if not listed:
        return class_folders(images)
    beside = len(listed[0].rpartition("/")[0])
    return read_labels(f"{where}/{listed[0]}", read(listed[0]), [name[beside:].lstrip("/") for name in images])


def _read_file(root: Path, name: str) -> bytes:
    with open(root / name, "rb") as file:
        _refuse_huge(os.fstat(file.fileno()).st_size)
        return file.read()


def _refuse_huge(size: int) -> None:
    if size > MAX_BYTES:
        raise ValueError(f"{size:,} bytes are more than {MAX_BYTES:,}: refused as too large")


@contextmanager
def _plain_tar(path: Path, scratch: Path) -> Iterator[BinaryIO]:
    with open(path, "rb") as file:
        start = file.read(6)
        file.seek(0)
        opened = next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), None)
        if opened is None:
            yield file
            return
        with tempfile.TemporaryFile(dir=scratch) as plain:
            with (
                wrap_file(file, path.stat().st_size, description=f"unpacking {path.name}") as packed,
                opened(packed) as content,
            ):
                shutil.copyfileobj(content, plain, 1 << 20)
            plain.seek(0)
            yield plain


def _places(tar: tarfile.TarFile) -> dict[str, tuple[int, int]]:
    """(offset, size) of every regular file by name."""
    places = {}
    while (info := tar.next()) is not None:
        name = str(PurePosixPath(info.name))
        if info.isreg():
            places[name] = (info.offset_data, info.size)
        elif info.islnk() and (target := str(PurePosixPath(info.linkname))) in places:
            places[name] = places[target]  # a hard link: the same bytes
        tar.members.clear()  # type: ignore[attr-defined]  # it would keep a kilobyte a file
    return places
