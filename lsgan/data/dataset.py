"""What every data set offers: the protocol behind the config group `dataset`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from torch import Tensor

from lsgan.data.batches import Batches
from lsgan.data.pictures import Picture


class Dataset(Protocol):
    """Knows the shape of its samples before it reads any, and how to show samples to people."""

    @property
    def name(self) -> str: ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        ...

    @property
    def num_classes(self) -> int | None:
        """How many labels there are; None if the samples have none."""
        ...

    @property
    def samples_shown(self) -> int:
        """How many samples make a telling picture."""
        ...

    @property
    def labels_shown(self) -> Tensor | None:
        """The labels of the samples in a picture when G takes labels, int64 [N]; None if there are no classes."""
        ...

    def open(self, data_dir: Path, batch_size: int, seed: int, device_cache_gb: float) -> Batches:
        """Real batches; what must be on disk for them is put into `data_dir` first."""
        ...

    def picture(self, samples: Tensor) -> Picture:
        """Generated samples."""
        ...

    def real_picture(self, samples: Tensor) -> Picture:
        """Real samples, for comparison."""
        ...

    def save(self, batches: Iterable[Tensor], folder: Path) -> None: ...
