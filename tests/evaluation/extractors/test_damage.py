"""What is damaged more is told to be further away, in features of the extractors that need no download."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from lsgan.evaluation.extractors.digits import Digits
from lsgan.evaluation.extractors.pixels import Pixels
from lsgan.evaluation.features import features_of

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits(digits_cache):
    made = Digits(digits_cache)
    made.load(CPU)
    return made


@pytest.fixture(scope="module", params=["digits", "pixels"])
def extractor(request):
    return request.getfixturevalue("digits") if request.param == "digits" else Pixels(size=8)


@pytest.fixture(scope="module")
def halves():
    """Two halves of the digits, [898, 1, 8, 8] in [-1, 1], and the labels of the second."""
    digits = load_digits()
    order = np.random.default_rng(0).permutation(1796)
    images = torch.from_numpy(digits.images[order] / 8 - 1).float().unsqueeze(1)
    return images[::2], images[1::2], torch.from_numpy(digits.target[order][1::2])


def frechet(x, y):
    """By the eigenvalues of the product of the covariances, which are those of its root squared."""
    x, y = x.double().numpy(), y.double().numpy()
    a, b = np.cov(x.T), np.cov(y.T)
    root = np.sqrt(np.linalg.eigvals(a @ b).real.clip(0)).sum()
    return np.square(x.mean(0) - y.mean(0)).sum() + np.trace(a + b) - 2 * root


def distances(extractor, real, fakes):
    real = features_of(extractor, [real]).features
    return [frechet(real, features_of(extractor, [fake]).features) for fake in fakes]


def is_ordered(values):
    return all(a < b for a, b in pairwise(values))


def test_more_noise_is_further_away(extractor, halves):
    real, other, _ = halves
    noise = torch.randn(other.shape, generator=torch.Generator().manual_seed(0))
    found = distances(extractor, real, [other + std * noise for std in (0, 0.1, 0.2, 0.4)])
    assert is_ordered(found), found
    assert found[3] > 5 * found[0]


def test_fewer_classes_are_further_away(extractor, halves):
    real, other, labels = halves
    num = int((labels == 0).sum())  # of all as many: FID grows as there are fewer
    found = distances(extractor, real, [other[labels < kept][:num] for kept in (10, 8, 5, 1)])
    assert is_ordered(found), found
    assert found[3] > 5 * found[0]


def test_the_inception_score_falls_with_the_classes(digits, halves):
    _, other, labels = halves
    probabilities = features_of(digits, [other]).probabilities.double()

    def score(p):
        return float((p * (p.clamp_min(1e-30).log() - p.mean(dim=0).log())).sum(dim=1).mean().exp())

    scores = [score(probabilities[labels < kept]) for kept in (1, 5, 8, 10)]
    assert is_ordered(scores), scores
    assert scores[0] < 1.5
    assert scores[3] > 8
