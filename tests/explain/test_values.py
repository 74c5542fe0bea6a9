"""The numbers that the words quote, by hand or from another formula."""

import math

import numpy as np
import pytest

from lsgan.explain.choices import Choices
from lsgan.explain.figures import chi2, discriminators, jsd, lemma, losses, plane
from lsgan.explain.gaussians import apart, log_chi_square_and_1
from lsgan.explain.words import Words, typeset
from lsgan.theory import divergences
from lsgan.theory.gaussians import log_density
from lsgan.theory.optimal import Targets


def values(module, **choices):
    return module.draw(Choices(**choices), str).values


def test_lemma():
    assert values(lemma)["best"] == 0.75


def test_jsd_is_the_library_s_and_its_slope_that_of_an_integral():
    found = values(jsd)
    x = np.linspace(-15, 20, 35001)
    p, q = log_density(x, 0.0, 1.0), log_density(x, 2.0, 1.0)
    m = np.logaddexp(p, q) - math.log(2)
    divergence = (np.exp(p) * (p - m) + np.exp(q) * (q - m)).sum() / 2 * 0.001
    assert found["at_chosen"] == pytest.approx(divergence, abs=1e-6)
    q = log_density(x, found["steepest"], 1.0)  # ½ ∫ ∂q/∂μ log(q / m)
    terms = np.exp(q) * (x - found["steepest"]) * (q - np.logaddexp(p, q) + math.log(2))
    assert found["slope"] == pytest.approx(terms.sum() / 2 * 0.001, abs=1e-6)
    assert 0 < found["slope_far"] < 1e-3 * found["slope"]
    assert 1.4 < found["steepest"] < 1.8


@pytest.mark.parametrize("fake_std", [0.5, 1.0, 1.2])
def test_the_closed_form_of_the_ordinary_chi_square_is_the_integral(fake_std):
    choices = Choices(fake_std=fake_std)
    for distance in (0.0, 0.7, 2.0):
        expected = divergences.pearson(apart(choices, distance))
        assert math.expm1(log_chi_square_and_1(choices, distance)) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_the_ordinary_chi_square_is_infinite_from_twice_the_variance_on():
    assert log_chi_square_and_1(Choices(fake_std=math.sqrt(2) + 1e-9), 1.0) == math.inf
    assert log_chi_square_and_1(Choices(fake_std=math.sqrt(2) - 1e-3), 1.0) < math.inf


def test_chi2_saturates_or_not():
    found = values(chi2)
    assert found["ordinary"] == "53.6"  # e⁴ - 1
    assert found["ordinary_far"] == "6.24·10²⁷"  # e⁶⁴
    assert found["triangular"] == pytest.approx(1.1008, abs=1e-4)
    assert 1.999 < found["triangular_far"] < 2
    assert found["share"] < 0.01
    assert values(chi2, fake_std=2.0)["ordinary"] == "∞"


def test_losses_have_the_slopes_that_are_told():
    found = values(losses, c=1.0)
    assert found["sure"] == found["fooled"] == pytest.approx(1 / (1 + math.exp(8)))
    assert found["least_squares_far"] == 7
    for _, loss, slope, _, _ in losses.curves(0.3):
        for t in (-3.0, 0.2, 4.0):
            assert slope(t) == pytest.approx((loss(t + 1e-5) - loss(t - 1e-5)) / 2e-5, rel=1e-6)


def test_losses_are_those_that_train():
    import torch

    from lsgan.losses import LeastSquares, Minimax, NonSaturating

    trained = {"minimax": Minimax(), "nsgan": NonSaturating(), "least_squares": LeastSquares(-1.0, 1.0, 0.3)}
    for key, loss, _, _, _ in losses.curves(0.3):
        for t in (-3.0, 0.2, 4.0):
            told = trained[key].generator(torch.tensor([[t]], dtype=torch.float64))
            assert loss(t) == pytest.approx(told.item(), rel=1e-6)


def test_discriminators_mark_the_middle():
    assert values(discriminators, a=0.0, b=1.0)["middle"] == 0.5


def test_2c_is_a_multiple_of_the_triangular_discrimination_and_a_constant_for_any_targets():
    for a, b, c in ((-1.0, 1.0, 0.0), (0.0, 1.0, 1.0), (0.3, -2.0, 0.7)):
        found = values(plane, a=a, b=b, c=c)
        pair = apart(Choices(), 1.3)
        expected = found["factor"] * divergences.triangular(pair) + found["constant"]
        assert Targets(a, b, c).criterion(pair) == pytest.approx(expected, abs=1e-9)


def test_the_pull_is_minus_the_slope_of_v_g_through_a_d_that_stands_still():
    x = np.linspace(-15, 15, 30001)
    for targets in plane.NAMED:
        answers = targets.discriminator(log_density(x, 0.0, 1.0), log_density(x, -1.0, 1.0))

        def loss(mean, answers=answers, targets=targets):
            return np.sum(np.exp(log_density(x, mean, 1.0)) * (answers - targets.c) ** 2) / 2 * (x[1] - x[0])

        slope = (loss(-1 + 1e-4) - loss(-1 - 1e-4)) / 2e-4
        assert plane.pull(targets, 1.0) == pytest.approx(-slope, rel=1e-6)


def test_near_equilibrium_a_pearson_triple_pulls_with_the_cube():
    found = values(plane)
    assert found["power_pearson"] == pytest.approx(3, abs=0.01)
    assert found["power_above"] == pytest.approx(1, abs=0.01)
    assert plane.pull(plane.NAMED[2], 0.1) < 0  # c below the middle: away
    assert (found["equilibrium_pearson"], found["equilibrium_above"], found["wins"]) == (0, 0.125, 0.5)


def test_numbers_are_typeset():
    assert [typeset(number) for number in ("-1", "8.5e-05", "-2e+12", "0.5", "∞")] == [
        "−1", "8.5·10⁻⁵", "−2·10¹²", "0.5", "∞",
    ]  # fmt: skip
    words = Words("t", ("{a:g}: well-known",), "{b:.2g}", {}).quoting({"a": -1.0, "b": 1e-7})
    assert (words.text, words.alt) == (("−1: well-known",), "1·10⁻⁷")
