"""CASIA's .gnt files of handwritten characters (Liu et al., ICDAR 2011: "CASIA online and offline Chinese
handwriting databases").

A file is a sequence of samples, all numbers little-endian: size of the sample in bytes (uint32), the character's
GB2312 code (2 bytes), width and height (uint16 each), then width · height grey levels, 255 the paper.
"""

import math
import mmap
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from PIL import Image

from lsgan.data.sources.image_files import walk
from lsgan.data.sources.source import Item
from lsgan.data.sources.zip_images import opened_zip
from lsgan.errors import LsganError

_HEADER = struct.Struct("<I2sHH")
_SUFFIX = ".gnt"

Content = bytes | mmap.mmap


class GntImages:
    """A source (source.py) of the characters of GB2312's first level, the 3,755 most frequent ones.

    Labels number the characters that occur, in the order of their codes. Other signs (digits, letters, rare
    characters) are left out.

    Args:
        where: a folder or a zip of .gnt files.
        archive: the zip, opened; None for a folder.

    Raises:
        LsganError: there is no .gnt file, or one is damaged.
    """

    def __init__(self, where: Path, archive: zipfile.ZipFile | None) -> None:
        self._where, self._archive = where, archive
        names = archive.namelist() if archive else walk(where)
        self._names = sorted(name for name in names if name.lower().endswith(_SUFFIX))
        if not self._names:
            raise LsganError(f"{where} holds no {_SUFFIX} files")
        codes = Counter(code for _, _, code, *_ in self._samples())
        self.num_items = codes.total()
        self._labels = {code: label for label, code in enumerate(sorted(codes))}
        self.classes = [code.decode("gb2312") for code in self._labels]

    def items(self) -> Iterator[Item]:
        for name, content, code, size, start in self._samples():
            pixels = content[start : start + math.prod(size)]
            yield Item(name, partial(Image.frombytes, "L", size, pixels), self._labels[code])

    def _samples(self) -> Iterator[tuple[str, Content, bytes, tuple[int, int], int]]:
        """(name, content of its file, code, size, where the pixels start) of every sample that counts."""
        for name in self._names:
            with self._opened(name) as content:
                for number, (code, size, start) in enumerate(_walk_samples(self._where / name, content)):
                    if _is_first_level(code):
                        yield f"{name} sample {number}", content, code, size, start

    @contextmanager
    def _opened(self, name: str) -> Iterator[Content]:
        if self._archive is not None:
            yield self._archive.read(name)
            return
        with open(self._where / name, "rb") as file:
            if file.seek(0, 2) == 0:
                raise LsganError(f"{self._where / name} is empty: get it again")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                yield content


@contextmanager
def gnt_images(path: Path) -> Iterator[GntImages]:
    """The characters in a folder or zip of .gnt files; raises as `GntImages`."""
    if path.is_dir():
        yield GntImages(path, None)
        return
    with opened_zip(path) as archive:
        yield GntImages(path, archive)


def _walk_samples(path: Path, content: Content) -> Iterator[tuple[bytes, tuple[int, int], int]]:
    """(code, size, where the pixels start) of each sample."""
    place = 0
    while place < len(content):
        if place + _HEADER.size > len(content):
            raise LsganError(f"{path} is cut short in the header of a sample at byte {place:,}: get it again")
        size, code, width, height = _HEADER.unpack_from(content, place)
        if size != _HEADER.size + width * height or width * height == 0:
            raise LsganError(
                f"{path} is damaged at byte {place:,}: a sample of {width}×{height} pixels cannot take {size:,} bytes"
            )
        if place + size > len(content):
            raise LsganError(f"{path} is cut short in a sample at byte {place:,}: get it again")
        yield code, (width, height), place + _HEADER.size
        place += size


def _is_first_level(code: bytes) -> bool:
    """Rows 16 to 55 of GB2312; the last one has five empty places."""
    row, column = code
    return 0xB0 <= row <= 0xD7 and 0xA1 <= column <= (0xF9 if row == 0xD7 else 0xFE)
