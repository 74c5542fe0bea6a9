"""Pixels as features: what an image looks like from afar. Knows no shapes, needs no weights."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from lsgan.evaluation.extractors.inputs import digest_of, require_images
from lsgan.evaluation.features import Extracted


class Pixels:
    """The image averaged over areas until it has at most `size` pixels a side, its values in [0, 1] as one vector.

    Args:
        size: pixels a side, at most.

    Raises:
        ValueError: size < 1.
    """

    name: ClassVar[str] = "pixels"
    classes: ClassVar[None] = None

    def __init__(self, size: int = 16) -> None:
        if size < 1:
            raise ValueError(f"size={size} must be at least 1")
        self._size = size
        self.rule = f"averaged over areas to at most {size}×{size} pixels, /255"
        self.digest = digest_of(self.rule)
        self.dim = 3 * size * size  # at most; after a call, that of its images

    def load(self, device: torch.device) -> None:
        """Nothing to load; the images are averaged where they are."""

    def __call__(self, samples: Tensor) -> Extracted:
        """uint8 images [N, C, H, W] -> features [N, C·h·w] in [0, 1], without classes."""
        require_images(samples, self.name)
        height, width = (min(self._size, side) for side in samples.shape[2:])
        features = F.adaptive_avg_pool2d(samples.float(), (height, width)).flatten(1).div_(255).cpu()
        self.dim = features.shape[1]
        return Extracted(features, None)
