import math

import numpy as np
import pytest
import torch
from scipy import linalg
from scipy.optimize import linprog
from torch.testing import assert_close
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from lsgan.errors import LsganError
from lsgan.evaluation.distances import Moments, fid, frechet, inception_score, kid, mind, moments
from lsgan.evaluation.slices import sliced_wasserstein
from lsgan.streams import stream


def normal(num, dim, seed=0, mean=0.0, scale=1.0):
    """Points whose features are neither centred nor independent of each other."""
    mixing = torch.randn(dim, dim, generator=stream(7, "mixing"), dtype=torch.float64) / dim**0.5
    points = torch.randn(num, dim, generator=stream(seed, "points"), dtype=torch.float64)
    return scale * points @ mixing + mean


def by_scipy(real, fake):
    """FID as it is defined, by SciPy's matrix square root."""
    (a, s), (b, t) = ((x.mean(axis=0), np.cov(x, rowvar=False)) for x in (real.numpy(), fake.numpy()))
    return float(((a - b) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * np.trace(linalg.sqrtm(s @ t)).real)


# FID


@pytest.mark.parametrize(("n", "m"), [(300, 500), (5000, 300), (21, 400)])
def test_fid_is_that_of_the_matrix_square_root(n, m):
    real, fake = normal(n, 20), normal(m, 20, seed=1, mean=0.1, scale=1.2)
    assert fid(real, fake) == pytest.approx(by_scipy(real, fake), rel=1e-6)
    assert fid(fake, real) == pytest.approx(fid(real, fake), rel=1e-12)


def test_fid_between_gaussians_is_the_closed_form():
    """Diagonal covariances s² and t²: |m|² + sum (s - t)²."""
    s, t = torch.tensor([1, 2, 0, 3]).double(), torch.tensor([2, 0.5, 1, 3]).double()
    shift = torch.tensor([0.3, 0, -0.4, 0], dtype=torch.float64)
    distance = frechet(Moments(torch.zeros_like(shift), s.diag()), Moments(shift, t.diag()))
    assert distance == pytest.approx(0.25 + 1 + 2.25 + 1 + 0, rel=1e-12)


def whitened(num, dim, seed):
    """Points whose mean is 0 and whose covariance is the identity, exactly."""
    points = torch.randn(num, dim, generator=stream(seed, "white"), dtype=torch.float64)
    points -= points.mean(dim=0)
    return torch.linalg.qr(points).Q * (num - 1) ** 0.5


@pytest.mark.parametrize("num", [50, 9000])
def test_fid_of_points_with_known_moments(num):
    """N(0, 4 I) against N(m, diag(t²)), by samples that have just these moments: in one piece and in blocks."""
    scales = torch.linspace(0.5, 3, 8, dtype=torch.float64)
    real, fake = 2 * whitened(num, 8, 0), whitened(num + 3, 8, 1) * scales + 0.25
    assert fid(real, fake) == pytest.approx(8 / 16 + (2 - scales).square().sum().item(), rel=1e-9)


@pytest.mark.parametrize(("n", "dim"), [(20, 300), (300, 300), (301, 300), (700, 30)])
def test_a_set_is_at_no_distance_from_itself(n, dim):
    features = normal(n, dim, mean=5.0).float()
    assert fid(features, features) == pytest.approx(0, abs=1e-9)
    assert fid(features, features[torch.randperm(n, generator=stream(0, "order"))]) == pytest.approx(0, abs=1e-9)


def test_fid_of_fewer_samples_than_features():
    """Two samples a side on two axes: all variance is lost in between, (6, 0) / √2 and (0, 8) / √2 from the means."""
    real, fake = torch.zeros(2, 9), torch.zeros(2, 9)
    real[:, 0], fake[:, 1] = torch.tensor([-3.0, 3.0]), torch.tensor([-4.0, 4.0])
    assert fid(real, fake) == pytest.approx(18 + 32, rel=1e-12)
    fake[:, 0], fake[:, 1] = torch.tensor([-4.0, 4.0]), 0  # on the same axis: (√18 - √32)²
    assert fid(real, fake) == pytest.approx(2, rel=1e-12)


def test_dead_features_cost_no_precision():
    """Where most features are always 0, as behind a ReLU, an eigendecomposition would be off by 1e-8 for each."""
    real, fake = torch.zeros(600, 200).double(), torch.zeros(500, 200).double()
    real[:, :20], fake[:, :] = normal(600, 20), normal(500, 200, seed=1)
    small = fid(real[:, :20], fake[:, :20])
    assert fid(real, fake) > small
    assert fid(real, torch.cat([fake[:, :20], torch.zeros(500, 180)], dim=1)) == pytest.approx(small, rel=1e-11)


def test_moments_of_blocks_are_those_of_the_whole():
    features = normal(10_000, 6, mean=3.0)
    found = moments(features)
    assert found.factor.shape == (6, 6)
    assert_close(found.mean, features.mean(dim=0))
    assert_close(found.factor.T @ found.factor, features.T.cov())


# KID


def kid_by_loops(real, fake):
    def kernel(x, y):
        return (sum(a * b for a, b in zip(x, y, strict=True)) / len(x) + 1) ** 3

    def within(points):
        pairs = [kernel(x, y) for i, x in enumerate(points) for j, y in enumerate(points) if i != j]
        return sum(pairs) / len(pairs)

    across = [kernel(x, y) for x in real for y in fake]
    return within(real) + within(fake) - 2 * sum(across) / len(across)


def test_kid_is_its_definition_whatever_the_block():
    real, fake = normal(23, 5), normal(31, 5, seed=1, mean=0.3)
    expected = kid_by_loops(real.tolist(), fake.tolist())
    found = [kid(real, fake, block=block) for block in (1, 7, 23, 1000)]
    assert [each.value for each in found] == pytest.approx([expected] * 4, rel=1e-11)
    assert [each.error for each in found] == pytest.approx([found[0].error] * 4, rel=1e-9)


def test_kid_is_that_of_the_reference_for_one_subset_of_all():
    real, fake = normal(200, 16), normal(200, 16, seed=1, scale=1.1)
    theirs = kid_features_to_metric(real, fake, kid_subsets=1, kid_subset_size=200, verbose=False)
    assert kid(real, fake).value == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-10)


