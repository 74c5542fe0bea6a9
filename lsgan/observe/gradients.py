"""Whether the fakes still tell G where to go."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lsgan.observe.judged import FAKES, as_array, check_number, quantiles
from lsgan.observe.observer import Finding, Observer, Row, View

if TYPE_CHECKING:
    from lsgan.losses import Loss

_VANISHING = 0.01  # of the median at the first look


class Gradients(Observer):
    """The norm of ∂V_G/∂x of each fake x, of the term that it adds to G's loss: what D says to G about this sample.

    Args:
        every: steps. The first look (that finds any gradient at all) is the start that later ones are compared with:
            before it D has learnt nothing, and what G hears then is no measure.
        num_samples: fakes.

    Raises:
        ValueError: fewer than 16 samples.
    """

    columns = ("gradient/fake_median", "gradient/fake_p10", "gradient/fake_p90", "gradient/fake_vanishing")

    def __init__(self, every: int, num_samples: int) -> None:
        check_number(num_samples)
        self.every, self._num = every, num_samples
        self._start: float | None = None  # the median then

    def recall(self, rows: Iterable[Row], loss: "Loss") -> None:
        for row in rows:
            self._begin_with(row.get(self.columns[0]))

    def see(self, view: View) -> Finding:
        norms = as_array(view.judged_fakes(self._num).gradient_norms)
        low, median, high = quantiles(norms, (0.1, 0.5, 0.9))
        self._begin_with(median)
        vanishing = float((norms <= _VANISHING * (self._start or 0.0)).mean()) if math.isfinite(median) else math.nan
        values = (median, low, high, vanishing)
        what = f"norm of the gradient of G's loss at one fake, for {self._num} {FAKES}"
        told = (f"median of the {what}", f"10th percentile of the {what}", f"90th percentile of the {what}")
        share = f"share of {self._num} {FAKES} whose gradient is below 1% of the median at the run's first look"
        labels = dict(zip(self.columns, (*told, share), strict=True))
        return Finding(dict(zip(self.columns, values, strict=True)), labels=labels)

    def _begin_with(self, median: float | None) -> None:
        if self._start is None and median is not None and 0 < median < math.inf:
            self._start = median
