import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from lsgan.data.sets.gaussian_ring import GaussianRing
from lsgan.errors import LsganError
from lsgan.evaluation import mixtures
from lsgan.evaluation.mixtures import Mixture, coverage, energy_distance, sliced_w2
from lsgan.streams import stream

RING = GaussianRing(name="ring")
DOUBLED = GaussianRing(name="ring", weights=[1, 1, 2, 1, 1, 1, 1, 1])


def test_a_ring_is_a_mixture():
    assert isinstance(RING, Mixture)
    assert not isinstance(SimpleNamespace(std=1.0), Mixture)


def test_coverage_of_real_points_is_whole():
    found = coverage(RING.points(20_000, stream(0, "points")), RING)
    assert found.modes == 8
    assert found.quality == pytest.approx(1 - math.exp(-4.5), abs=0.003)
    assert 0 < found.kl < 10 * 7 / 40_000


def test_a_mode_counts_with_a_quarter_of_its_share():
    """A ninth of 9000 points is 1000: 250 suffice at (1, 0), and at (0, 1), the doubled one, 500."""
    for at_first, at_third, modes in ((250, 0, 1), (249, 0, 0), (0, 500, 1), (0, 499, 0), (9, 0, 0)):
        samples = torch.zeros(9000, 2)  # the middle of the ring is no mode
        samples[:at_first] = DOUBLED.centres[0]
        samples[9000 - at_third :] = DOUBLED.centres[2]
        found = coverage(samples, DOUBLED)
        assert found.modes == modes
        assert found.quality == (at_first + at_third) / 9000


def test_a_point_is_good_within_three_std():
    for beyond, quality in ((0.031, 0), (0.029, 1)):
        found = coverage(RING.centres + torch.tensor([0, beyond]), RING)
        assert found[:2] == (8 * quality, quality)


def test_kl_is_that_of_the_nearest_modes_from_the_true_shares():
    """By hand: all at one mode of 8, log 8; of two evenly, log 4; where it is drawn twice as often, log(9 / 2)."""
    one, two = RING.centres[:1].repeat(10, 1), RING.centres[2:4].repeat(10, 1)
    assert coverage(one, RING).kl == pytest.approx(math.log(8), rel=1e-6)
    assert coverage(two, RING).kl == pytest.approx(math.log(4), rel=1e-6)
    assert coverage(DOUBLED.centres[2:3], DOUBLED).kl == pytest.approx(math.log(9 / 2), rel=1e-6)
    assert coverage(RING.centres, RING).kl == pytest.approx(0, abs=1e-6)
    far = coverage(3 * RING.centres, RING)  # and still nearest to one each
    assert (far.modes, far.quality) == (0, 0)
    assert far.kl == pytest.approx(0, abs=1e-6)
    expected = stats.entropy([3, 1], [0.5, 0.5]) + math.log(4)
    assert coverage(RING.centres[[0, 0, 0, 1]], RING).kl == pytest.approx(expected, rel=1e-6)


def test_blocks_of_points_change_nothing(monkeypatch):
    points = RING.points(501, stream(0, "points")) * 1.02
    expected = coverage(points, RING)
    monkeypatch.setattr("lsgan.evaluation.mixtures.ELEMENTS", 8)
    assert coverage(points, RING) == expected
    assert mixtures.DEFINITION == "a mode counts with 0.25 of its share of the points, or more, within 3 std"


def test_energy_distance_on_a_line_is_scipys():
    """SciPy's is the root of the biased one: 2 E|x - y| - …, with the zeros of each point to itself."""
    real, fake = torch.randn(30, 1, generator=stream(0, "x")), torch.randn(41, 1, generator=stream(0, "y")) + 0.5
    within = [(x - x.T).abs().double().mean().item() for x in (real, fake)]
    biased = stats.energy_distance(real[:, 0], fake[:, 0]) ** 2
    unbiased = biased + within[0] - within[0] * 30 / 29 + within[1] - within[1] * 41 / 40
    for block in (1, 13, 2048):
        assert energy_distance(real, fake, block).value == pytest.approx(unbiased, rel=1e-6)


def test_energy_distance_of_a_shift_far_away_is_twice_its_length():
    points = RING.points(500, stream(0, "points"))
    far = energy_distance(points, points + torch.tensor([300.0, 400.0]))
    assert far.value == pytest.approx(2 * 500, rel=0.01)


def test_energy_distance_of_alike_points_is_none_within_its_error():
    pairs = [[RING.points(100, stream(i, side)) for side in ("real", "fake")] for i in range(200)]
    found = [energy_distance(*pair) for pair in pairs]
    values = np.array([each.value for each in found])
    assert abs(values.mean()) < 4 * values.std() / 200**0.5
    told = np.mean([each.error**2 for each in found]) ** 0.5
    assert 0.95 < told / values.std() < 1.5


def test_sliced_w2_of_a_shift():
    points = RING.points(100, stream(0, "points"))
    assert sliced_w2(points, points + torch.tensor([3.0, 4.0])) == pytest.approx(5 / math.sqrt(2), rel=1e-6)
    assert sliced_w2(points, points) == 0
    assert sliced_w2(torch.zeros(1, 2), torch.tensor([[0.0, 2], [0, -2]])) == pytest.approx(2 / math.sqrt(2), rel=1e-6)


def test_points_that_are_none_are_refused():
    with pytest.raises(LsganError, match="1 of 2 generated samples have NaN or infinite"):
        coverage(torch.tensor([[0, 1.0], [math.nan, 0]]), RING)
    with pytest.raises(LsganError, match="0 generated samples are too few: this metric needs 1 or more"):
        coverage(torch.zeros(0, 2), RING)
    with pytest.raises(LsganError, match="real samples have 2 features and generated ones 3"):
        sliced_w2(torch.zeros(4, 2), torch.zeros(4, 3))
