"""The features of points are the points."""

from typing import ClassVar

import torch
from torch import Tensor

from lsgan.evaluation.extractors.inputs import digest_of, require_points
from lsgan.evaluation.features import Extracted


class Points:
    """The two coordinates as they are."""

    name: ClassVar[str] = "points"
    dim: ClassVar[int] = 2
    rule: ClassVar[str] = "the coordinates themselves"
    classes: ClassVar[None] = None

    def __init__(self) -> None:
        self.digest = digest_of(self.rule)

    def load(self, device: torch.device) -> None:
        """Nothing to load."""

    def __call__(self, samples: Tensor) -> Extracted:
        """Points [N, 2] -> the same, without classes."""
        require_points(samples, self.name)
        return Extracted(samples.float().cpu(), None)
