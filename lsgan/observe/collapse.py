"""A watch for runs that have died, and for those that may: G makes one sample only, or D has won outright.

It reads rows of metrics.jsonl and nothing else, so a resumed run that is shown its earlier rows gives the same warnings
at the same steps.
"""

import math
import statistics
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lsgan.errors import CollapsedError
from lsgan.observe.observer import Finding, Observer, Row, View

if TYPE_CHECKING:
    from lsgan.losses import Loss, Reference

COLLAPSED, DISCRIMINATOR_WON = "collapsed", "discriminator_won"  # the flags

_D_LOSS = 0.02  # of its way down from equilibrium to D's victory: what is left where D's loss is near its end, mostly 0
_G_WAY = 0.8  # of the way from G's loss at equilibrium to its value when D wins


class CollapseWatch(Observer):
    """Warns once a run of each of two things, at the first row where the last `steps` steps show it:

    - collapsed: the diversity of the fakes in a batch is a share below `diversity` of that of the real samples;
    - discriminator_won: D's loss and G's are near their "D wins" values (not for losses without finite ones). The
      samples may still get better, when D has learnt a small set by heart: this never stops a run.

    Each on the median of the rows: it is deaf to the odd step at which a dead run twitches, or a healthy one falters.

    Args:
        on_collapse: warn, or stop the run.
        steps: G updates; at least 1.
        diversity: a share in [0, 1]; 0 leaves diversity unwatched.

    Raises:
        ValueError: a value is none of these.
    """

    every = None
    reads = ("diversity/fake", "diversity/real", "loss/discriminator", "loss/generator")

    def __init__(self, on_collapse: str, steps: int, diversity: float) -> None:
        if on_collapse not in ("warn", "stop"):
            raise ValueError(f"on_collapse={on_collapse} must be warn or stop")
        if steps < 1:
            raise ValueError(f"steps={steps} must be at least 1")
        if not 0 <= diversity <= 1:
            raise ValueError(f"diversity={diversity:g} must be a share in [0, 1]")
        self._stops, self._steps, self._least_diversity = on_collapse == "stop", steps, diversity
        self._rows: deque[tuple[float, float, float, float]] = deque()  # step, share, D's loss, G's loss
        self._told: dict[str, str] = {}  # the sentences so far, by flag

    def see(self, view: View) -> Finding | None:
        warnings = self.read({"step": view.step, **view.row}, view.loss.reference)
        stop = None
        if self._stops and COLLAPSED in warnings:
            stop = CollapsedError(f"step {view.step}: {warnings[COLLAPSED]}")
        return Finding(warnings=warnings, stop=stop) if warnings else None

    def recall(self, rows: Iterable[Row], loss: "Loss") -> None:
        """Raises CollapsedError if the run has collapsed, and is to stop then."""
        for row in rows:
            self.read(row, loss.reference)
        if self._stops and COLLAPSED in self._told:
            raise CollapsedError(
                f"the run has collapsed ({self._told[COLLAPSED]}): add on_collapse=warn to go on all the same"
            )

    def read(self, row: Row, reference: "Reference") -> dict[str, str]:
        """The next row, `step` included: what it gives reason to say, by flag. One without the columns is passed over.

        `reference` is the loss's.
        """
        if not row.keys() >= set(self.reads):
            return {}
        step, fake, real, d_loss, g_loss = (_number(row[name]) for name in ("step", *self.reads))
        self._rows.append((step, fake / real if real > 0 else math.nan, d_loss, g_loss))
        while self._rows[0][0] <= step - self._steps:
            self._rows.popleft()
        if step < self._steps:
            return {}
        signs = self._signs(reference)
        new = {flag: sentence for flag, sentence in signs.items() if flag not in self._told}
        self._told |= new
        return new

    def _signs(self, reference: "Reference") -> dict[str, str]:
        """The sentences for what the medians of the window show."""
        _, *columns = zip(*self._rows, strict=True)
        share, d_loss, g_loss = (_median(column) for column in columns)
        during, signs = f"over the last {self._steps} steps the median", {}
        if share < self._least_diversity:
            signs[COLLAPSED] = (
                f"G makes nearly one sample: {during} diversity of its batches is {share:.2g} of the real ones'; "
                "lower optimizer.generator.lr, or change the loss or the architecture"
            )
        if _d_wins(d_loss, g_loss, reference):
            signs[DISCRIMINATOR_WON] = (
                f"D has won: {during} of D's loss is {d_loss:.3g} and of G's {g_loss:.3g}; look at the samples, and if "
                "they get no better add a penalty (penalty=r1), take more data, or lower optimizer.discriminator.lr"
            )
        return signs


def _d_wins(d_loss: float, g_loss: float, reference: "Reference") -> bool:
    d_start, d_end = reference.discriminator_at_equilibrium, reference.discriminator_if_it_wins
    g_start, g_end = reference.generator_at_equilibrium or 0.0, reference.generator_if_discriminator_wins
    if not d_start or d_end is None or g_end is None or not math.isfinite(g_end):
        return False
    whole_way = g_end - g_start
    way = math.copysign(1, whole_way) * (g_loss - g_start)
    return d_loss - d_end < _D_LOSS * (d_start - d_end) and way >= _G_WAY * abs(whole_way)


def _number(value: float | None) -> float:
    """NaN for a number that JSON does not know."""
    return math.nan if value is None else value


def _median(values: Sequence[float]) -> float:
    """NaN, which shows no sign of anything, as soon as one value is."""
    return math.nan if any(map(math.isnan, values)) else statistics.median(values)
