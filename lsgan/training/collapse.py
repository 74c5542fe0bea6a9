"""A watch for runs that have died: D has won outright, or G makes one sample only.

It reads the logged numbers and nothing else, so a resumed run that is shown its earlier rows raises the
same alarm at the same step.
"""

import math
import statistics
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from lsgan.losses import Reference

_D_LOSS = 0.02  # of its value at equilibrium: below, D's loss is near 0
_G_WAY = 0.8  # of the way from G's loss at equilibrium to its value when D wins


def diversity(samples: Tensor, gather: Callable[[Tensor], Tensor] = lambda part: part) -> Tensor:
    """How far samples [N, ...] lie apart: the standard deviation of a coordinate, root mean square over coordinates.

    `gather` brings together what several ranks have, [1, ...] each, where each has an equal part of the batch.

    It is the root mean square distance of two samples, divided by the square root of twice the number of coordinates;
    in the units of the samples, a scalar without a graph.
    """
    values = samples.detach().flatten(1)
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    mean = gather(values.mean(0, keepdim=True)).mean(0)
    return gather((values - mean).square().mean(0, keepdim=True)).mean().sqrt()


class CollapseWatch:
    """Raises one alarm a run, at the first logged step where the last `steps` steps show a sign of collapse.

    The signs, each on the median of the logged steps: D's loss is near 0 and G's at its "D wins" value (not for
    losses without a finite one); or the diversity of the fakes in a batch is a share below `least_diversity` of that
    of the real samples. A median is deaf to the odd step at which a dead run twitches, or a healthy one falters.

    Args:
        reference: of the loss.
        on_collapse: what the loop does then: warn, or stop.
        steps: G updates; at least 1.
        least_diversity: a share in [0, 1]; 0 leaves diversity unwatched.
    """

    def __init__(self, reference: Reference, on_collapse: str, steps: int, least_diversity: float) -> None:
        self.stops = on_collapse == "stop"
        self.alarm: str | None = None  # the sentence, from the alarm on
        self._reference, self._steps, self._least_diversity = reference, steps, least_diversity
        self._seen: deque[tuple[float, float, float, float]] = deque()  # step, D's loss, G's loss, share

    def see(self, row: Mapping[str, float | None]) -> str | None:
        """The next row of metrics.jsonl, `step` included; returns the alarm if it is raised by this one."""
        step, d_loss, g_loss, fake, real = (_number(row, name) for name in _COLUMNS)
        self._seen.append((step, d_loss, g_loss, fake / real if real > 0 else math.nan))
        while self._seen[0][0] <= step - self._steps:
            self._seen.popleft()
        if self.alarm is None and step >= self._steps:
            _, *columns = zip(*self._seen, strict=True)
            self.alarm = self._sign(*(_median(column) for column in columns))
            return self.alarm
        return None

    def _sign(self, d_loss: float, g_loss: float, share: float) -> str | None:
        """The sentence for medians that show a sign of collapse."""
        during = f"over the last {self._steps} steps the median"
        if self._d_wins(d_loss, g_loss):
            return (
                f"D has won: {during} of D's loss is {d_loss:.3g} and of G's {g_loss:.3g}; "
                "lower optimizer.discriminator.lr, or add a penalty (penalty=r1)"
            )
        if share < self._least_diversity:
            return (
                f"G makes nearly one sample: {during} diversity of its batches is {share:.2g} of the real ones'; "
                "lower optimizer.generator.lr, or change the loss or the architecture"
            )
        return None

    def _d_wins(self, d_loss: float, g_loss: float) -> bool:
        d_start, g_start, g_end = self._reference
        if not d_start or g_end is None or not math.isfinite(g_end):
            return False
        whole_way = g_end - (g_start or 0.0)
        way = math.copysign(1, whole_way) * (g_loss - (g_start or 0.0))
        return d_loss < _D_LOSS * d_start and way >= _G_WAY * abs(whole_way)


_COLUMNS = ("step", "loss/discriminator", "loss/generator", "diversity/fake", "diversity/real")


def _number(row: Mapping[str, float | None], name: str) -> float:
    """NaN where the row has none: an older version's, or a number that JSON does not know."""
    value = row.get(name)
    return math.nan if value is None else value


def _median(values: Sequence[float]) -> float:
    """NaN, which shows no sign of anything, as soon as one value is."""
    return math.nan if any(map(math.isnan, values)) else statistics.median(values)
