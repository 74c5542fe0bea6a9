"""The metrics by name: what is better, and in which order they are told. Needs no torch."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

_SAMPLES_A_DIMENSION = 10  # fewer, and FID tells more of the number of samples than of the model

_DIVERGENCES = ("divergence/triangular", "divergence/jsd")  # columns of `lsgan.observe.divergence`; less is better

GROUPS = ("metric", "held_out", "raw")  # of columns: see `lsgan.observe.metrics`


@dataclass(frozen=True)
class Metric:
    """What a metric is called, and which value is better.

    Args:
        name: of its column.
        title: for tables.
        better: min or max.
    """

    name: str
    title: str
    better: str

    @property
    def best(self) -> Callable[[Iterable[float]], float]:
        """Picks the best of several values."""
        return min if self.better == "min" else max


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("modes", "modes", "max"),
            Metric("quality", "quality", "max"),
            Metric("mode_kl", "KL of modes", "min"),
            Metric("energy_distance", "energy distance", "min"),
            Metric("sliced_w2", "sliced W2", "min"),
            Metric("mind", "MIND", "min"),
            Metric("kid", "KID", "min"),
            Metric("fid", "FID", "min"),
            Metric("precision", "precision", "max"),
            Metric("recall", "recall", "max"),
            Metric("density", "density", "max"),
            Metric("coverage", "coverage", "max"),
            Metric("inception_score", "IS", "max"),
        )
    }
)


def in_order(names: Iterable[str], num: int, dim: int) -> list[str]:
    """As a table should have them: FID before MIND and KID where there are enough samples for it, else behind them."""
    order: Sequence[str] = [*METRICS]
    if not is_biased(num, dim):
        first = order.index("mind")
        order = [*order[:first], "fid", *(name for name in order[first:] if name != "fid")]
    return sorted(names, key=order.index)


def is_biased(num: int, dim: int) -> bool:
    """Whether `num` samples of `dim` features are too few for FID to compare models: its bias differs between them."""
    return num < _SAMPLES_A_DIMENSION * dim


def better(column: str | None) -> str:
    """Which value of a column of metrics.jsonl is best, min or max: of a metric its own, of any other one min."""
    return direction(column or "") or "min"


def direction(column: str) -> str | None:
    """Which value of a column is best, min or max: of a metric's or a divergence's; None of any other."""
    if column in _DIVERGENCES:
        return "min"
    group, _, name = column.rpartition("/")
    return METRICS[name].better if group in GROUPS and name in METRICS else None
