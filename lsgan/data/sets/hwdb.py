"""HWDB1.0: handwritten Chinese characters."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lsgan.data.sets.downloaded import DownloadedImages
from lsgan.data.sources.gnt_images import GntImages, gnt_images
from lsgan.errors import LsganError


@dataclass(frozen=True, kw_only=True)
class Hwdb(DownloadedImages):
    """The characters of GB2312's first level in CASIA-HWDB1.0 (Liu et al., ICDAR 2011), one class each.

    Args:
        classes: how many characters there are; 3,740 in HWDB1.0's training set.
    """

    classes: int

    archive_kinds: ClassVar[str] = "folder or zip of .gnt files"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes < 1:
            raise ValueError(f"classes={self.classes} must be at least 1")

    @property
    def num_classes(self) -> int:
        """As many as there are characters."""
        return self.classes

    def source_id(self, data_dir: Path) -> str:
        return f"HWDB1.0, {self.classes:,} characters"

    @contextmanager
    def open_source(self, data_dir: Path, scratch: Path) -> Iterator[GntImages]:
        path = self.path(data_dir)
        assert path is not None  # `fetch` was here
        with gnt_images(path) as source:
            found = len(source.classes)
            if found != self.classes:
                raise LsganError(
                    f"{path} holds {found:,} characters of GB2312's first level, not dataset.classes="
                    f"{self.classes}: name all .gnt files of the set, or set dataset.classes={found}"
                )
            yield source
