"""Image files in a zip."""

import lzma
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lsgan.data.sources.image_files import ImageFiles, Read, refuse_huge
from lsgan.data.sources.splits import ALL
from lsgan.errors import LsganError

# What reading a zip may raise: damaged, in a compression that Python does not have, or encrypted.
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError)
_END = b"PK\5\6"  # of the directory, followed by the number of this part of a split archive
_END_BYTES = 22 + 0xFFFF  # with the longest comment


@contextmanager
def image_zip(path: Path, split: Sequence[str] | None = ALL) -> Iterator[ImageFiles]:
    """Every image in a zip file; a member that cannot be read is one image that cannot be read.

    Raises:
        LsganError: as `ImageFiles`, or the file is not a zip that can be read here.
    """
    with opened_zip(path) as archive:
        yield ImageFiles(path, zip_names(archive), zip_reader(archive), split)


def zip_names(archive: zipfile.ZipFile) -> list[str]:
    """Of its files."""
    return list(dict.fromkeys(info.filename for info in archive.infolist() if not info.is_dir()))


def zip_reader(archive: zipfile.ZipFile) -> Read:
    """Reads the files of a zip."""

    def read(name: str, size: int = -1) -> bytes:
        if size < 0:
            refuse_huge(archive.getinfo(name).file_size)
        try:
            with archive.open(name) as member:
                return member.read(size)  # checks the CRC, at the end
        except BROKEN_ZIP as error:
            raise ValueError("the zip {}: {}".format(*zip_fault(error))) from error

    return read


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip file; an error of its format inside the block is one sentence too.

    Raises:
        LsganError: the file is not a zip that can be read here.
    """
    if _is_part(path):
        raise LsganError(
            f"{path} is one part of a split zip: join the parts (zip -s 0 {path.name} --out whole.zip), or unpack them "
            "with 7z and name the folder"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except BROKEN_ZIP as error:
        fault, advice = zip_fault(error)
        raise LsganError(f"{path} {fault}: {advice}") from error


def zip_fault(error: BaseException) -> tuple[str, str]:
    """What is wrong with a zip, and what helps: to get it again helps one alone that is damaged."""
    if isinstance(error, NotImplementedError):
        return (
            f"is packed in a way that Python cannot read ({error})",
            "unpack it with 7z or unzip, and name the folder",
        )
    if isinstance(error, RuntimeError) and "encrypted" in str(error):
        return f"is encrypted ({error})", "unpack it with its password, and name the folder"
    return f"is not a sound zip file ({error})", "get it again"


def _is_part(path: Path) -> bool:
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - _END_BYTES, 0))
        _, found, end = file.read().rpartition(_END)
    return bool(found) and int.from_bytes(end[:2], "little") not in (0, 0xFFFF)
