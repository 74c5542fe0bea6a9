"""An LMDB of encoded images, as LSUN is distributed."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lsgan.data.sources.decode import open_image
from lsgan.data.sources.source import Item, Reading
from lsgan.errors import LsganError

if TYPE_CHECKING:
    import lmdb


class LmdbImages:
    """A source (source.py): every value of the database, ordered by key. LSUN's keys say nothing of a class."""

    classes = None
    reading = Reading("none (the keys of an LMDB tell none)")

    def __init__(self, environment: "lmdb.Environment") -> None:
        self._environment = environment

    @property
    def num_items(self) -> int:
        return self._environment.stat()["entries"]

    def items(self) -> Iterator[Item]:
        with self._environment.begin() as transaction:
            for key, encoded in transaction.cursor():
                yield Item(f"key {key.decode(errors='replace')}", partial(open_image, encoded))


@contextmanager
def image_lmdb(folder: Path, shown: Path | None = None) -> Iterator[LmdbImages]:
    """The images in an LMDB folder; `shown` is what messages name instead.

    Raises:
        LsganError: the folder is no LMDB, cut short, or empty, or there is no package to read it.
    """
    try:
        import lmdb  # only those who have one need it
    except ImportError as error:
        raise LsganError(f"{shown or folder} is an LMDB, and the package lmdb is missing: pip install lmdb") from error
    shown = shown or folder
    try:
        with lmdb.open(str(folder), readonly=True, lock=False, readahead=False) as environment:
            size = (folder / "data.mdb").stat().st_size
            needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
            if size < needed:  # reading on would kill the process (SIGBUS)
                raise LsganError(f"{shown} is cut short ({size:,} of {needed:,} bytes): get the data set again")
            images = LmdbImages(environment)
            if images.num_items == 0:
                raise LsganError(f"{shown} is an LMDB without a single image: get the data set again")
            yield images
    except lmdb.Error as error:
        raise LsganError(f"{shown} is not a readable LMDB ({error}): get the data set again") from error
