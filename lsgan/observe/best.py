"""The checkpoint where a column was best."""

from lsgan.observe.observer import Best, Finding, Observer, View


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
        self._metric, self._mode = metric, mode
        self.every = None if metric is None else every
        self.reads = () if metric is None else (metric,)

    def see(self, view: View) -> Finding | None:
        value = None if self._metric is None else view.row.get(self._metric)
        if self._metric is None or value is None:
            return None
        return Finding(best=Best(self._metric, value, self._mode))
