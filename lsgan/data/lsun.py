"""LSUN scenes in their own format: an LMDB of encoded images, in a folder or the official zip."""

import io
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lmdb
from PIL import Image
from rich.progress import wrap_file

from lsgan.data.images import ImageDataset
from lsgan.errors import LsganError


@dataclass(frozen=True, kw_only=True)
class Lsun(ImageDataset):
    """One LSUN scene (Yu et al., 2015; arXiv 1506.03365), images with a shorter side of 256 pixels.

    Looked for under its official names: `<data_dir>/<scene>_<split>_lmdb/`, or the same with `.zip`.

    Args:
        scene: LSUN's name of the scene, church_outdoor for example.
        split: train or val.
    """

    scene: str
    split: str = "train"

    def source_id(self, data_dir: Path) -> str:
        return f"LSUN {self.scene} {self.split}"

    @contextmanager
    def open_source(self, data_dir: Path) -> Iterator["_LmdbSource"]:
        folder = data_dir / f"{self.scene}_{self.split}_lmdb"
        archive = folder.with_suffix(".zip")
        if (folder / "data.mdb").is_file():
            with _LmdbSource.open(folder) as source:
                yield source
        elif archive.is_file():
            with _unzipped(archive) as unzipped, _LmdbSource.open(unzipped) as source:
                yield source
        else:
            raise LsganError(
                f"LSUN {self.scene} is not in {data_dir.absolute()}: neither the folder {folder.name} nor "
                f"{archive.name} is there. Get {archive.name} (the LSUN project serves it at dl.yf.io/lsun/scenes) "
                "and put it there, unpacked or not; or name its folder by data_dir=<folder> or the environment "
                "variable LSGAN_DATA."
            )


class _LmdbSource:
    def __init__(self, environment: lmdb.Environment) -> None:
        self._environment = environment
        with environment.begin() as transaction:
            self._keys = list(transaction.cursor().iternext(keys=True, values=False))  # sorted: an LMDB is a tree

    @classmethod
    @contextmanager
    def open(cls, folder: Path) -> Iterator["_LmdbSource"]:
        try:
            environment = lmdb.open(str(folder), readonly=True, lock=False, readahead=False)
        except lmdb.Error as error:
            raise LsganError(f"{folder} is not a readable LMDB ({error}): get the data set again") from error
        with environment:
            size = (folder / "data.mdb").stat().st_size
            needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
            if size < needed:  # reading on would kill the process (SIGBUS)
                raise LsganError(f"{folder} is cut short ({size:,} of {needed:,} bytes): get the data set again")
            yield cls(environment)

    def __len__(self) -> int:
        return len(self._keys)

    def name(self, index: int) -> str:
        return f"key {self._keys[index].decode(errors='replace')}"

    def image(self, index: int) -> Image.Image:
        with self._environment.begin() as transaction:  # read transactions belong to one thread
            encoded = transaction.get(self._keys[index])
        assert encoded is not None  # the key was listed by this very database
        return Image.open(io.BytesIO(encoded))


@contextmanager
def _unzipped(archive: Path) -> Iterator[Path]:
    """The archive's LMDB in a temporary folder beside it (LMDB maps its file; it cannot read inside a zip)."""
    with tempfile.TemporaryDirectory(prefix=f".{archive.stem}-", dir=archive.parent) as folder:
        try:
            with zipfile.ZipFile(archive) as files:
                member = next((info for info in files.infolist() if Path(info.filename).name == "data.mdb"), None)
                if member is None:
                    raise LsganError(f"{archive} holds no LMDB (no data.mdb): it is not an LSUN archive, get it again")
                with (
                    files.open(member) as packed,
                    wrap_file(packed, member.file_size, description=f"unpacking {archive.name}") as reader,  # type: ignore[arg-type]
                    open(Path(folder) / "data.mdb", "wb") as unpacked,
                ):
                    shutil.copyfileobj(reader, unpacked, 1 << 20)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise LsganError(f"{archive} is not a sound zip file ({error}): get it again") from error
        yield Path(folder)
