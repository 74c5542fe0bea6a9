"""Data sets that are downloaded, or taken from where the user has them."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lsgan.data.sets.images import ImageDataset
from lsgan.data.sources.archives import fingerprint, open_archive
from lsgan.data.sources.download import fetch, found, local_name
from lsgan.data.sources.source import Source
from lsgan.errors import LsganError


@dataclass(frozen=True, kw_only=True)
class DownloadedImages(ImageDataset):
    """Images in one archive.

    Args:
        sources: where to download it, in this order; see `data/sources/download.py`. What is called like one of
            them in data_dir (a zip may be unpacked there) is not downloaded.
        num_images: how many there should be, for the room on the disk that they will need; None: not known.
        archive: a folder or file that is there already; then nothing is downloaded.
    """

    sources: list[str]
    num_images: int | None = None
    archive: Path | None = None

    archive_kinds: ClassVar[str] = "zip, LMDB folder or parquet folder"  # what `archive` may be, for messages

    def fingerprint(self, data_dir: Path) -> str | None:
        path = self.path(data_dir)
        return fingerprint(path) if path else None

    def path(self, data_dir: Path) -> Path | None:
        """Where the images are; None if they are not there yet."""
        if self.archive is not None:
            path = self.archive.expanduser().absolute()
            return path if path.exists() else None
        return found(self.sources, data_dir)

    def fetch(self, data_dir: Path) -> None:
        """Downloads the archive to `data_dir`; raises LsganError when no source gives it."""
        if self.archive is not None:
            raise LsganError(
                f"dataset.archive={self.archive} is not there: name what holds {self.source_id(data_dir)}, or leave it "
                "out to have that downloaded"
            )
        room = (self.num_images or 0) * self.resolution**2 * self.channels
        try:
            fetch(self.sources, data_dir, room_for=room)
        except LsganError as error:
            names = " or ".join(dict.fromkeys(map(local_name, self.sources)))
            raise LsganError(
                f"{self.source_id(data_dir)} cannot be downloaded ({error}); put {names} into {data_dir.absolute()} by "
                f"hand, or name what you have by dataset.archive=<{self.archive_kinds}>"
            ) from error

    def open_source(self, data_dir: Path, scratch: Path) -> AbstractContextManager[Source]:
        path = self.path(data_dir)
        assert path is not None  # `fetch` was here
        return open_archive(path, scratch)