def test_kid_is_what_the_subsets_of_the_reference_have_on_average():
    real, fake = normal(400, 8), normal(300, 8, seed=1, scale=1.2)
    theirs = kid_features_to_metric(real, fake, kid_subsets=400, kid_subset_size=100, verbose=False)
    noise = theirs["kernel_inception_distance_std"] / 400**0.5
    assert abs(kid(real, fake).value - theirs["kernel_inception_distance_mean"]) < 4 * noise
    assert theirs["kernel_inception_distance_std"] > 2 * kid(real, fake).error  # a spread over subsets is no error


@pytest.mark.parametrize(
    ("n", "m", "scale", "too_large"), [(60, 60, 1.0, 1.1), (60, 150, 1.0, 1.1), (60, 60, 1.1, 1.1), (60, 150, 2.0, 1.0)]
)
def test_the_error_of_kid_is_the_spread_over_repetitions(n, m, scale, too_large):
    """Of 400; where both sides are one distribution it is a tenth larger, and covers 0."""
    found = [kid(normal(n, 32, 2 * i), normal(m, 32, 2 * i + 1, scale=scale)) for i in range(400)]
    values, errors = (np.array(column) for column in zip(*found, strict=True))
    assert np.sqrt(np.mean(errors**2)) / values.std(ddof=1) == pytest.approx(too_large, abs=0.1)
    assert np.mean(abs(values - values.mean()) < 1.96 * errors) > 0.92
    if scale == 1:
        assert abs(values.mean()) < 4 * values.std(ddof=1) / 20


def test_three_samples_tell_no_error():
    assert kid(normal(3, 4), normal(9, 4, seed=1)).error is None
    assert kid(normal(4, 4), normal(9, 4, seed=1)).error > 0


# MIND


def test_mind_of_a_shift_is_three_times_its_square():
    features = normal(50, 6)
    shift = torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0, 0.0]).double()
    assert mind(features, features + shift, projections=3) == pytest.approx(3 * 14.25, rel=1e-9)
    assert mind(features, features + 1e-6 * shift) == pytest.approx(3 * 14.25e-12, rel=1e-6)
    assert mind(features, features) == 0


def test_the_seed_of_mind_draws_its_directions():
    real, fake = normal(50, 6), normal(50, 6, seed=1, scale=1.5)
    assert mind(real, fake) == mind(real, fake)
    assert mind(real, fake, seed=1) != mind(real, fake)


