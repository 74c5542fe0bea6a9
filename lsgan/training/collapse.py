"""A watch for runs that have died: D has won outright, or G makes one sample only.

It reads the logged numbers and nothing else, so a resumed run that is shown its earlier rows raises the
same alarm at the same step.
"""

import math
from collections.abc import Mapping

from torch import Tensor

from lsgan.losses import Reference

_D_LOSS = 0.05  # of its value at equilibrium: below, D's loss is near 0
_G_WAY = 0.8  # of the way from G's loss at equilibrium to its value when D wins


def diversity(samples: Tensor) -> Tensor:
    """How far samples [N, ...] lie apart: the standard deviation of a coordinate, root mean square over coordinates.

    It is the root mean square distance of two samples, divided by the square root of twice the number of coordinates;
    in the units of the samples, a scalar without a graph.
    """
    return samples.detach().flatten(1).float().var(dim=0, correction=0).mean().sqrt()


_D_WON_FIX = "lower optimizer.discriminator.lr, or add a penalty (penalty=r1)"
_UNIFORM_FIX = "lower optimizer.generator.lr, or try another seed or loss"


class CollapseWatch:
    """Raises one alarm a run, once a sign of collapse has held on every logged step for `steps` steps.

    The signs: D's loss is near 0 while G's is at its "D wins" value (not for losses without a finite one); or the
    diversity of the fakes in a batch is below `least_diversity` times that of the real samples.

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
        self._since: dict[str, float] = {}  # by sign: the first step of its present streak

    def see(self, row: Mapping[str, float | None]) -> str | None:
        """The next row of metrics.jsonl, `step` included; returns the alarm if it is raised by this one."""
        step = _number(row, "step")
        for sign, fix, names, shows in (
            ("D has won", _D_WON_FIX, ("loss/discriminator", "loss/generator"), self._d_wins(row)),
            ("G has lost its diversity", _UNIFORM_FIX, ("diversity/fake", "diversity/real"), self._is_uniform(row)),
        ):
            if not shows:
                self._since.pop(sign, None)
                continue
            since = self._since.setdefault(sign, step)
            if self.alarm is None and step - since >= self._steps:
                numbers = ", ".join(f"{name}={_number(row, name):.3g}" for name in names)
                self.alarm = f"{sign} since step {since:.0f} ({numbers}): {fix}"
                return self.alarm
        return None

    def _d_wins(self, row: Mapping[str, float | None]) -> bool:
        d_start, g_start, g_end = self._reference
        if not d_start or g_end is None or not math.isfinite(g_end):
            return False
        whole_way = g_end - (g_start or 0.0)
        way = math.copysign(1, whole_way) * (_number(row, "loss/generator") - (g_start or 0.0))
        return _number(row, "loss/discriminator") < _D_LOSS * d_start and way >= _G_WAY * abs(whole_way)

    def _is_uniform(self, row: Mapping[str, float | None]) -> bool:
        return _number(row, "diversity/fake") < self._least_diversity * _number(row, "diversity/real")


def _number(row: Mapping[str, float | None], name: str) -> float:
    """NaN, for which no comparison holds, where the row has none: an older version's, or a number that JSON lacks."""
    value = row.get(name)
    return math.nan if value is None else value
