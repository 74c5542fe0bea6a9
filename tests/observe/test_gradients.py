import math

import pytest
from judging import View

from lsgan.observe.gradients import Gradients


@pytest.fixture
def gradients():
    return Gradients(every=2, num_samples=101)


def norms(median, num_vanishing=0):
    """From 0 to twice the median, after so many that are just below a hundredth of it."""
    return [0.0099 * median] * num_vanishing + [median + i * median / 100 for i in range(-50 + num_vanishing, 51)]


def test_median_and_percentiles(gradients):
    found = gradients.see(View(norms=norms(2.0)))
    assert found.scalars == pytest.approx(
        {
            "gradient/fake_median": 2.0,
            "gradient/fake_p10": 1.2,
            "gradient/fake_p90": 2.8,
            "gradient/fake_vanishing": 0.0,
        }
    )
    assert found.labels["gradient/fake_median"] == (
        "median of the norm of the gradient of G's loss at one fake, for 101 fresh fakes of G as it is (not of its "
        "average)"
    )
    assert found.labels.keys() == set(gradients.columns)


def test_vanishing_is_below_a_hundredth_of_the_first_median(gradients):
    assert gradients.see(View(norms=norms(2.0, num_vanishing=10))).scalars["gradient/fake_vanishing"] == 10 / 101
    below, above = ([value] * 101 for value in (0.0199, 0.0201))
    assert gradients.see(View(norms=below)).scalars["gradient/fake_vanishing"] == 1
    assert gradients.see(View(norms=above)).scalars["gradient/fake_vanishing"] == 0


def test_a_resumed_run_compares_with_the_first_row_that_has_it(gradients):
    rows = [
        {"step": 1, "loss/generator": 1.0},
        {"step": 2, "gradient/fake_median": None},  # JSON's NaN
        {"step": 3, "gradient/fake_median": 5.0},
        {"step": 4, "gradient/fake_median": 0.01},
    ]
    gradients.recall(rows, None)
    assert gradients.see(View(norms=[0.0499] * 101)).scalars["gradient/fake_vanishing"] == 1
    assert gradients.see(View(norms=[0.0501] * 101)).scalars["gradient/fake_vanishing"] == 0


def test_without_such_a_row_the_next_look_is_the_first(gradients):
    gradients.recall([{"step": 1, "loss/generator": 1.0}], None)
    assert gradients.see(View(norms=[0.01] * 101)).scalars["gradient/fake_vanishing"] == 0


def test_norms_that_are_no_numbers_are_told_and_are_no_start(gradients):
    assert all(math.isnan(value) for value in gradients.see(View(norms=[math.nan] * 101)).scalars.values())
    assert gradients.see(View(norms=[0.0] * 101)).scalars["gradient/fake_vanishing"] == 1
    gradients.see(View(norms=norms(2.0)))
    assert gradients.see(View(norms=[0.0199] * 101)).scalars["gradient/fake_vanishing"] == 1


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match=r"^num_samples=15 must be at least 16: fewer tell nothing$"):
        Gradients(every=2, num_samples=15)
