"""Divergences against closed forms, and the identities that tie losses to them."""

import math
import warnings

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from lsgan.theory import divergences
from lsgan.theory.divergences import jsd, kl, neyman, pearson, total_variation, triangular
from lsgan.theory.pairs import InPlane, OnGrid, OnLine


def gaussian(mean, std=1.0):
    return lambda x: -0.5 * ((x - mean) / std) ** 2 - math.log(std * math.sqrt(2 * math.pi))


def on_line(shift, std=1.0):
    return OnLine(gaussian(0), gaussian(shift, std), points=(0, shift / 2, shift))


def on_grid(shift, std=1.0):
    x = np.linspace(-20, 20 + shift, 8001)
    return OnGrid(gaussian(0)(x), gaussian(shift, std)(x), x[1] - x[0])


KINDS = pytest.mark.parametrize("pair", [on_line, on_grid], ids=["by quadrature", "on a grid"])


@KINDS
def test_gaussians_have_closed_forms(pair):
    for m in (0.5, 1.0, 3.0):
        assert kl(pair(m)) == pytest.approx(m**2 / 2, abs=1e-9)
        assert pearson(pair(m)) == pytest.approx(math.expm1(m**2), rel=1e-9)
        assert neyman(pair(m)) == pytest.approx(math.expm1(m**2), rel=1e-9)
        # |p - q| has a corner, which a grid sees to the square of its spacing
        assert total_variation(pair(m)) == pytest.approx(math.erf(m / 2 / math.sqrt(2)), abs=1e-6)
    assert kl(pair(0, 2.0)) == pytest.approx(math.log(2) + 1 / 8 - 1 / 2, abs=1e-9)
    # ∫ q² / p - 1 of N(0, 1) and N(0, s²), s² < 2: 1 / (s √(2 - s²)) - 1; the other way round s² / √(2 s² - 1) - 1
    s = 0.8
    assert pearson(pair(0, s)) == pytest.approx(1 / (s * math.sqrt(2 - s**2)) - 1, rel=1e-9)
    s = 1.2
    assert neyman(pair(0, s)) == pytest.approx(s**2 / math.sqrt(2 * s**2 - 1) - 1, rel=1e-9)


@KINDS
def test_equal_densities_are_0_apart(pair):
    for divergence in (kl, jsd, pearson, neyman, triangular, total_variation):
        assert divergence(pair(0)) == pytest.approx(0, abs=1e-12)


@KINDS
def test_bounded_ones_reach_their_bounds_far_apart_and_no_further(pair):
    assert jsd(pair(30)) == pytest.approx(math.log(2), abs=1e-9)
    assert triangular(pair(30)) == pytest.approx(2, abs=1e-9)
    assert total_variation(pair(30)) == pytest.approx(1, abs=1e-9)
    assert kl(pair(30)) == pytest.approx(450, rel=1e-6)  # densities underflow there, their logarithms do not


@KINDS
def test_triangular_and_jsd_bound_each_other(pair):
    """Δ/4 <= JSD <= (log 2 / 2) Δ (Topsøe, 2000)."""
    for m in (0.1, 1.0, 4.0):
        delta, js = triangular(pair(m)), jsd(pair(m))
        assert delta / 4 < js < math.log(2) / 2 * delta


def test_which_density_is_below_the_line():
    """By hand: p = (¼, ¾), q = (½, ½) on two cells of size 1."""
    pair = OnGrid(np.log([0.25, 0.75]), np.log([0.5, 0.5]), 1.0)
    assert pearson(pair) == pytest.approx(0.0625 / 0.25 + 0.0625 / 0.75)
    assert neyman(pair) == pytest.approx(2 * 0.0625 / 0.5)
    assert triangular(pair) == pytest.approx(0.0625 / 0.75 + 0.0625 / 1.25)
    assert total_variation(pair) == pytest.approx(0.25)
    assert kl(pair) == pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5))
    assert jsd(pair) == pytest.approx(
        (0.25 * math.log(0.25 / 0.375) + 0.75 * math.log(0.75 / 0.625)) / 2
        + (0.5 * math.log(0.5 / 0.375) + 0.5 * math.log(0.5 / 0.625)) / 2
    )


def test_where_a_density_is_0():
    with np.errstate(divide="ignore"):
        pair = OnGrid(np.log([0.0, 0.5, 0.5, 0.0]), np.log([0.5, 0.5, 0.0, 0.0]), 1.0)
    assert kl(pair) == math.inf
    assert pearson(pair) == neyman(pair) == math.inf
    assert triangular(pair) == pytest.approx(1)
    assert total_variation(pair) == pytest.approx(0.5)
    assert jsd(pair) == pytest.approx(math.log(2) / 2)


def test_two_dimensions_agree_with_one():
    """Two Gaussians that differ along one axis are as far apart as those of that axis."""

    def log_density(mean):
        return lambda x, y: gaussian(mean)(x) + gaussian(0)(y)

    plane = InPlane(log_density(0), log_density(1), (-7, 8), (-7, 7))
    axis = np.linspace(-9, 10, 401)
    x, y = np.meshgrid(axis, axis)
    grid = OnGrid(
        multivariate_normal([0, 0]).logpdf(np.stack([x, y], -1)),
        multivariate_normal([1, 0]).logpdf(np.stack([x, y], -1)),
        (axis[1] - axis[0]) ** 2,
    )
    for divergence in (jsd, triangular):
        assert divergence(plane) == pytest.approx(divergence(on_line(1)), abs=1e-8)
        assert divergence(grid) == pytest.approx(divergence(on_line(1)), abs=1e-8)


def test_a_grid_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match=r"^log_p has shape \(2,\), log_q \(3,\): one grid has both$"):
        OnGrid(np.zeros(2), np.zeros(3), 1.0)
    with pytest.raises(ValueError, match=r"^a density is NaN: a logarithm of 0 is -inf$"):
        OnGrid(np.array([np.nan]), np.zeros(1), 1.0)
    with pytest.raises(ValueError, match=r"^cell=0 must be above 0$"):
        OnGrid(np.zeros(1), np.zeros(1), 0)


def test_every_divergence_says_its_range_and_source():
    for function in (kl, jsd, pearson, neyman, triangular, total_variation):
        assert "in [0, " in function.__doc__
    assert divergences.__doc__


def test_a_chi_square_beyond_float64_is_infinite_without_a_warning():
    """e^d² for d = 40: e^1600."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pearson(on_grid(40.0)) == math.inf
        x = np.linspace(-20, 60, 8001)  # q² / p lies about 40
        assert pearson(OnGrid(gaussian(0)(x), gaussian(20)(x), 0.01)) == pytest.approx(math.exp(400), rel=1e-6)
