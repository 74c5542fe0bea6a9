"""Data sets that torchvision downloads and reads."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image
from torchvision import datasets

from lsgan.data.sets.images import ImageDataset
from lsgan.data.sources.source import Item
from lsgan.errors import LsganError


@dataclass(frozen=True, kw_only=True)
class TorchvisionDataset(ImageDataset):
    """The training images of a torchvision data set, downloaded to `<data_dir>/torchvision`."""

    def source_id(self, data_dir: Path) -> str:
        return f"torchvision {self.name} train"

    @property
    def num_classes(self) -> int | None:
        """Ten, but for CelebA, whose attributes are no classes."""
        return 10

    def open_source(self, data_dir: Path, scratch: Path) -> nullcontext["_TorchvisionSource"]:
        root = data_dir / "torchvision"
        try:
            return nullcontext(_TorchvisionSource(self.load(root)))
        except Exception as error:  # torchvision and gdown raise many kinds, by data set and cause
            reason = " ".join(str(error).split())
            raise LsganError(
                f"{self.name} could not be downloaded to {root.absolute()}: {reason}. "
                "Try again later, or put torchvision's files there by hand."
            ) from error

    @abstractmethod
    def load(self, root: Path) -> datasets.VisionDataset:
        """The torchvision data set, downloaded if its files are not in `root` yet."""


@dataclass(frozen=True, kw_only=True)
class Mnist(TorchvisionDataset):
    """60,000 handwritten digits, 28×28, grey."""

    def load(self, root: Path) -> datasets.VisionDataset:
        return datasets.MNIST(root, train=True, download=True)


@dataclass(frozen=True, kw_only=True)
class FashionMnist(TorchvisionDataset):
    """60,000 pieces of clothing, 28×28, grey."""

    def load(self, root: Path) -> datasets.VisionDataset:
        return datasets.FashionMNIST(root, train=True, download=True)


@dataclass(frozen=True, kw_only=True)
class Cifar10(TorchvisionDataset):
    """50,000 photographs of ten kinds of things, 32×32, RGB."""

    def load(self, root: Path) -> datasets.VisionDataset:
        return datasets.CIFAR10(root, train=True, download=True)


@dataclass(frozen=True, kw_only=True)
class CelebA(TorchvisionDataset):
    """162,770 aligned faces, 178×218, RGB. The download needs the extra `lsgan[celeba]`."""

    def load(self, root: Path) -> datasets.VisionDataset:
        return datasets.CelebA(root, split="train", download=True)

    @property
    def num_classes(self) -> None:
        """None: a face has forty attributes, not one class."""
        return None


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
