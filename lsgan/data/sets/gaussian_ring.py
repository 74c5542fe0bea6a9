"""The 2-D Gaussian mixture of the mode-coverage experiments."""

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from lsgan.data.batches import WHOLE, Batch
from lsgan.data.pictures import Picture, scatter
from lsgan.streams import stream

MOST_MODES = 1_000_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class GaussianRing:
    """Equally likely Gaussians, evenly spaced on a circle; new points for every batch.

    The authors' code places one of the eight twice (weight 2/9); here all weights are equal.

    Args:
        name: of the data set.
        modes: how many Gaussians.
        std: of each, in the units of `radius`.
        radius: of the circle.

    Raises:
        ValueError: modes < 1 or > MOST_MODES, or std or radius not above 0.
    """

    name: str
    modes: int = 8
    std: float = 0.01
    radius: float = 1.0

    samples_shown: ClassVar[int] = 2048
    num_classes: ClassVar[None] = None
    labels_shown: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.modes < 1:
            raise ValueError(f"modes={self.modes} must be at least 1")
        if self.modes > MOST_MODES:
            raise ValueError(f"modes={self.modes} must be at most {MOST_MODES}: their centres are kept in memory")
        if not (self.std > 0 and self.radius > 0):
            raise ValueError(f"std={self.std:g} and radius={self.radius:g} must be above 0")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: (2,)."""
        return (2,)

    @property
    def centres(self) -> Tensor:
        """Of the Gaussians, [modes, 2]; the first at (radius, 0)."""
        angles = torch.arange(self.modes) * (2 * math.pi / self.modes)
        return self.radius * torch.stack([angles.cos(), angles.sin()], dim=1)

    def points(self, num: int, generator: torch.Generator) -> Tensor:
        """Real points [num, 2]."""
        mode = torch.randint(self.modes, (num,), generator=generator)
        return self.centres[mode] + self.std * torch.randn(num, 2, generator=generator)

    def open(self, data_dir: Path, batch_size: int, seed: int, device_cache_gb: float = 0) -> "PointBatches":
        """Batches of fresh points; nothing is read or written."""
        log.info("%s: %d Gaussians, std %g, on a circle of radius %g", self.name, self.modes, self.std, self.radius)
        return PointBatches(self, batch_size, seed)

    def picture(self, samples: Tensor) -> Picture:
        """The samples [N, 2] beside as many real points: uint8 [H, W, 3]."""
        real = self.points(len(samples), stream(0, "picture"))
        return scatter({"real": real, "generated": samples}, limit=1.5 * self.radius)

    def real_picture(self, samples: Tensor) -> Picture:
        """Real samples [N, 2] alone."""
        return scatter({"real": samples}, limit=1.5 * self.radius)

    def save(self, batches: Iterable[Tensor], folder: Path) -> None:
        """All samples as folder/points.csv."""
        points = torch.cat(list(batches)).float().cpu().numpy()
        np.savetxt(folder / "points.csv", points, delimiter=",", header="x,y", comments="")


class PointBatches:
    """Batch k is drawn from the stream of (seed, k)."""

    def __init__(self, ring: GaussianRing, batch_size: int, seed: int) -> None:
        self._ring, self._batch_size, self._seed = ring, batch_size, seed

    @property
    def identity(self) -> dict[str, Any]:
        return {"modes": self._ring.modes, "std": self._ring.std, "radius": self._ring.radius}

    def batch(self, index: int, device: torch.device, part: slice = WHOLE) -> Batch:
        """Points [N, 2] of `part` of batch `index`; float32, without labels."""
        points = self._ring.points(self._batch_size, stream(self._seed, "points", index))
        return Batch(points[part].to(device), labels=None)
