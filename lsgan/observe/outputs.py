"""Where D puts real samples and fakes."""

import math

from lsgan.observe.judged import FAKES, as_array, check_number, judged_reals, quantiles, real_side
from lsgan.observe.observer import Finding, Observer, View

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_NAMES = tuple(f"q{round(100 * quantile):02d}" for quantile in _QUANTILES)


class Outputs(Observer):
    """Quantiles of D's outputs, to be read against its targets, and the share of fakes on the far side of the middle.

    Args:
        every: steps.
        num_samples: of each side; fewer if there are fewer real ones.

    Raises:
        ValueError: fewer than 16 samples.
    """

    columns = (
        *(f"outputs/{side}_{name}" for side in ("real", "fake") for name in _NAMES),
        "outputs/fake_on_real_side",
    )

    def __init__(self, every: int, num_samples: int) -> None:
        check_number(num_samples)
        self.every, self._num = every, num_samples

    def see(self, view: View) -> Finding:
        fakes = as_array(view.judged_fakes(self._num).outputs)
        real, told = judged_reals(view, self._num), f"{self._num} {FAKES}"
        sides = {"fake": (fakes, told)} if real is None else {"real": real, "fake": (fakes, told)}
        scalars, labels = {}, {}
        for side, (outputs, which) in sides.items():
            for name, value in zip(_NAMES, quantiles(outputs, _QUANTILES), strict=True):
                scalars[f"outputs/{side}_{name}"] = value
                labels[f"outputs/{side}_{name}"] = f"quantile .{name[1:]} of D's output on {which}"
        middle = view.loss.reference.discriminator_output_at_equilibrium
        if middle is not None:
            direction = real_side(view.loss)
            share = float((direction * (fakes - middle) > 0).mean()) if math.isfinite(fakes.sum()) else math.nan
            beyond = f"{'above' if direction > 0 else 'below'} {middle:g}"
            scalars["outputs/fake_on_real_side"] = share
            labels["outputs/fake_on_real_side"] = (
                f"share of {told} with D's output {beyond}, where it is at equilibrium"
            )
        return Finding(scalars, labels=labels)
