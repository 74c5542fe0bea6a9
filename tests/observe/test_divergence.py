import math

import pytest
from judging import View, ramp

from lsgan.evaluation.calibration import divergences
from lsgan.losses import LeastSquares
from lsgan.observe.divergence import Divergence


def see(view, num=64):
    return Divergence(every=2, num_samples=num).see(view)


def test_held_out_images_against_as_many_fakes():
    found = see(View(held_out=0.75, num_held_out=32))
    expected = divergences(ramp(0.75, 32).double(), ramp(-0.5, 64).double()[:32])
    assert found.scalars == {f"divergence/{name}": value for name, value in expected._asdict().items()}
    assert found.labels["divergence/triangular"] == (
        "Δ in [0, 2]: lower bound through D, calibrated; on 32 held-out images and as many fresh fakes of G as it is "
        "(not of its average)"
    )
    assert found.labels["divergence/jsd_stderr"].startswith("standard error of JSD: lower bound")
    assert found.labels.keys() == found.scalars.keys() == set(Divergence.columns)


@pytest.mark.parametrize("num_held_out", [0, 15])
def test_without_enough_of_them_training_images_and_the_label_says_so(num_held_out):
    found = see(View(training=0.75, num_held_out=num_held_out))
    expected = divergences(ramp(0.75, 64).double(), ramp(-0.5, 64).double())
    assert found.scalars["divergence/triangular"] == expected.triangular
    assert "on 64 training images and" in found.labels["divergence/triangular"]
    assert "on 16 held-out images" in see(View(num_held_out=16)).labels["divergence/triangular"]


def test_of_a_known_distribution_there_are_always_enough():
    found = see(View(num=None, num_held_out=0), num=128)
    assert "on 128 fresh real samples and" in found.labels["divergence/jsd"]


def test_targets_the_other_way_round_tell_the_same():
    """The ramps are mirrored; which samples are in which half is not quite, so neither are the numbers."""
    straight = see(View(held_out=0.75, num_held_out=64))
    turned = see(View(held_out=-0.75, fake=0.5, num_held_out=64, loss=LeastSquares(a=1, b=-1, c=0)))
    assert straight.scalars["divergence/triangular"] > 0.5
    assert turned.scalars["divergence/triangular"] == pytest.approx(straight.scalars["divergence/triangular"], abs=0.15)


def test_too_few_real_samples_tell_nothing():
    assert see(View(num=15, num_held_out=0)) is None
    assert see(View(num=16, num_held_out=0)) is not None


def test_a_discriminator_that_says_nan_is_no_error():
    assert all(math.isnan(value) for value in see(View(fake=math.nan)).scalars.values())


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match=r"^num_samples=15 must be at least 16: fewer tell nothing$"):
        Divergence(every=2, num_samples=15)
