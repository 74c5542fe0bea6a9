"""Features as they reach a metric: looked at first, and float64 from there on, a block of them at a time."""

from collections.abc import Iterator

from torch import Tensor

from lsgan.errors import LsganError

ROWS = 4096  # in a block: 64 MB for 2048 values a sample


def check(real: Tensor, fake: Tensor, at_least: int = 2) -> None:
    """Refuses features [N, d] and [M, d] that no metric can be taken of.

    Raises:
        LsganError: not two-dimensional, not the same d, fewer than `at_least` samples, NaN or infinity.
    """
    check_one("real", real, at_least)
    check_one("generated", fake, at_least)
    if real.shape[1] != fake.shape[1]:
        raise LsganError(
            f"real samples have {real.shape[1]} features and generated ones {fake.shape[1]}: "
            "a metric compares those of one feature extractor"
        )


def check_one(side: str, features: Tensor, at_least: int = 1, metric: str = "this metric") -> None:
    """`check` of one side; the sentence has both names."""
    if features.dim() != 2 or features.shape[1] == 0:
        raise LsganError(f"{side} features have shape {list(features.shape)}: a metric takes [samples, features]")
    if len(features) < at_least:
        have = f"{len(features)} {side} sample{' is' if len(features) == 1 else 's are'}"
        raise LsganError(f"{have} too few: {metric} needs {at_least} or more")
    spoilt = sum(int((~block.isfinite()).any(dim=1).sum()) for block in features.split(ROWS))
    if spoilt:
        raise LsganError(
            f"{spoilt} of {len(features)} {side} samples have NaN or infinite features: "
            "no metric can be taken of them; look at the samples, then at the feature extractor"
        )


def spans(num: int, size: int) -> list[slice]:
    """Of `size` rows each, but for the last."""
    return [slice(first, min(first + size, num)) for first in range(0, num, size)]


def blocks(features: Tensor, size: int = ROWS) -> Iterator[Tensor]:
    """The rows in order, float64 [size, d] and what is left."""
    return (block.double() for block in features.split(size))


def mean(features: Tensor) -> Tensor:
    """Of the rows, float64 [d]."""
    total = features.new_zeros(features.shape[1]).double()
    for block in blocks(features):
        total += block.sum(dim=0)
    return total / len(features)
