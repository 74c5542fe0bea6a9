"""Optimal discriminators against a search, and the papers' identities to 1e-8 or better."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from lsgan.losses import LeastSquares
from lsgan.theory.divergences import jsd, pearson_vajda, total_variation, triangular
from lsgan.theory.optimal import (
    Targets,
    gan_discriminator,
    gan_value,
    jsd_from_value,
    lemma_argmax,
    triangular_from_value,
)
from lsgan.theory.pairs import OnGrid, OnLine

TRIPLES = [(-1, 1, 0), (0, 1, 1), (0, 1, 0.5), (-2, 3, 0.25), (0.5, -1, 2)]


def gaussian(mean, std=1.0):
    return lambda x: -0.5 * ((x - mean) / std) ** 2 - math.log(std * math.sqrt(2 * math.pi))


@pytest.fixture(params=[0.0, 0.7, 2.0, 12.0])
def pair(request):
    return OnLine(gaussian(0), gaussian(request.param, 1.3), points=(0, request.param))


@pytest.mark.parametrize(("a", "b"), [(1, 1), (1, 3), (0, 2), (2, 0)])
def test_the_lemma(a, b):
    x = np.linspace(1e-9, 1 - 1e-9, 100_001)
    values = a * np.log(x) + b * np.log(1 - x)
    assert lemma_argmax(a, b) == pytest.approx(x[values.argmax()], abs=2e-5)
    with pytest.raises(ValueError, match=r"^a=-1 and b=1 must be at least 0, and one of them above$"):
        lemma_argmax(-1, 1)


@pytest.mark.parametrize("triple", TRIPLES)
def test_the_optimal_discriminator_minimises_the_loss_pointwise(triple):
    targets, p, q = Targets(*triple), 0.3, 0.8
    best = minimize_scalar(lambda d: p * (d - targets.b) ** 2 / 2 + q * (d - targets.a) ** 2 / 2).x
    assert targets.discriminator(np.log([p]), np.log([q]))[0] == pytest.approx(best, abs=1e-8)
    assert gan_discriminator(np.log([p]), np.log([q]))[0] == pytest.approx(lemma_argmax(p, q))


def test_where_neither_density_is_the_discriminator_is_in_the_middle():
    nowhere = np.array([-np.inf])
    assert gan_discriminator(nowhere, nowhere)[0] == 0.5
    assert Targets(-1, 1, 0).discriminator(nowhere, nowhere)[0] == 0


def test_the_standard_gan_minimises_the_jensen_shannon_divergence(pair):
    assert gan_value(pair) == pytest.approx(2 * jsd(pair) - 2 * math.log(2), abs=1e-10)
    assert jsd_from_value(-gan_value(pair)) == pytest.approx(jsd(pair), abs=1e-10)


@pytest.mark.parametrize("triple", TRIPLES)
def test_the_criterion_is_a_pearson_divergence_where_it_says_so(pair, triple):
    targets = Targets(*triple)
    if targets.pearson_factor is not None:
        assert targets.criterion(pair) == pytest.approx(targets.pearson_factor * triangular(pair), abs=1e-9)


def test_which_targets_are_a_pearson_divergence():
    assert Targets(-1, 1, 0).pearson_factor == 1
    assert Targets(0, 1, 0.5).pearson_factor == 0.25
    assert Targets(-2, 4, 1).pearson_factor == 9
    for triple in ((0, 1, 1), (-1, 1, 0.001), (1, 1, 1)):
        assert Targets(*triple).pearson_factor is None


@pytest.mark.parametrize("triple", TRIPLES)
def test_the_criterion_is_the_pearson_divergence_and_a_constant_whatever_the_targets(pair, triple):
    """2C = ((b-a)/2)² Δ + 2 ((a+b)/2 - c)²: c does not choose what is minimised."""
    a, b, c = triple
    expected = ((b - a) / 2) ** 2 * triangular(pair) + 2 * ((a + b) / 2 - c) ** 2
    assert Targets(*triple).criterion(pair) == pytest.approx(expected, abs=1e-8)


# G's exponent


@pytest.mark.parametrize("k", [1, 1.5, 2, 3, 4.5])
@pytest.mark.parametrize("triple", [(-1, 1, 0), (0, 1, 0.5), (3, -1, 1)])
def test_with_c_halfway_the_criterion_is_a_pearson_vajda_divergence(pair, triple, k):
    a, b, c = triple
    targets, loss = Targets(a, b, c, k), LeastSquares(a, b, c, k)
    assert targets.vajda_factor == abs(b - c) ** k
    assert targets.criterion(pair) == pytest.approx(targets.vajda_factor * pearson_vajda(pair, k), abs=1e-8)
    assert f"{targets.vajda_factor / 2:g}·" in loss.meaning


def test_the_pearson_vajda_divergence_by_its_definition(pair):
    """∫ |p - q|^k / (p + q)^(k-1), with densities; of order 1 twice the total variation, of order 2 the triangular."""
    x = np.linspace(-15, 30, 40_001)
    p, q = np.exp(pair.log_p(x)), np.exp(pair.log_q(x))
    total = np.maximum(p + q, 1e-300)
    for k, precision in ((1, 1e-5), (1.5, 1e-7), (3, 1e-8)):  # the sum is worse where the integrand has a corner
        values = total * (abs(p - q) / total) ** k
        assert pearson_vajda(pair, k) == pytest.approx(values.sum() * (x[1] - x[0]), abs=precision)
    assert pearson_vajda(pair, 1) == pytest.approx(2 * total_variation(pair), abs=1e-8)
    assert pearson_vajda(pair, 2) == pytest.approx(triangular(pair), abs=1e-8)


@pytest.mark.parametrize("k", [1.5, 2, 3])
@pytest.mark.parametrize("triple", TRIPLES)
def test_the_criterion_is_least_where_g_has_the_data(pair, triple, k):
    """2·|(a+b)/2 - c|^k there and more elsewhere, with c halfway or not (Jensen)."""
    a, b, c = triple
    least = 2 * abs((a + b) / 2 - c) ** k
    assert Targets(a, b, c, k).criterion(OnLine(gaussian(0), gaussian(0), points=(0,))) == pytest.approx(
        least, abs=1e-8
    )
    assert Targets(a, b, c, k).criterion(pair) > least + 1e-3


def test_without_a_c_halfway_and_with_the_exponent_one_there_is_no_divergence():
    """(0, 1, 1): a constant, ½·∫ q·|0 - 1|. With c between a and b: a constant near the data."""
    for gap in (0.0, 0.7, 12.0):
        pair = OnLine(gaussian(0), gaussian(gap), points=(0, gap))
        assert Targets(0, 1, 1, k=1).criterion(pair) == pytest.approx(1, abs=1e-8)
    near = [OnGrid(np.log([0.5, 0.5]), np.log([share, 1 - share]), 1.0) for share in (0.5, 0.4, 0.3)]
    assert [Targets(0, 1, 0.8, k=1).criterion(pair) for pair in near] == pytest.approx([0.6] * 3, abs=1e-12)
    assert [Targets(0, 1, 0.5, k=1).criterion(pair) for pair in near] == pytest.approx([0, 0.1, 0.2], abs=1e-12)


def test_other_exponents_are_no_pearson_divergence():
    assert Targets(-1, 1, 0, k=3).pearson_factor is None
    assert Targets(0, 1, 1, k=3).vajda_factor is None
    assert Targets(0, 1, 0.5, k=3).vajda_factor == 0.125


@pytest.mark.parametrize("triple", TRIPLES)
def test_the_criterion_by_its_definition(pair, triple):
    """2C = ∫ ((b-c) p + (a-c) q)² / (p+q), with densities instead of logarithms."""
    a, b, c = triple
    x = np.linspace(-15, 30, 40_001)
    p, q = np.exp(pair.log_p(x)), np.exp(pair.log_q(x))
    inside = p + q > 1e-300
    values = np.divide(((b - c) * p + (a - c) * q) ** 2, p + q, out=np.zeros_like(p), where=inside)
    assert Targets(*triple).criterion(pair) == pytest.approx(values.sum() * (x[1] - x[0]), rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("triple", TRIPLES)
def test_a_discriminators_loss_tells_the_distance_whatever_the_targets(pair, triple):
    targets = Targets(*triple)
    assert triangular_from_value(targets.discriminator_value(pair), targets) == pytest.approx(
        triangular(pair), abs=1e-9
    )


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("triple", TRIPLES)
def test_values_at_equilibrium_and_far_apart(triple, k):
    a, b, c = triple
    targets = Targets(a, b, c, k)
    equal = OnLine(gaussian(0), gaussian(0), points=(0,))
    far = OnLine(gaussian(0), gaussian(60), points=(0, 30, 60))
    for pair, (of_d, of_g) in ((equal, targets.at_equilibrium), (far, targets.if_discriminator_wins)):
        assert targets.discriminator_value(pair) == pytest.approx(of_d, abs=1e-9)
        assert targets.generator_value(pair) == pytest.approx(of_g, abs=1e-9)


@pytest.mark.parametrize("k", [1, 2, 3.5])
@pytest.mark.parametrize("triple", TRIPLES)
def test_the_losses_say_the_same_reference_values(triple, k):
    a, b, c = triple
    loss, targets = LeastSquares(a=a, b=b, c=c, k=k), Targets(a, b, c, k)
    assert loss.reference.discriminator_at_equilibrium == pytest.approx(targets.at_equilibrium[0])
    assert loss.reference.generator_at_equilibrium == pytest.approx(targets.at_equilibrium[1])
    assert loss.reference.generator_if_discriminator_wins == pytest.approx(targets.if_discriminator_wins[1])
    nowhere = np.array([-np.inf])
    assert loss.reference.discriminator_output_at_equilibrium == targets.discriminator(nowhere, nowhere)[0]
    assert loss.reference.discriminator_if_it_wins == targets.if_discriminator_wins[0]
    optimal = torch.tensor([[(a + b) / 2]])
    torch.testing.assert_close(loss.discriminator(optimal, optimal).item(), targets.at_equilibrium[0])


def test_the_facts_of_the_disjoint():
    """2C for disjoint supports: 2 for (-1, 1, 0), 1 for (0, 1, 1), ½ for (0, 1, ½)."""
    with np.errstate(divide="ignore"):
        disjoint = OnGrid(np.log([1.0, 0.0]), np.log([0.0, 1.0]), 1.0)
    assert [Targets(*t).criterion(disjoint) for t in ((-1, 1, 0), (0, 1, 1), (0, 1, 0.5))] == [2, 1, 0.5]
