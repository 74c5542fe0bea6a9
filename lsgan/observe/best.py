"""The checkpoint where a column was best."""

import logging

from lsgan.observe.observer import Best, Finding, Observer, View

log = logging.getLogger(__name__)


class KeepBest(Observer):
    """Has the checkpoint kept at which a metric was best.

    Args:
        metric: a column of metrics.jsonl; None keeps none.
        mode: what is better, min or max.
        every: steps; where the metric is written less often, when that happens.

    Raises:
        ValueError: another mode.
    """

    def __init__(self, metric: str | None, mode: str, every: int) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"mode={mode} must be min or max")
        self._metric, self._mode, self._has_warned = metric, mode, False
        self.every = None if metric is None else every
        self.reads = () if metric is None else (metric,)

    def see(self, view: View) -> Finding | None:
        value = None if self._metric is None else view.row.get(self._metric)
        if self._metric is None:
            return None
        if value is None:
            if not self._has_warned:
                log.warning(
                    "best_metric=%s has no value at step %d: no checkpoint is best by it", self._metric, view.step
                )
            self._has_warned = True
            return None
        return Finding(best=Best(self._metric, value, self._mode))
