"""Whether D knows its training images by heart."""

import math
from typing import TYPE_CHECKING

from lsgan.observe.judged import FAKES, as_array, check_number, judged_reals, targets
from lsgan.observe.observer import Finding, Observer, View

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Overfit(Observer):
    """D's mean output on training images minus that on held-out ones; nothing where none are held out.

    In units of b - a, the distance of D's targets, so that 1 is the whole way; of a loss without targets, in units of
    the distance between D's means on the training images and on fakes.

    Args:
        every: steps.
        num_samples: of each side; fewer if there are fewer.

    Raises:
        ValueError: fewer than 16 samples.
    """

    columns = ("overfit/gap", "overfit/gap_stderr")

    def __init__(self, every: int, num_samples: int) -> None:
        check_number(num_samples)
        self.every, self._num = every, num_samples

    def see(self, view: View) -> Finding | None:
        training, held_out = (judged_reals(view, self._num, held_out=side) for side in (False, True))
        if training is None or held_out is None:
            return None
        unit, told = self._unit(view, training.outputs)
        gap = float(training.outputs.mean() - held_out.outputs.mean()) / unit
        error = math.sqrt(sum(_squared_error(side.outputs) for side in (training, held_out))) / abs(unit)
        label = f"D's mean output on {training.told} minus that on {held_out.told}, {told}"
        labels = {"overfit/gap": label, "overfit/gap_stderr": f"standard error: {label}"}
        return Finding({"overfit/gap": gap, "overfit/gap_stderr": error}, labels=labels)

    def _unit(self, view: View, training: "npt.NDArray[np.float64]") -> tuple[float, str]:
        if found := targets(view.loss):
            a, b = found
            return b - a, "in units of b - a"
        distance = float(training.mean() - as_array(view.judged_fakes(self._num).outputs).mean())
        return distance or math.nan, f"in units of the distance of D's means on training images and {FAKES}"


def _squared_error(values: "npt.NDArray[np.float64]") -> float:
    """Of the mean."""
    return float(values.var(ddof=1)) / len(values)
