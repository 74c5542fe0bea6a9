"""Image files in a tar, compressed or not."""

import bz2
import gzip
import lzma
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from rich.progress import wrap_file

from lsgan.data.sources.image_files import ImageFiles, refuse_huge
from lsgan.data.sources.splits import ALL
from lsgan.errors import LsganError

_OPENERS: dict[bytes, Callable[..., Any]] = {  # by the first bytes of the file
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}


@contextmanager
def image_tar(path: Path, scratch: Path, split: Sequence[str] | None = ALL) -> Iterator[ImageFiles]:
    """Every image in a tar; a compressed one is first unpacked into a temporary file in `scratch`, to be read anywhere.

    Raises:
        LsganError: as `ImageFiles`, or the file is not a sound tar.
    """
    try:
        with _plain_tar(path, scratch) as plain, tarfile.open(fileobj=plain, mode="r:") as tar:
            places, descriptor = _places(tar), plain.fileno()

            def read(name: str, size: int = -1) -> bytes:
                offset, whole = places[name]
                if size < 0:
                    refuse_huge(whole)
                wanted = whole if size < 0 else min(size, whole)
                content = os.pread(descriptor, wanted, offset)
                if len(content) < wanted:
                    raise ValueError(f"the archive ends after {len(content):,} of its {whole:,} bytes")
                return content

            yield ImageFiles(path, list(places), read, split)
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, not the decompressor's
        raise LsganError(f"{path} is not a sound tar file ({error}): get it again") from error


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
