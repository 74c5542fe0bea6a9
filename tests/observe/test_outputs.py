import math

import pytest
from judging import View

from lsgan.losses import Hinge, LeastSquares, NonSaturating, Wasserstein
from lsgan.observe.outputs import Outputs


def see(view, num=41):
    return Outputs(every=2, num_samples=num).see(view)


def test_quantiles_of_either_side():
    """Of a ramp from mean - 1 to mean + 1."""
    found = see(View(training=0.5, fake=-0.5))
    ways = {"q05": -0.9, "q25": -0.5, "q50": 0.0, "q75": 0.5, "q95": 0.9}
    expected = {
        f"outputs/{side}_{name}": mean + way
        for side, mean in (("real", 0.5), ("fake", -0.5))
        for name, way in ways.items()
    }
    expected["outputs/fake_on_real_side"] = 10 / 41  # those above 0: of 41 from -1.5 to .5 by .05 the last ten
    assert found.scalars == pytest.approx(expected, abs=1e-6)
    assert found.scalars.keys() == found.labels.keys() == set(Outputs.columns)
    assert found.labels["outputs/real_q05"] == "quantile .05 of D's output on 41 training images"
    assert found.labels["outputs/fake_on_real_side"] == (
        "share of 41 fresh fakes of G as it is (not of its average) with D's output above 0, where it is at equilibrium"
    )


@pytest.mark.parametrize(
    ("loss", "share"),
    [
        (LeastSquares(a=-1, b=1, c=0), 10 / 41),
        (LeastSquares(a=1, b=-1, c=0), 30 / 41),  # real is below
        (LeastSquares(a=-1, b=0.5, c=0), 15 / 41),  # the middle is -1/4
        (NonSaturating(), 10 / 41),
    ],
)
def test_the_real_side_is_beyond_the_output_at_equilibrium(loss, share):
    assert see(View(fake=-0.5, loss=loss)).scalars["outputs/fake_on_real_side"] == pytest.approx(share)


@pytest.mark.parametrize("loss", [Hinge(), Wasserstein()])
def test_where_the_loss_has_no_middle_there_is_no_side(loss):
    found = see(View(loss=loss))
    assert "outputs/fake_on_real_side" not in found.scalars
    assert len(found.scalars) == 10


def test_too_few_real_samples_leave_the_fakes():
    assert {name[:12] for name in see(View(num=15)).scalars} == {"outputs/fake"}


def test_outputs_that_are_no_numbers_are_told():
    found = see(View(fake=math.nan)).scalars
    assert math.isnan(found["outputs/fake_q50"])
    assert math.isnan(found["outputs/fake_on_real_side"])
    assert found["outputs/real_q50"] == pytest.approx(0.5, abs=1e-6)


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match=r"^num_samples=15 must be at least 16: fewer tell nothing$"):
        Outputs(every=2, num_samples=15)
