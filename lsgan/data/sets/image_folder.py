"""Any images: a folder, an archive, a database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lsgan.data.sets.images import ImageDataset
from lsgan.data.sources.archives import class_names, fingerprint, open_archive
from lsgan.data.sources.source import Source
from lsgan.data.store import Store
from lsgan.errors import LsganError


@dataclass(frozen=True, kw_only=True)
class ImageFolder(ImageDataset):
    """Every image below a folder, or in a zip, tar, LMDB folder or parquet.

    Labels come from labels.json or labels.csv at its top, else from the folders that hold the images.

    Args:
        root: the folder or file.
        classes: how many there are; the place is listed to find out if that is not given. A conditional run writes
            it down, so that it can be sampled where the images are not.
    """

    root: Path
    classes: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes is not None and self.classes < 1:
            raise ValueError(f"classes={self.classes} must be at least 1")

    def source_id(self, data_dir: Path) -> str:
        return str(self._path)

    def fingerprint(self, data_dir: Path) -> str | None:
        return fingerprint(self._path)

    def fetch(self, data_dir: Path) -> None:
        raise LsganError(f"dataset.root={self.root}: {self._path} is not there; name a folder or archive of images")

    @contextmanager
    def open_source(self, data_dir: Path, scratch: Path) -> Iterator[Source]:
        with open_archive(self._path, scratch) as source:
            self._check_classes(source.classes)
            yield source

    def prepare(self, data_dir: Path) -> Store:
        store = super().prepare(data_dir)
        self._check_classes(store.classes)  # it may have been packed before
        return store

    @cached_property
    def num_classes(self) -> int | None:
        """As many as the labels or class folders tell."""
        if self.classes is not None:
            return self.classes
        try:
            if not self._path.exists():
                self.fetch(self._path)
            names = class_names(self._path)
        except OSError as error:
            raise LsganError(f"dataset.root={self.root}: {error.filename} cannot be read ({error.strerror})") from error
        return len(names) if names else None

    def _check_classes(self, found: Sequence[str] | None) -> None:
        num_classes = len(found or ())
        if self.classes not in (None, num_classes):
            raise LsganError(f"dataset.classes={self.classes}, but {self._path} has {num_classes} classes")

    @property
    def _path(self) -> Path:
        return self.root.expanduser().absolute()
