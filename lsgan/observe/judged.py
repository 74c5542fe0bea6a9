"""What the observers of D's outputs share: how many samples D judges, and how people are told which."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from lsgan.observe.observer import View

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

    from lsgan.losses import Loss

LEAST = 16  # samples; fewer tell nothing
FAKES = "fresh fakes of G as it is (not of its average)"


class JudgedReals(NamedTuple):
    """D's outputs on real samples, and which these are."""

    outputs: "npt.NDArray[np.float64]"  # [N]
    told: str


def check_number(num_samples: int) -> None:
    """Raises ValueError if so many samples are too few."""
    if num_samples < LEAST:
        raise ValueError(f"num_samples={num_samples} must be at least {LEAST}: fewer tell nothing")


def judged_reals(view: View, num: int, *, held_out: bool = False) -> JudgedReals | None:
    """D's outputs on `num` real samples, or on as many as there are; None if those are too few."""
    there = view.num_reals(held_out)
    if there is None:
        kind = "fresh real samples"  # of a distribution that is known: all of them are new to D
    else:
        kind, num = "held-out images" if held_out else "training images", min(num, there)
    return JudgedReals(as_array(view.judged_reals(num, held_out=held_out)), f"{num} {kind}") if num >= LEAST else None


def targets(loss: "Loss") -> tuple[float, float] | None:
    """a and b, those of D for fakes and for real samples; None of a loss that has none."""
    a, b = (getattr(loss, name, None) for name in ("a", "b"))
    return None if a is None or b is None else (a, b)


def real_side(loss: "Loss") -> float:
    """1 if D gives real samples the larger outputs; -1 if its targets are the other way round."""
    a, b = targets(loss) or (0.0, 1.0)
    return 1.0 if b > a else -1.0


def quantiles(values: "npt.NDArray[np.float64]", which: Sequence[float]) -> list[float]:
    """Of the values [N]; all are NaN as soon as one value is NaN or infinite."""
    import numpy as np

    return np.quantile(values, which).tolist() if np.isfinite(values).all() else [math.nan] * len(which)


def as_array(values: "Tensor") -> "npt.NDArray[np.float64]":
    """The values [N] on the host."""
    return values.double().cpu().numpy()
