"""Features: the vectors that metrics compare, and the protocol of what makes them of images or points."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from lsgan.errors import LsganError


class Extracted(NamedTuple):
    """What an extractor makes of N samples, on the CPU."""

    features: Tensor  # float32 [N, dim]
    probabilities: Tensor | None  # of the classes that it knows, float32 [N, classes]; rows sum to 1


class FeatureExtractor(Protocol):
    """Any class with these can be `features._target_`. To construct one is cheap: weights come with `load`."""

    @property
    def name(self) -> str:
        """As in features=<name>."""
        ...

    @property
    def dim(self) -> int:
        """Of a feature vector."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of the weights, in hex, once they are loaded; of the rule alone where there are none."""
        ...

    @property
    def rule(self) -> str:
        """How samples become its input, for people and for the label."""
        ...

    @property
    def classes(self) -> int | None:
        """How many classes it tells apart (the Inception Score needs them), or None."""
        ...

    def load(self, device: torch.device) -> None:
        """Gets the weights, if there are any and it has not been done. Raises LsganError if they cannot be had."""
        ...

    def __call__(self, samples: Tensor) -> Extracted:
        """Of uint8 images [N, C, H, W] or float32 points [N, 2]. Raises LsganError for what it does not take."""
        ...


def features_of(extractor: FeatureExtractor, batches: Iterable[Tensor]) -> Extracted:
    """The features of all samples, in their order.

    Args:
        extractor: loaded.
        batches: as networks see them: images, float [N, C, H, W] in [-1, 1], or points, float [N, 2]. Images are
            rounded to 8 bits as in a PNG, so that real ones, which come from bytes, and generated ones are alike.

    Raises:
        LsganError: there are no samples, one is not finite, they are of a kind that the extractor does not take, or it
            gives something else than feature vectors.
    """
    parts, num = [], 0
    for batch in batches:
        if len(batch):
            parts.append(_checked(extractor(_as_input(batch, num)), len(batch), extractor))
            num += len(batch)
    if not parts:
        raise LsganError(f"features={extractor.name} was given no samples: at least one is needed")
    probabilities = [part.probabilities for part in parts if part.probabilities is not None]
    return Extracted(torch.cat([part.features for part in parts]), torch.cat(probabilities) if probabilities else None)


def to_bytes(images: Tensor) -> Tensor:
    """Images in [-1, 1] as the uint8 of a PNG; values beyond the range are clipped."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).byte()


def _as_input(batch: Tensor, first: int) -> Tensor:
    """What extractors take; `first` is the index of the batch's first sample."""
    finite = batch.isfinite().flatten(1).all(dim=1)
    if not finite.all():
        index = first + int(finite.logical_not().nonzero()[0])
        raise LsganError(
            f"sample {index} holds NaN or infinity and has no features: take a checkpoint from before that began"
        )
    return to_bytes(batch) if batch.ndim == 4 else batch.float()


def _checked(extracted: Extracted, num: int, extractor: FeatureExtractor) -> Extracted:
    """On the CPU, in float32; the extractor may be anybody's."""
    features, probabilities = extracted
    if features.ndim != 2 or len(features) != num:
        raise LsganError(
            f"features={extractor.name} gave features of shape {[*features.shape]} for {num} samples: "
            f"it must give one vector each, [{num}, dim]"
        )
    if not features.isfinite().all():
        raise LsganError(f"features={extractor.name} gave features that are not finite: its weights cannot be right")
    return Extracted(
        features.detach().float().cpu(), None if probabilities is None else probabilities.detach().float().cpu()
    )
