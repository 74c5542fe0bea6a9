"""Any images: a folder, an archive, a database."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from lsgan.data.sets.images import ImageDataset
from lsgan.data.sources.archives import Look, fingerprint, look, open_archive
from lsgan.data.sources.classes import names_of
from lsgan.data.sources.labels import are_numbers
from lsgan.data.sources.source import Source
from lsgan.data.sources.splits import ALL, are_splits, choose
from lsgan.data.store import Recipe, Store, is_read_by_our_rules, note_reading, noted_reading, read_meta
from lsgan.errors import LsganError

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ImageFolder(ImageDataset):
    """Every image below a folder, or in a zip, tar, LMDB folder or parquet.

    Labels come from a list at its top (labels.json, labels.csv, StyleGAN's dataset.json, an imagefolder's metadata),
    else from the folders that hold the images, but for those that are called like splits or number parts.

    Args:
        root: the folder or file.
        split: the splits that are wanted, a name or several, or `all`; None: train, where it is there beside others,
            else all.
        classes: how many there are; the place is listed to find out if that is not given. A conditional run writes
            it down, so that it can be sampled where the images are not.

    Raises:
        ValueError: as `ImageDataset`, or a split that is no text, or classes < 1.
    """

    root: Path
    split: str | list[str] | None = None
    classes: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        names = self.split if isinstance(self.split, list) else [self.split or "all"]
        if self.split == "" or not names or not all(isinstance(name, str) and name for name in names):
            raise ValueError(f"split={self.split!r} must be the name of a split, such as train, several, or all")
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
        with open_archive(self._path, scratch, self._asked) as source:
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
        return len(self._look.classes) if self._look.classes else None

    @property
    def classes_told(self) -> str:
        return self._look.reading.told

    @cached_property
    def _look(self) -> Look:
        try:
            if not self._path.exists():
                self.fetch(self._path)
            return look(self._path, self._asked)
        except OSError as error:
            raise LsganError(f"dataset.root={self.root}: {error.filename} cannot be read ({error.strerror})") from error

    @property
    def _asked(self) -> Sequence[str] | None:
        """The splits, as `splits.choose` takes them."""
        if self.split is None:
            return None
        names = tuple([self.split] if isinstance(self.split, str) else self.split)
        return ALL if "all" in names else names

    def _chosen(self, data_dir: Path, recipe: Recipe) -> tuple[Path, Recipe]:
        """The store's recipe tells what was taken where that is not simply everything. Earlier versions understood some
        places otherwise: where what they packed differs from what is there, another store is made."""
        for folder, meta in self._metas(data_dir):
            made_by = {key: value for key, value in meta["recipe"].items() if key != "split"}
            if made_by == recipe.settings() and is_read_by_our_rules(meta) and self._is_wanted(meta):
                return folder, recipe
        splits = self._look.reading.splits
        recipe = replace(recipe, split=None if splits.all_taken else ", ".join(splits.taken))
        folder = self._place(data_dir, recipe)
        if folder.exists():
            if self._is_there(read_meta(folder)):
                note_reading(folder, self._look.reading)
            else:
                recipe = replace(recipe, split="all, read anew")
        return super()._chosen(data_dir, recipe)

    def _metas(self, data_dir: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
        """What the whole stores of this name say."""
        for folder in sorted((data_dir / "packed").glob(f"{self.name}-*")):
            with suppress(LsganError):  # a damaged neighbour is told of where a store is looked for or made
                yield folder, read_meta(folder)

    def _holds_wanted(self, folder: Path) -> bool:
        meta = read_meta(folder)
        classes = meta["classes"] or []
        if noted_reading(meta) is None and (are_splits(classes) or are_numbers(classes)):
            log.warning("%s is of an earlier version, which took %s for classes", folder, names_of(classes))
        return self._is_wanted(meta)

    def _is_wanted(self, meta: dict[str, Any]) -> bool:
        """Whether a store holds the splits that are asked for; those of earlier versions hold all."""
        reading = noted_reading(meta)
        if reading is None:
            return self._asked in (None, ALL)
        try:
            return choose(self._path, reading.splits.there, self._asked).taken == reading.splits.taken
        except LsganError:
            return False

    def _is_there(self, meta: dict[str, Any]) -> bool:
        """Whether a store, which may be of an earlier version, holds what its place does."""
        classes, num_items, _ = self._look
        num_packed = meta["shape"][0] + meta.get("num_skipped", 0)
        return meta["classes"] == (classes and list(classes)) and num_items in (None, num_packed)

    def _check_classes(self, found: Sequence[str] | None) -> None:
        num_classes = len(found or ())
        if self.classes not in (None, num_classes):
            raise LsganError(f"dataset.classes={self.classes}, but {self._path} has {num_classes} classes")

    @property
    def _path(self) -> Path:
        return self.root.expanduser().absolute()
