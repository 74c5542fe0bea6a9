import math

import pytest
import torch
from torch.testing import assert_close
from torch_fidelity.metric_prc import prc_features_to_metric

from lsgan.errors import LsganError
from lsgan.evaluation.neighbours import nearest, precision_recall_density_coverage
from lsgan.streams import stream


def normal(num, dim, seed=0):
    return torch.randn(num, dim, generator=stream(seed, "points"))


def direct(real, fake, k=3, density_k=5):
    """By the papers' definitions, one sample after the other, from the differences."""

    def distance(x, y):
        return math.dist(x, y)

    def radii(points, k):
        return [sorted(distance(x, y) for j, y in enumerate(points) if j != i)[k - 1] for i, x in enumerate(points)]

    def inside(x, points, radii):
        return [distance(x, point) <= radius for point, radius in zip(points, radii, strict=True)]

    real, fake = real.double().tolist(), fake.double().tolist()
    of_real, of_fake, dense = radii(real, k), radii(fake, k), radii(real, density_k)
    hits = [inside(x, real, dense) for x in fake]  # [fake][real]
    return (
        sum(any(inside(x, real, of_real)) for x in fake) / len(fake),
        sum(any(inside(x, fake, of_fake)) for x in real) / len(real),
        sum(map(sum, hits)) / (density_k * len(fake)),
        sum(any(column) for column in zip(*hits, strict=True)) / len(real),
    )


BLOCKS = (5, 50, 57, 4096)


@pytest.mark.parametrize("block", BLOCKS)
def test_it_is_the_direct_computation_whatever_the_block(block):
    real, fake = normal(57, 6), 1.3 * normal(83, 6, seed=1) + 0.4
    expected = direct(real, fake)
    assert 0 < min(expected) < max(expected[:2]) < 1
    assert precision_recall_density_coverage(real, fake, block=block) == expected
    assert precision_recall_density_coverage(real, fake, 1, 9, block) == direct(real, fake, 1, 9)
    assert precision_recall_density_coverage(real, fake, 9, 1, block) == direct(real, fake, 9, 1)


@pytest.mark.parametrize("block", BLOCKS)
def test_ties_and_repeated_samples_count_as_they_do_directly(block):
    """On a grid most distances are equal to others, and most points are there more than once."""
    real = torch.randint(4, (60, 3), generator=stream(0, "grid")).float()
    fake = torch.randint(1, 6, (45, 3), generator=stream(1, "grid")).float()
    fake[:20] = fake[0]
    for scale, shift in ((1, 0), (0.125, 1024), (1000, 0.5)):  # all without rounding, so that ties stay ties
        found = precision_recall_density_coverage(scale * real + shift, scale * fake + shift, block=block)
        assert found == direct(real, fake)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_set_against_itself_is_perfect(block):
    for real in (normal(60, 40), normal(20, 3).repeat(4, 1), torch.ones(60, 2), 1000 + normal(60, 40)):
        found = precision_recall_density_coverage(real, real.clone(), block=block)
        assert found[:2] == (1, 1)
        assert found.coverage == 1
    found = precision_recall_density_coverage(normal(60, 40), normal(60, 40), block=block)
    assert found.density == 6 / 5


def test_which_is_which():
    """Generated samples in one place among the real ones are precise; real ones in one place are recalled."""
    wide, narrow = 10 * normal(200, 2), 0.1 * normal(200, 2, seed=1)
    precise = precision_recall_density_coverage(wide, narrow)
    recalled = precision_recall_density_coverage(narrow, wide)
    assert precise.precision == 1
    assert precise.recall < 0.1
    assert precise.coverage < 0.1
    assert (recalled.recall, recalled.precision) == (precise.precision, precise.recall)
    assert recalled.density < 0.1


def test_precision_and_recall_are_the_references():
    real, fake = normal(300, 8), 1.2 * normal(250, 8, seed=1)
    theirs = prc_features_to_metric(fake.double(), real.double(), verbose=False)
    found = precision_recall_density_coverage(real, fake)
    assert found.precision == pytest.approx(theirs["precision"], abs=1e-6)
    assert found.recall == pytest.approx(theirs["recall"], abs=1e-6)