def plain_mind(real, fake, directions):
    """As it is defined: 3 d times the squared W2 along each direction, by repeating samples until both are as many."""
    num = math.lcm(len(real), len(fake))
    x, y = (np.sort(np.repeat(side.numpy(), num // len(side), axis=0) @ directions.T, axis=0) for side in (real, fake))
    return 3 * real.shape[1] * np.square(x - y).mean(axis=0)


@pytest.mark.parametrize(("n", "m"), [(40, 40), (40, 60)])
def test_the_exact_mean_leaves_the_expectation_of_mind_as_it_is(n, m):
    """In the plane, against the integral over all directions; and of all that is random a small part is left."""
    real, fake = normal(n, 2), normal(m, 2, seed=1, mean=0.7, scale=1.3)
    angles = np.arange(20_000) * (np.pi / 20_000)
    along = plain_mind(real, fake, np.stack([np.cos(angles), np.sin(angles)], axis=1))
    found = np.array([mind(real, fake, seed=seed, projections=10) for seed in range(400)])
    assert found.mean() == pytest.approx(along.mean(), abs=4 * found.std() / 20)
    assert found.std() < 0.4 * along.std() / 10**0.5  # what as many random directions have otherwise
    assert found.std() / 20 < 0.005 * along.mean()


def test_mind_between_gaussians():
    """N(0, I) and N(m, 4 I): each projection is (u·m)² + (1 - 2)² apart, so that MIND is 3 |m|² + 3 d.

    What it is off by is that of the samples; of other samples as many, 2% at most.
    """
    dim, num = 10, 2000
    real = torch.randn(num, dim, generator=stream(0, "real"))
    fake = 2 * torch.randn(num, dim, generator=stream(0, "fake"))
    fake[:, 0] += 3
    assert mind(real, fake, projections=1000) == pytest.approx(3 * 9 + 3 * dim, rel=0.03)


def test_unequal_numbers_count_in_full():
    """Against repeating each sample until both sides have as many, and against an assignment by linear programming."""
    real, fake = normal(6, 3), normal(10, 3, seed=1, mean=0.5)
    directions = torch.eye(3, dtype=torch.float64)
    found = sliced_wasserstein(real, fake, directions)
    repeated = [x.repeat_interleave(times, dim=0).sort(dim=0).values for x, times in ((real, 5), (fake, 3))]
    assert found == pytest.approx((repeated[0] - repeated[1]).square().mean().item(), rel=1e-12)
    assert found == pytest.approx(np.mean([transport(real[:, i], fake[:, i]) for i in range(3)]), rel=1e-8)
    assert sliced_wasserstein(fake, real, directions) == pytest.approx(found, rel=1e-12)


def transport(x, y):
    """Squared W2 on a line, as the linear programme that defines it."""
    n, m = len(x), len(y)
    cost = (x[:, None] - y).square().flatten().numpy()
    rows, columns = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    mass = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])
    return linprog(cost, A_eq=np.concatenate([rows, columns]), b_eq=mass).fun


def test_mind_does_not_depend_on_how_many_lines_are_taken_at_a_time(monkeypatch):
    real, fake = normal(5000, 4), normal(301, 4, seed=1, mean=0.2)
    expected = mind(real, fake, projections=100)
    monkeypatch.setattr("lsgan.evaluation.slices.LINES", 7)
    assert mind(real, fake, projections=100) == pytest.approx(expected, rel=1e-12)


# Inception Score


def test_inception_score_is_that_of_the_reference():
    logits = 3 * torch.randn(503, 7, generator=stream(0, "logits"), dtype=torch.float64)
    theirs = isc_features_to_metric(logits)
    found = inception_score(logits.softmax(dim=1))
    assert found.value == pytest.approx(theirs["inception_score_mean"], rel=1e-12)
    assert found.error == pytest.approx(theirs["inception_score_std"] / math.sqrt(9), rel=1e-10)


def test_inception_scores_that_can_be_told_by_hand():
    """Sure of all of 5 classes: 5. Sure of one: 1. Never sure: 1. With zeros, whose logarithms are not finite."""
    sure = torch.eye(5).repeat(20, 1)
    assert inception_score(sure, splits=1).value == pytest.approx(5, rel=1e-12)
    assert inception_score(sure, splits=1).error is None
    assert inception_score(sure[:1].repeat(50, 1)).value == pytest.approx(1, rel=1e-12)
    assert inception_score(torch.full((50, 4), 0.25)).value == pytest.approx(1, rel=1e-12)
    assert inception_score(torch.full((50, 4), 0.25)).error == pytest.approx(0, abs=1e-12)


def test_what_is_no_probability_is_refused():
    with pytest.raises(
        LsganError, match=r"class probabilities of a sample sum to 6, and the smallest is 1: .* softmax"
    ):
        inception_score(torch.tensor([[1.0, 5.0]] * 10))
    with pytest.raises(LsganError, match=r"^9 generated samples are too few: the Inception Score needs 10 or more"):
        inception_score(torch.full((9, 2), 0.5))


# What no metric can be taken of


@pytest.mark.parametrize("metric", [fid, kid, mind])
def test_what_no_metric_can_be_taken_of_is_a_sentence(metric):
    good, spoilt = torch.zeros(5, 3), torch.zeros(6, 3)
    spoilt[1, 0], spoilt[1, 1], spoilt[4, 2] = math.nan, 1, math.inf
    with pytest.raises(
        LsganError, match=r"2 of 6 generated samples have NaN or infinite features: .*; look at the samples"
    ):
        metric(good, spoilt)
    with pytest.raises(LsganError, match="2 of 6 real samples have NaN"):
        metric(spoilt, good)
    with pytest.raises(
        LsganError, match=r"real samples have 3 features and generated ones 4: .* one feature extractor"
    ):
        metric(good, torch.zeros(5, 4))
    with pytest.raises(LsganError, match="1 generated sample is too few: this metric needs 2 or more"):
        metric(good, torch.zeros(1, 3))
    with pytest.raises(LsganError, match="0 real samples are too few"):
        metric(torch.zeros(0, 3), good)
    with pytest.raises(
        LsganError, match=r"generated features have shape \[5, 1, 3\]: a metric takes \[samples, features"
    ):
        metric(good, torch.zeros(5, 1, 3))
