"""Image files in a zip."""

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lsgan.data.sources.image_files import ImageFiles, refuse_huge
from lsgan.errors import LsganError

# What reading a zip may raise: damaged, in a compression that Python does not have, or encrypted.
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError)


@contextmanager
def image_zip(path: Path) -> Iterator[ImageFiles]:
    """Every image in a zip file.

    Raises:
        LsganError: the file is not a sound zip.
    """
    with opened_zip(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist() if not info.is_dir()}

        def read(name: str) -> bytes:
            refuse_huge(sizes[name])
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
