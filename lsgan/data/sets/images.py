"""Image data sets: a source of images, packed once, then read as batches."""

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from lsgan.data.batches import Batches
from lsgan.data.feeding import StoreBatches
from lsgan.data.held_out import check_held_out, number_held_out
from lsgan.data.pack import pack
from lsgan.data.pictures import COLUMNS, Picture, image_grid, save_images
from lsgan.data.sources.decode import Fit
from lsgan.data.sources.kinds import SUFFIXES, told
from lsgan.data.sources.source import Source
from lsgan.data.store import Recipe, Store, differences, open_store, read_meta
from lsgan.errors import LsganError

log = logging.getLogger(__name__)

_ROWS = 10  # of a picture with a class a row


@dataclass(frozen=True, kw_only=True)
class ImageDataset(ABC):
    """Square images of one size. A new data set says where its images are: `source_id` and `open_source`.

    Args:
        name: of the data set; names the packed store and, by default, the study.
        resolution: of the images that the networks see, in pixels a side.
        channels: 1 (grey) or 3 (RGB); images are converted.
        crop: cut the largest central square before resizing; otherwise the whole image is squeezed into one.
        flip: mirror half of the images of each batch, left to right.
        bits: how many of the 16 bits of 16-bit images are used, 12 for example; None: all.
        held_out: images that training never sees, the same in every run: below 1 their share, else their number.

    Raises:
        ValueError: a name that is no name of a folder, resolution < 1, another number of channels or bits, or a
            negative or broken number of images held out.
    """

    name: str
    resolution: int
    channels: int = 3
    crop: bool = False
    flip: bool = False
    bits: int | None = None
    held_out: float = 0.0

    samples_shown: ClassVar[int] = 64

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w[\w.-]*", self.name, re.ASCII):
            raise ValueError(f"name={self.name!r} names a folder: use letters, digits, '.', '_' and '-' only")
        if self.resolution < 1:
            raise ValueError(f"resolution={self.resolution} must be at least 1")
        if self.channels not in (1, 3):
            raise ValueError(f"channels={self.channels} must be 1 or 3")
        if self.bits is not None and not 1 <= self.bits <= 16:
            raise ValueError(f"bits={self.bits} must be from 1 to 16")
        check_held_out(self.held_out)

    @property
    def num_classes(self) -> int | None:
        """How many labels there are; None if the images have none."""
        return None

    @property
    def classes_told(self) -> str:
        """What was taken for classes, for people, as far as it is known before the images are read."""
        return "none"

    @property
    def labels_shown(self) -> Tensor | None:
        """A row of each class; of ten, spread over all, if there are more."""
        if self.num_classes is None:
            return None
        rows = torch.linspace(0, self.num_classes - 1, min(self.num_classes, _ROWS)).round().long()
        return rows.repeat_interleave(COLUMNS)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: (channels, resolution, resolution)."""
        return (self.channels, self.resolution, self.resolution)

    @abstractmethod
    def source_id(self, data_dir: Path) -> str:
        """Says which images these are; another text means another packed store."""

    def fingerprint(self, data_dir: Path) -> str | None:
        """Of the files that hold the images, if they may change; None if they are not there (yet, or any more)."""
        return ""

    def fetch(self, data_dir: Path) -> None:
        """Gets the files, when `fingerprint` is None. Raises LsganError when it cannot."""
        raise LsganError(f"the files of {self.name} are not in {data_dir.absolute()}")

    @abstractmethod
    def open_source(self, data_dir: Path, scratch: Path) -> AbstractContextManager[Source]:
        """The images themselves; what must be unpacked goes to the folder `scratch`."""

    def prepare(self, data_dir: Path) -> Store:
        """The packed store; made first if there is none of these images and settings.

        Raises:
            LsganError: the images are not there, or cannot be read, or `held_out` does not go with their number.
        """
        try:
            folder = self._folder(data_dir)
            store = open_store(folder)
            _tell_what_is_missing(folder)
        except OSError as error:
            raise LsganError(f"{self.name}: {error.filename or data_dir} cannot be read ({error.strerror})") from error
        shape = "×".join(map(str, store.images.shape[1:]))
        num, num_held_out = len(store.images), self.num_held_out(store)
        without = f", {num_held_out:,} of them held out" if num_held_out else ""
        log.info("%s: %s images %s%s, packed in %s", self.name, f"{num:,}", shape, without, folder)
        log.info("classes: %s", store.told)
        return store

    def is_packed(self, data_dir: Path) -> bool:
        """Whether `prepare` would find a store, and neither fetch nor pack anything."""
        fingerprint = self.fingerprint(data_dir)
        if fingerprint is None:
            return self._kept_store(data_dir) is not None
        return self._chosen(data_dir, self._recipe(data_dir, fingerprint))[0].exists()

    def open(self, data_dir: Path, batch_size: int, seed: int, device_cache_gb: float = 0) -> Batches:
        """Packs the images if that has not been done yet, and returns their batches. Raises as `prepare` does."""
        store = self.prepare(data_dir)
        return StoreBatches(
            store,
            batch_size,
            seed,
            flip=self.flip,
            device_cache_gb=device_cache_gb,
            num_held_out=self.num_held_out(store),
        )

    def num_held_out(self, store: Store) -> int:
        """How many images of the store training never sees. Raises as `number_held_out`."""
        return number_held_out(self.held_out, len(store.images))

    def picture(self, samples: Tensor) -> Picture:
        """A grid of the samples [N, C, H, W]: uint8 [H, W, 3]."""
        return image_grid(samples)

    def real_picture(self, samples: Tensor) -> Picture:
        """The same of real samples."""
        return image_grid(samples)

    def save(self, batches: Iterable[Tensor], folder: Path) -> None:
        """Batches of samples one by one, as PNG files."""
        save_images(batches, folder)

    def _recipe(self, data_dir: Path, fingerprint: str) -> Recipe:
        return Recipe(self.source_id(data_dir), fingerprint, Fit(self.resolution, self.channels, self.crop, self.bits))

    def _place(self, data_dir: Path, recipe: Recipe) -> Path:
        return data_dir / "packed" / f"{self.name}-{recipe.digest()}"

    def _stores(self, data_dir: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Every whole store of this name, the newest first, and the recipe that it was made by."""
        folders = (data_dir / "packed").glob(f"{self.name}-*")
        for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True):
            try:
                yield folder, read_meta(folder)["recipe"]
            except LsganError as error:
                log.warning("%s", error)

    def _folder(self, data_dir: Path) -> Path:
        """Of the store; made first if need be. To ask for the fingerprint may be to list millions of files: once."""
        fingerprint = self.fingerprint(data_dir)
        if fingerprint is None:
            kept = self._kept_store(data_dir)
            if kept is not None:
                return kept
            self.fetch(data_dir)
            fingerprint = self.fingerprint(data_dir)
        return self._packed_store(data_dir, self._recipe(data_dir, fingerprint or ""))

    def _kept_store(self, data_dir: Path) -> Path | None:
        """A store of these images and settings, when the files that it was made from are gone."""
        wanted = self._recipe(data_dir, "").settings()
        for folder, made_by in self._stores(data_dir):
            if not differences({**made_by, "fingerprint": "", "split": None}, wanted) and self._holds_wanted(folder):
                log.info("the files of %s are not there; what was packed from them is", self.name)
                return folder
        return None

    def _holds_wanted(self, folder: Path) -> bool:
        """Whether a store of these images and settings holds those of them that are wanted."""
        return True

    def _chosen(self, data_dir: Path, recipe: Recipe) -> tuple[Path, Recipe]:
        """The folder of the store, which need not be there yet, and the recipe to make it by."""
        return self._place(data_dir, recipe), recipe

    def _packed_store(self, data_dir: Path, recipe: Recipe) -> Path:
        folder, recipe = self._chosen(data_dir, recipe)
        if not folder.exists():
            for other, made_by in self._stores(data_dir):
                if made_by.get("source") == recipe.source:
                    log.info("%s is not used, it has %s", other, differences(made_by, recipe.settings()))
            pack(partial(self.open_source, data_dir), recipe, folder)
        return folder


def _tell_what_is_missing(folder: Path) -> None:
    """In a store that was packed when less could be read: by an earlier version, or without an extra."""
    meta = read_meta(folder)
    left_out = meta.get("left_out", {})
    missing = {kind: num for kind, num in left_out.items() if kind in SUFFIXES}
    if missing:
        log.warning("%s lacks %s, which can be read now: delete it to have them packed", folder, told(missing))
    if "left_out" not in meta and meta.get("num_skipped"):
        log.info(
            "%s lacks %d images that an earlier version could not read: delete it to try them again",
            folder,
            meta["num_skipped"],
        )
