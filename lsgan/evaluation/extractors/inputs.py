"""What extractors do first with samples: see that they are of the right kind, give them colours and a size."""

import hashlib

import torch
from torch import Tensor
from torch.nn import functional as F

from lsgan.errors import LsganError

_LUMA = (0.299, 0.587, 0.114)  # of R, G and B: ITU-R BT.601, as Pillow's mode L


def require_images(samples: Tensor, name: str) -> None:
    """Raises LsganError unless the samples are grey or RGB images, [N, 1 or 3, H, W]; `name` is the extractor's."""
    if samples.ndim != 4:
        raise LsganError(
            f"features={name} are those of images, and a sample here has the shape {[*samples.shape[1:]]}: "
            "for points set features=points"
        )
    if samples.shape[1] not in (1, 3):
        raise LsganError(f"features={name} are those of grey or RGB images, and these have {samples.shape[1]} channels")


def require_points(samples: Tensor, name: str) -> None:
    """Raises LsganError unless the samples are points, [N, 2]; `name` is the extractor's."""
    if samples.ndim != 2 or samples.shape[1] != 2:
        raise LsganError(
            f"features={name} are those of points [N, 2], and a sample here has the shape {[*samples.shape[1:]]}: "
            "for images set features=lite0, inception, digits or pixels"
        )


def as_rgb(images: Tensor) -> Tensor:
    """[N, 1 or 3, H, W] -> [N, 3, H, W]; grey is repeated."""
    return images.expand(-1, 3, -1, -1)


def as_grey(images: Tensor) -> Tensor:
    """[N, 1 or 3, H, W] in [0, 255] -> float32 [N, 1, H, W], the luma of ITU-R BT.601."""
    images = images.float()
    if images.shape[1] == 1:
        return images
    weights = torch.tensor(_LUMA, device=images.device).view(1, 3, 1, 1)
    return (images * weights).sum(dim=1, keepdim=True)


def resized(images: Tensor, size: int) -> Tensor:
    """[N, C, H, W] -> float32 [N, C, size, size]: bilinear, antialiased when it shrinks; not rounded."""
    images = images.float()
    if images.shape[2:] == (size, size):
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear", align_corners=False, antialias=True)


def digest_of(rule: str) -> str:
    """SHA-256 of an extractor that has no weights."""
    return hashlib.sha256(rule.encode()).hexdigest()
