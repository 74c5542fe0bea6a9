"""Data sets that torchvision downloads and reads."""

import errno
import math
import pickle
import struct
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from PIL import Image
from torchvision import datasets
from torchvision.datasets.utils import check_integrity, download_and_extract_archive

from lsgan.data.sets.images import ImageDataset
from lsgan.data.sources.celeba_images import PARTITION, ZIP, celeba_images, celeba_is_there
from lsgan.data.sources.source import Item, Source
from lsgan.errors import LsganError

_DISK = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST, errno.EIO}
_UNREADABLE = (ValueError, AssertionError, EOFError, LookupError, pickle.UnpicklingError)  # no download raises these


@dataclass(frozen=True, kw_only=True)
class TorchvisionDataset(ImageDataset):
    """The training images of a torchvision data set, downloaded to `<data_dir>/torchvision`."""

    by_hand: ClassVar[str]  # which files to put where below that folder, for messages

    def source_id(self, data_dir: Path) -> str:
        return f"torchvision {self.name} train"

    @property
    def num_classes(self) -> int | None:
        """Ten, but for CelebA, whose attributes are no classes."""
        return 10

    def open_source(self, data_dir: Path, scratch: Path) -> AbstractContextManager[Source]:
        return nullcontext(_TorchvisionSource(self._loaded(data_dir / "torchvision")))

    def _loaded(self, root: Path) -> datasets.VisionDataset:
        try:
            return self.load(root)
        except Exception as error:  # torchvision and gdown raise many kinds, by data set and cause
            raise LsganError(self._sentence(root.absolute(), error)) from error

    @abstractmethod
    def load(self, root: Path) -> datasets.VisionDataset:
        """The torchvision data set; what is not in `root` yet, or damaged there, is downloaded or unpacked again."""

    def _sentence(self, root: Path, error: Exception) -> str:
        """Tells the disk's fault from that of files and that of a download."""
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, OSError) and error.errno in _DISK:
            return f"{self.name}: {root} does not take its files ({reason}): free or mend it, or set data_dir"
        if isinstance(error, _UNREADABLE):
            return f"{self.name} could not be read from {root} ({reason}): delete its folder there to have it anew"
        return (
            f"{self.name} could not be downloaded to {root}: {reason.rstrip('.')}. "
            f"Try again later, or put {self.by_hand} there by hand."
        )


@dataclass(frozen=True, kw_only=True)
class Mnist(TorchvisionDataset):
    """60,000 handwritten digits, 28×28, grey."""

    by_hand: ClassVar[str] = "the four …-ubyte.gz in the folder MNIST/raw"

    def load(self, root: Path) -> datasets.VisionDataset:
        return _mnist(datasets.MNIST, root)


@dataclass(frozen=True, kw_only=True)
class FashionMnist(TorchvisionDataset):
    """60,000 pieces of clothing, 28×28, grey."""

    by_hand: ClassVar[str] = "the four …-ubyte.gz in the folder FashionMNIST/raw"

    def load(self, root: Path) -> datasets.VisionDataset:
        return _mnist(datasets.FashionMNIST, root)


@dataclass(frozen=True, kw_only=True)
class Cifar10(TorchvisionDataset):
    """50,000 photographs of ten kinds of things, 32×32, RGB."""

    by_hand: ClassVar[str] = "cifar-10-python.tar.gz"

    def load(self, root: Path) -> datasets.VisionDataset:
        cifar = datasets.CIFAR10
        names = root / cifar.base_folder / cifar.meta["filename"]
        if names.exists() and not check_integrity(names, cifar.meta["md5"]):  # torchvision looks at the images alone
            download_and_extract_archive(cifar.url, root, filename=cifar.filename, md5=cifar.tgz_md5)
        return cifar(root, train=True, download=True)


@dataclass(frozen=True, kw_only=True)
class CelebA(TorchvisionDataset):
    """162,770 aligned faces, 178×218, RGB. The download needs the extra `lsgan[celeba]`; what is put in place by
    hand does not, nor the lists of attributes, which are not used."""

    by_hand: ClassVar[str] = f"{ZIP} (or the folder in it) and {PARTITION} in the folder celeba"

    @property
    def num_classes(self) -> None:
        """None: a face has forty attributes, not one class."""
        return None

    @contextmanager
    def open_source(self, data_dir: Path, scratch: Path) -> Iterator[Source]:
        root = data_dir / "torchvision"
        if not celeba_is_there(root / "celeba"):
            self._loaded(root)
        with celeba_images(root / "celeba") as source:
            yield source

    def load(self, root: Path) -> datasets.VisionDataset:
        return datasets.CelebA(root, split="train", download=True)


def _mnist(kind: type[datasets.MNIST], root: Path) -> datasets.VisionDataset:
    """torchvision takes an unpacked file for whole when it is there: one that a kill left half is unpacked again."""
    for archive, _ in kind.resources:
        unpacked = root / kind.__name__ / "raw" / Path(archive).stem
        if unpacked.exists() and not _is_whole(unpacked):
            unpacked.unlink()
    return kind(root, train=True, download=True)


def _is_whole(path: Path) -> bool:
    """Whether a file in MNIST's format is as long as it states: big-endian, two zeros, 8 for bytes, the number of
    dimensions, these as uint32, the bytes."""
    with open(path, "rb") as file:
        zeros, kind, dimensions = struct.unpack(">HBB", file.read(4).ljust(4, b"\xff"))
        header = file.read(4 * dimensions)
        if (zeros, kind) != (0, 8) or len(header) < 4 * dimensions:
            return False
        return file.seek(0, 2) == 4 + len(header) + math.prod(struct.unpack(f">{dimensions}I", header))


class _TorchvisionSource:
    def __init__(self, dataset: datasets.VisionDataset) -> None:
        self._dataset = dataset
        self.classes: Sequence[str] | None = getattr(dataset, "classes", None)

    @property
    def num_items(self) -> int:
        return len(self._dataset)

    def items(self) -> Iterator[Item]:
        for i in range(len(self._dataset)):
            label = int(self._dataset.targets[i]) if self.classes else None
            yield Item(f"image {i}", partial(self._image, i), label)

    def _image(self, index: int) -> Image.Image:
        return self._dataset[index][0]
