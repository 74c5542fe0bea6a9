"""The 2-D Gaussian mixture of the mode-coverage experiments."""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from lsgan.data.batches import WHOLE, Batch
from lsgan.data.pictures import Picture, scatter
from lsgan.errors import LsganError
from lsgan.streams import stream

MOST_MODES = 1_000_000
_BLOCK = 1024  # points that are drawn at once where they do not belong to a training batch

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class GaussianRing:
    """Gaussians, evenly spaced on a circle; new points for every batch.

    Args:
        name: of the data set.
        modes: how many Gaussians.
        std: of each, in the units of `radius`.
        radius: of the circle.
        weights: how likely each is, relative to the others, from (radius, 0) on; None: all the same.

    Raises:
        ValueError: modes < 1 or > MOST_MODES, std or radius not above 0, or weights that are not one number above 0 for
            each mode.
    """

    name: str
    modes: int = 8
    std: float = 0.01
    radius: float = 1.0
    weights: Sequence[float] | None = None

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
        if self.weights is not None and not _are_weights(self.weights, self.modes):
            raise ValueError(f"weights={self.weights} must be a list of {self.modes} numbers above 0, one a mode")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: (2,)."""
        return (2,)

    @property
    def centres(self) -> Tensor:
        """Of the Gaussians, [modes, 2]; the first at (radius, 0)."""
        angles = torch.arange(self.modes) * (2 * math.pi / self.modes)
        return self.radius * torch.stack([angles.cos(), angles.sin()], dim=1)

    @property
    def shares(self) -> Tensor:
        """Of the Gaussians among the points, [modes]; they sum to 1."""
        weights = torch.ones(self.modes) if self.weights is None else torch.tensor(self.weights, dtype=torch.float32)
        return weights / weights.sum()

    def points(self, num: int, generator: torch.Generator) -> Tensor:
        """Real points [num, 2]."""
        if self.weights is None:
            mode = torch.randint(self.modes, (num,), generator=generator)
        else:
            mode = torch.multinomial(self.shares, num, replacement=True, generator=generator)
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


def _are_weights(weights: Any, modes: int) -> bool:
    if not isinstance(weights, (list, tuple)) or len(weights) != modes:
        return False
    return all(type(weight) in (int, float) and math.isfinite(weight) and weight > 0 for weight in weights)


class PointBatches:
    """Batch k is drawn from the stream of (seed, k)."""

    def __init__(self, ring: GaussianRing, batch_size: int, seed: int) -> None:
        self._ring, self._batch_size, self._seed = ring, batch_size, seed

    @property
    def identity(self) -> dict[str, Any]:
        ring = self._ring
        weights = None if ring.weights is None else list(ring.weights)
        return {"modes": ring.modes, "std": ring.std, "radius": ring.radius, "weights": weights}

    def batch(self, index: int, device: torch.device, part: slice = WHOLE) -> Batch:
        """Points [N, 2] of `part` of batch `index`; float32, without labels."""
        points = self._ring.points(self._batch_size, stream(self._seed, "points", index))
        return Batch(points[part].to(device), labels=None)

    def reals(self, num: int | None, device: torch.device, *, held_out: bool = False) -> Iterator[Batch]:
        """Points of a stream that no training draws from; none are held out, as all are new."""
        if num is None or held_out:
            what = "holds nothing out" if held_out else "has no last point: say how many real ones are wanted"
            raise LsganError(f"{self._ring.name} {what}")
        blocks = [self._ring.points(_BLOCK, stream(0, "points to compare with", k)) for k in range(-(-num // _BLOCK))]
        return (Batch(points.to(device), None) for points in torch.cat(blocks)[:num].split(self._batch_size))

    def num_reals(self, held_out: bool = False) -> int | None:
        """As many as one likes."""
        return 0 if held_out else None
