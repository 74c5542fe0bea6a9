"""Whatever holds images, recognised by what it is: a folder, zip, tar, LMDB or parquet."""

import hashlib
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.progress import wrap_file

from lsgan.data.sources.decode import START, is_image_content
from lsgan.data.sources.image_files import Read, image_folder, read_file, walk
from lsgan.data.sources.kinds import is_image, num_since, sort_out
from lsgan.data.sources.lmdb_images import LmdbImages, image_lmdb
from lsgan.data.sources.room import require_room
from lsgan.data.sources.seems import what_it_seems
from lsgan.data.sources.source import FoundSource, Reading
from lsgan.data.sources.splits import ALL, choose
from lsgan.data.sources.tar_images import image_tar
from lsgan.data.sources.zip_images import image_zip, opened_zip, zip_names, zip_reader
from lsgan.errors import LsganError

_SAMPLED = 64  # places of a file that its fingerprint reads
_BLOCK = 4096  # bytes at each


def open_archive(path: Path, scratch: Path, split: Sequence[str] | None = ALL) -> AbstractContextManager[FoundSource]:
    """The images of a folder, zip, tar, LMDB folder (or a zip of one), or parquet file or folder.

    Args:
        path: it.
        scratch: an existing folder for what must be unpacked to be read, kept by the caller until a packing that
            was interrupted has gone on.
        split: as `splits.choose` takes it.

    Raises:
        LsganError: nothing is there, or something else; on entering, whatever is wrong with it.
    """
    if path.is_dir():
        if (path / "data.mdb").is_file():
            choose(path, [], split)
            return image_lmdb(path)
        if _holds_parquet(path):
            return _parquet(path, split)
        return image_folder(path, split)
    if not path.is_file():
        raise LsganError(f"{path} is not there")
    if path.suffix == ".parquet":
        return _parquet(path, split)
    if tarfile.is_tarfile(path):  # first: a tar may end with a zip, and then it looks like one too
        return image_tar(path, scratch, split)
    if zipfile.is_zipfile(path):
        if not _lmdb_member(path):
            return image_zip(path, split)
        choose(path, [], split)
        return _zipped_lmdb(path, scratch)
    raise LsganError(f"{path} is {_what_it_seems(path)}: a folder, zip, tar, LMDB folder or parquet is wanted")


class Look(NamedTuple):
    """What a place holds, none of its images opened."""

    classes: Sequence[str] | None
    num_items: int | None  # None: only reading tells
    reading: Reading


def look(path: Path, split: Sequence[str] | None = ALL) -> Look:
    """What `open_archive` would give. Raises as it does."""
    if path.is_file() and not tarfile.is_tarfile(path) and zipfile.is_zipfile(path) and _lmdb_member(path):
        choose(path, [], split)
        return Look(LmdbImages.classes, None, LmdbImages.reading)  # it would be unpacked to find out the same
    with tempfile.TemporaryDirectory() as scratch, open_archive(path, Path(scratch), split) as source:
        return Look(source.classes, source.num_items, source.reading)


def fingerprint(path: Path) -> str | None:
    """Changes when the images of a folder or archive do; None when nothing is there.

    Of a folder: every file's name, size and time of change. Of one large file: its size and blocks spread
    over it, so that a copy has the same one. Behind a "+" stands how many of the files are images that the first
    versions passed over (see kinds.py), for their stores lack these; of a tar, which is not listed for that, that
    it may be so.
    """
    digest, since = hashlib.sha256(), ""
    if (path / "data.mdb").is_file():
        path = path / "data.mdb"
    if path.is_dir():
        names = list(walk(path))
        for name in names:
            status = (path / name).stat() if (path / name).exists() else (path / name).lstat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
        since = _num_since(names, partial(read_file, path))
    elif path.is_file():
        size = path.stat().st_size
        digest.update(str(size).encode())
        with open(path, "rb") as file:
            for i in range(_SAMPLED):
                file.seek(max(size - _BLOCK, 0) * i // (_SAMPLED - 1))
                digest.update(file.read(_BLOCK))
        since = _num_since_in_file(path)
    else:
        return None
    return digest.hexdigest()[:16] + since


def _num_since(names: Sequence[str], read: Read) -> str:
    num = num_since(sort_out(names, partial(read, size=START)).images)
    return f"+{num}" if num else ""


def _num_since_in_file(path: Path) -> str:
    if path.suffix == ".parquet" or path.name == "data.mdb":
        return ""
    if tarfile.is_tarfile(path):
        return "+tar"
    try:
        with opened_zip(path) as archive:
            return _num_since(zip_names(archive), zip_reader(archive))
    except LsganError:  # no zip, or none that can be read: whoever opens it says so
        return ""


def _parquet(path: Path, split: Sequence[str] | None) -> AbstractContextManager[FoundSource]:
    from lsgan.data.sources.parquet_images import ParquetImages  # pyarrow: only those who have such files need it

    return nullcontext(ParquetImages(path, split))


def _holds_parquet(folder: Path) -> bool:
    """And no images, beside which a parquet file may lie as a list of them."""
    found = False
    for name in walk(folder):
        if is_image(name):
            return False
        found |= name.endswith(".parquet")
    return found


def _lmdb_member(path: Path) -> zipfile.ZipInfo | None:
    with opened_zip(path) as archive:
        return next((info for info in archive.infolist() if Path(info.filename).name == "data.mdb"), None)


@contextmanager
def _zipped_lmdb(path: Path, scratch: Path) -> Iterator[LmdbImages]:
    """LMDB maps its file, it cannot read inside a zip: the database is unpacked first, under a name of ours."""
    database = scratch / "data.mdb"
    if not database.exists():
        _unpack_lmdb(path, database)
    with image_lmdb(scratch, shown=path) as source:
        yield source


def _unpack_lmdb(path: Path, database: Path) -> None:
    member, unfinished = _lmdb_member(path), database.with_suffix(".part")
    assert member is not None  # that is why we are here
    require_room(database.parent, member.file_size, f"to unpack {path.name}")
    with (
        opened_zip(path) as archive,
        archive.open(member) as packed,
        wrap_file(packed, member.file_size, description=f"unpacking {path.name}") as reader,  # type: ignore[arg-type]
        open(unfinished, "wb") as unpacked,
    ):
        shutil.copyfileobj(reader, unpacked, 1 << 20)  # checks the CRC
    unfinished.rename(database)


def _what_it_seems(path: Path) -> str:
    with open(path, "rb") as file:
        start = file.read(START)
    if is_image_content(start):
        return "one image"
    size = path.stat().st_size
    return what_it_seems(start) or (f"no archive that is known ({size:,} bytes)" if size else "empty")
