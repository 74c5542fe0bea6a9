"""What D's outputs tell of divergences, against those of two Gaussians that the theory knows."""

import math

import numpy as np
import pytest

from lsgan.evaluation.calibration import divergences
from lsgan.theory.divergences import jsd, triangular
from lsgan.theory.optimal import Targets, triangular_from_value
from lsgan.theory.pairs import OnLine

PEARSON = Targets(-1, 1, 0)


def log_density(mean):
    return lambda x: -((x - mean) ** 2) / 2 - math.log(2 * math.pi) / 2


def pair(distance):
    """Two Gaussians of width 1."""
    return OnLine(log_density(distance / 2), log_density(-distance / 2), (-distance / 2, 0, distance / 2))


def judged(distance, num, seed=0):
    """D*'s outputs on samples of either."""
    rng, gaussians = np.random.default_rng(seed), pair(distance)
    sides = (rng.normal(side * distance / 2, 1, num) for side in (1, -1))
    return [PEARSON.discriminator(gaussians.log_p(x), gaussians.log_q(x)) for x in sides]


@pytest.mark.parametrize(("distance", "true"), [(1.0, 0.408), (2.0, 1.101), (4.0, 1.863)])
def test_the_optimal_discriminator_tells_the_divergences(distance, true):
    assert triangular(pair(distance)) == pytest.approx(true, abs=5e-4)
    found = divergences(*judged(distance, 4000))
    for value, error, truth in (
        (found.triangular, found.triangular_stderr, true),
        (found.jsd, found.jsd_stderr, jsd(pair(distance))),
    ):
        assert 0.003 < error < 0.02
        assert -4 * error - 0.01 < value - truth < 3 * error  # a little below: η is found from samples


def test_any_rising_function_of_d_tells_the_same():
    real, fake = judged(2.0, 1000)
    found = divergences(real, fake)
    logits = [np.arctanh(side) * 2 for side in (real, fake)]
    assert divergences(*(5 * side + 3 for side in logits)) == found
    assert divergences(*(np.tanh(2 * side) for side in (real, fake))) == found
    assert divergences(-real, -fake).triangular <= 0  # but a falling one does not


def test_the_formula_of_an_optimal_d_is_wrong_for_another_scale():
    """2 - 8·V/(b - a)² of s·D* is (2s - s²)·Δ: the reason to calibrate."""
    gaussians, s = pair(2.0), 1.5

    def integrand(log_p, log_q):
        d = s * PEARSON.discriminator(log_p, log_q)
        return (np.exp(log_p) * (d - 1) ** 2 + np.exp(log_q) * (d + 1) ** 2) / 2

    found = triangular_from_value(gaussians.integral(integrand), PEARSON)
    assert found == pytest.approx((2 * s - s**2) * triangular(gaussians), rel=1e-8)


def test_equal_distributions_are_a_little_below_0_and_not_clipped():
    found = [
        divergences(*judged(0.0, 256, seed=seed) + np.random.default_rng(seed).normal(size=(2, 256)))
        for seed in range(20)
    ]
    triangulars = [one.triangular for one in found]
    assert -0.1 < np.mean(triangulars) < 0
    assert min(triangulars) < -0.02
    assert -0.03 < np.mean([one.jsd for one in found]) < 0


def test_the_standard_error_is_how_far_repetitions_spread():
    found = [divergences(*judged(2.0, 256, seed=seed)) for seed in range(80)]
    for name in ("triangular", "jsd"):
        spread = np.std([getattr(one, name) for one in found])
        told = np.mean([getattr(one, f"{name}_stderr") for one in found])
        assert 0.75 < told / spread < 1.33


def test_by_hand_where_d_tells_all_apart():
    """Each half has a block of four fakes and one of four real: η = ½/5 and 4½/5; between the blocks it is ½.

    Of either side one sample lies there, the other seven are 1/10 from their target.
    """
    found = divergences(range(8, 16), range(8))
    assert found.triangular == pytest.approx(2 * (7 * (1 - 4 * 0.01) + 0) / 8)
    assert found.jsd == pytest.approx(7 / 8 * math.log(2 * 0.9))
    values = [1 - 4 * 0.01] * 7 + [0.0]
    assert found.triangular_stderr == pytest.approx(math.sqrt(2 * np.var(values, ddof=1) / 8))


def test_outputs_that_are_all_the_same_tell_nothing():
    assert divergences(np.ones(64), np.ones(64)) == pytest.approx((0, 0, 0, 0), abs=1e-12)


@pytest.mark.parametrize("spoilt", [math.nan, math.inf])
def test_outputs_that_are_no_numbers_tell_nan(spoilt):
    found = divergences([*range(9), spoilt], range(10))
    assert all(math.isnan(value) for value in found)


@pytest.mark.parametrize(
    ("real", "fake", "told"),
    [
        (range(7), range(7), r"real samples \[7\] and on fakes \[7\] must be two lists of equally many, at least 8"),
        (range(9), range(8), r"real samples \[9\] and on fakes \[8\] must be two lists of equally many"),
        (np.zeros((8, 1)), np.zeros((8, 1)), r"real samples \[8, 1\]"),
    ],
)
def test_what_is_refused(real, fake, told):
    with pytest.raises(ValueError, match=told):
        divergences(real, fake)
    assert len(divergences(range(8), range(8))) == 4