def test_density_and_coverage_of_one_distribution():
    """Density is 1 on average, and coverage 1 - (M - 1)…(M - k) / ((N + M - 1)…) (Naeem et al. 2020, lemma 2)."""
    n, m, k = 400, 600, 5
    found = [precision_recall_density_coverage(normal(n, 4, 2 * i), normal(m, 4, 2 * i + 1)) for i in range(20)]
    assert sum(each.density for each in found) / 20 == pytest.approx(1, abs=0.03)
    missed = math.prod((n - 1 - i) / (n + m - 1 - i) for i in range(k))
    assert sum(each.coverage for each in found) / 20 == pytest.approx(1 - missed, abs=0.01)


def test_by_hand():
    """On a line, k = 1. Real 0, 1, 3, 7 reach 1, 1, 2, 4; generated 0.5, 8, 9, 20 reach 7.5, 1, 1, 11."""
    real, fake = torch.tensor([[0.0], [1], [3], [7]]), torch.tensor([[0.5], [8], [9], [20]])
    found = precision_recall_density_coverage(real, fake, k=1, density_k=1)
    assert found == (3 / 4, 4 / 4, (2 + 1 + 1) / 4, 3 / 4)


def test_fewer_samples_than_neighbours_is_a_sentence():
    many = normal(10, 2)
    with pytest.raises(
        LsganError,
        match=r"^precision, recall, density and coverage look at the 5 nearest neighbours of each sample: they need 6 "
        r"real samples or more, and there are 5$",
    ):
        precision_recall_density_coverage(normal(5, 2), many)
    with pytest.raises(
        LsganError,
        match=r"the 3 nearest neighbours of each sample: they need 4 generated samples or more, and there are 3$",
    ):
        precision_recall_density_coverage(many, normal(3, 2))
    precision_recall_density_coverage(normal(6, 2), normal(4, 2))
    with pytest.raises(LsganError, match="k=0 neighbours: it takes 1 or more"):
        precision_recall_density_coverage(many, many, k=0)
    many[0, 0] = math.nan
    with pytest.raises(LsganError, match="1 of 10 real samples have NaN or infinite"):
        precision_recall_density_coverage(many, normal(10, 2))


# Nearest


@pytest.mark.parametrize("elements", [1, 300, 2**24])
def test_nearest_is_the_direct_computation_whatever_the_block(elements, monkeypatch):
    monkeypatch.setattr("lsgan.evaluation.neighbours.ELEMENTS", elements)
    queries, references = normal(31, 5), normal(70, 5, seed=1)
    distances, indices = nearest(queries, references, 4)
    expected = (queries[:, None].double() - references.double()).norm(dim=2).sort(dim=1)
    assert torch.equal(indices, expected.indices[:, :4])
    assert_close(distances, expected.values[:, :4], rtol=1e-13, atol=0)


@pytest.mark.parametrize("elements", [1, 300, 2**24])
def test_of_equal_ones_the_first_is_nearest(elements, monkeypatch):
    monkeypatch.setattr("lsgan.evaluation.neighbours.ELEMENTS", elements)
    references = torch.randint(3, (90, 4), generator=stream(0, "grid")).float() + 100  # but not their mean
    distances, indices = nearest(references[:30], references, 40)
    exact = (references[:30, None].double() - references.double()).square().sum(dim=2).sqrt()
    expected = exact.sort(dim=1, stable=True)
    assert torch.equal(indices, expected.indices[:, :40])
    assert torch.equal(distances, expected.values[:, :40])
    assert distances[:, 0].max() == 0


def test_nearest_of_too_few_is_a_sentence():
    with pytest.raises(LsganError, match="6 nearest samples of 5: ask for 1 to 5"):
        nearest(normal(3, 2), normal(5, 2), 6)
    distances, indices = nearest(normal(1, 2), normal(5, 2), 5)
    assert distances.shape == indices.shape == (1, 5)
