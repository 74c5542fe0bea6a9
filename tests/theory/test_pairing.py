"""Relativistic pairings against a search over all D on a few points, through the losses themselves."""

import numpy as np
import pytest
import torch
from torch.autograd.functional import hessian as hessian_of
from torch.autograd.functional import jacobian

from lsgan.losses import RelativisticAverage, RelativisticPaired
from lsgan.theory.divergences import triangular
from lsgan.theory.pairing import AVERAGE, PAIRED, PairedTargets, triangular_from_paired_value
from lsgan.theory.pairs import OnGrid

KINDS = [(RelativisticPaired, PAIRED), (RelativisticAverage, AVERAGE)]
TRIPLES = [(-1, 1, 0), (-1, 1, 1), (0, 1, 1), (2, -1, 0.3)]
# Densities on a few points, in multiples of 1/20, so that a batch holds every sample as often as it is likely.
DENSITIES = [([10, 10], [4, 16]), ([20, 0], [0, 20]), ([5, 5, 10], [5, 5, 10]), ([1, 4, 5, 10, 0], [8, 2, 3, 0, 7])]


def delta(real, fake):
    p, q = np.array(real) / 20, np.array(fake) / 20
    inside = p + q > 0
    return (((p - q)[inside]) ** 2 / (p + q)[inside]).sum()


def best(loss, real, fake):
    """The optimal D's outputs on the 20 real and 20 fake samples, in all 400 pairs; the loss is a square in them."""
    where = [torch.repeat_interleave(torch.arange(len(side)), torch.tensor(side)) for side in (real, fake)]
    pairs = torch.cartesian_prod(*where)

    def logits(outputs):
        return outputs[pairs[:, 0], None], outputs[pairs[:, 1], None]

    outputs = torch.zeros(len(real), dtype=torch.float64)
    gradient, hessian = (
        derivative(lambda d: loss.discriminator(*logits(d)), outputs) for derivative in (jacobian, hessian_of)
    )
    return logits(torch.linalg.pinv(hessian) @ -gradient)


@pytest.mark.parametrize(("kind", "weight"), KINDS)
@pytest.mark.parametrize("triple", TRIPLES)
@pytest.mark.parametrize(("real", "fake"), DENSITIES)
def test_the_optimal_discriminator_and_what_the_losses_are_worth(kind, weight, triple, real, fake):
    (a, b, c), distance = triple, delta(real, fake)
    loss, targets = kind(a, b, c), PairedTargets(a, b, c, weight)
    real_logits, fake_logits = best(loss, real, fake)
    assert (real_logits.mean() - fake_logits.mean()).item() == pytest.approx(targets.gap(distance), abs=1e-8)
    value = loss.discriminator(real_logits, fake_logits).item()
    assert value == pytest.approx(targets.discriminator_value(distance), abs=1e-8)
    assert loss.generator(fake_logits, real_logits).item() == pytest.approx(targets.generator_value(distance), abs=1e-8)
    assert triangular_from_paired_value(value, targets) == pytest.approx(distance, abs=1e-8)


def test_the_distance_is_that_of_the_library():
    real, fake = DENSITIES[0]
    pair = OnGrid(np.log(np.array(real) / 20), np.log(np.array(fake) / 20), 1.0)
    assert triangular(pair) == pytest.approx(delta(real, fake), abs=1e-12)


def test_the_gap_as_a_share_of_the_targets_gap():
    """Δ/(2 + Δ) of b - a in pairs, Δ/(1 + 3Δ/2) on average: from 0 to ½ both, and at Δ = 1 a third and two fifths."""
    paired, average = (PairedTargets(-1, 1, 0, weight) for weight in (PAIRED, AVERAGE))
    assert [paired.gap(distance) / 2 for distance in (0, 1, 2)] == pytest.approx([0, 1 / 3, 1 / 2])
    assert [average.gap(distance) / 2 for distance in (0, 1, 2)] == pytest.approx([0, 2 / 5, 1 / 2])


@pytest.mark.parametrize(("kind", "weight"), KINDS)
@pytest.mark.parametrize("triple", TRIPLES)
def test_the_losses_say_the_same_reference_values(kind, weight, triple):
    a, b, c = triple
    reference, targets = kind(a, b, c).reference, PairedTargets(a, b, c, weight)
    assert reference.discriminator_at_equilibrium == pytest.approx(targets.discriminator_value(0))
    assert reference.generator_at_equilibrium == pytest.approx(targets.generator_value(0))
    assert reference.discriminator_if_it_wins == pytest.approx(targets.discriminator_value(2))
    assert reference.generator_if_discriminator_wins == pytest.approx(targets.generator_value(2))
