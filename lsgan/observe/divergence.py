"""How far real samples and fakes are apart, on one axis for all losses."""

from lsgan.observe.judged import FAKES, as_array, check_number, judged_reals, real_side
from lsgan.observe.observer import Finding, Observer, View


class Divergence(Observer):
    """Lower bounds of the triangular discrimination and of the Jensen–Shannon divergence, read from a calibrated D.

    On held-out images where there are any, else on training images, which a D that knows them by heart tells apart too
    well: the label says which. Two losses compare by it, as far as their D's are equally able: one that sees more finds
    more.

    Args:
        every: steps.
        num_samples: of each side; fewer if there are fewer real ones.

    Raises:
        ValueError: fewer than 16 samples.
    """

    columns = ("divergence/triangular", "divergence/triangular_stderr", "divergence/jsd", "divergence/jsd_stderr")

    def __init__(self, every: int, num_samples: int) -> None:
        check_number(num_samples)
        self.every, self._num = every, num_samples

    def see(self, view: View) -> Finding | None:
        from lsgan.evaluation.calibration import divergences

        real = judged_reals(view, self._num, held_out=True) or judged_reals(view, self._num)
        if real is None:
            return None
        fake, side = as_array(view.judged_fakes(self._num).outputs)[: len(real.outputs)], real_side(view.loss)
        where = f"lower bound through D, calibrated; on {real.told} and as many {FAKES}"
        ranges = ("Δ in [0, 2]", "of Δ", "JSD in [0, log 2] nats", "of JSD")
        labels = {
            column: f"{'standard error ' if column.endswith('stderr') else ''}{what}: {where}"
            for column, what in zip(self.columns, ranges, strict=True)
        }
        return Finding(
            dict(zip(self.columns, divergences(side * real.outputs, side * fake), strict=True)), labels=labels
        )
