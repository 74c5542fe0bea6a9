import math

import pytest
from judging import View

from lsgan.losses import LeastSquares, NonSaturating
from lsgan.observe.overfit import Overfit


def see(view, num=64):
    return Overfit(every=2, num_samples=num).see(view)


def test_the_gap_in_units_of_the_targets_distance():
    found = see(View(training=0.5, held_out=0.25))
    assert found.scalars["overfit/gap"] == pytest.approx(0.25 / 2)
    assert found.labels["overfit/gap"] == (
        "D's mean output on 64 training images minus that on 32 held-out images, in units of b - a"
    )
    assert found.labels["overfit/gap_stderr"] == f"standard error: {found.labels['overfit/gap']}"
    assert see(View(training=0.5, held_out=0.25, loss=LeastSquares(0, 1, 1))).scalars["overfit/gap"] == pytest.approx(
        0.25
    )


def test_its_error():
    """A ramp of n steps from -1 to 1 has variance (n + 1) / (3·(n - 1)), with n - 1 below the line."""
    variances = [n * (n + 1) / (3 * (n - 1) ** 2) for n in (64, 32)]
    expected = math.sqrt(variances[0] / 64 + variances[1] / 32) / 2
    assert see(View()).scalars["overfit/gap_stderr"] == pytest.approx(expected, rel=1e-6)


def test_targets_the_other_way_round():
    found = see(View(training=-0.5, held_out=-0.25, loss=LeastSquares(a=1, b=-1, c=0))).scalars
    assert found["overfit/gap"] == pytest.approx(0.125)
    assert found["overfit/gap_stderr"] > 0


def test_without_targets_the_unit_is_how_far_training_images_and_fakes_are_apart():
    found = see(View(training=0.5, held_out=0.25, fake=-2.0, loss=NonSaturating()))
    assert found.scalars["overfit/gap"] == pytest.approx(0.25 / 2.5)
    assert "in units of the distance of D's means on training images and fresh fakes" in found.labels["overfit/gap"]
    nowhere = see(View(training=0.5, fake=0.5, loss=NonSaturating())).scalars  # D tells nothing from anything
    assert all(math.isnan(value) for value in nowhere.values())


@pytest.mark.parametrize("num_held_out", [0, 15])
def test_without_held_out_images_there_is_nothing_to_say(num_held_out):
    assert see(View(num_held_out=num_held_out)) is None
    assert see(View(num=None, num_held_out=0)) is None


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match=r"^num_samples=15 must be at least 16: fewer tell nothing$"):
        Overfit(every=2, num_samples=15)
