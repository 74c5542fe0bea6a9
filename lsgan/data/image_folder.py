"""Any folder of images."""

import hashlib
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from lsgan.data.images import ImageDataset
from lsgan.errors import LsganError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"})


@dataclass(frozen=True, kw_only=True)
class ImageFolder(ImageDataset):
    """Every image below `root`, sub-folders included.

    Args:
        root: the folder.
    """

    root: Path

    def source_id(self, data_dir: Path) -> str:
        return f"folder {self._root()} {_fingerprint(self._files())}"

    def open_source(self, data_dir: Path) -> nullcontext["_Files"]:
        return nullcontext(_Files(self._files()))

    def _root(self) -> Path:
        return self.root.expanduser().absolute()

    def _files(self) -> list[Path]:
        root = self._root()
        if not root.is_dir():
            raise LsganError(f"dataset.root={self.root}: {root} is not a folder; name a folder that holds images")
        files = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        if not files:
            raise LsganError(
                f"dataset.root={self.root}: no images in {root} (looked for {', '.join(sorted(SUFFIXES))})"
            )
        return files


class _Files:
    def __init__(self, files: list[Path]) -> None:
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def name(self, index: int) -> str:
        return str(self._files[index])

    def image(self, index: int) -> Image.Image:
        with Image.open(self._files[index]) as image:
            image.load()
            return image


def _fingerprint(files: list[Path]) -> str:
    """Changes when a file is added, removed, renamed or written."""
    digest = hashlib.sha256()
    for path in files:
        stat = path.stat()
        digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]
