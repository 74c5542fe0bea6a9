import pytest
import torch

from lsgan.errors import LsganError
from lsgan.evaluation.catalogue import METRICS
from lsgan.evaluation.features import Extracted
from lsgan.evaluation.measure import halves, measure, taken


def extracted(num, classes=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    probabilities = None if classes is None else torch.rand(num, classes, generator=generator).softmax(1)
    return Extracted(torch.randn(num, 4, generator=generator), probabilities)


def test_identical_sets_are_perfect():
    real = extracted(50)
    found = {name: estimate.value for name, estimate in measure(real, real).items()}
    assert abs(found["fid"]) < 1e-6
    assert found["mind"] == pytest.approx(0, abs=1e-9)
    assert found["precision"] == found["recall"] == found["coverage"] == 1
    assert set(found) <= set(METRICS)


def test_the_inception_score_is_there_where_classes_are_known():
    assert "inception_score" not in measure(extracted(50), extracted(50))
    assert measure(extracted(50, 3), extracted(50, 3))["inception_score"].value >= 1


def test_halves_have_each_sample_once():
    real = extracted(51, classes=3)
    first, second = halves(real)
    assert (len(first.features), len(second.features)) == (25, 26)
    together = torch.cat([first.features, second.features])
    assert {tuple(row) for row in together.tolist()} == {tuple(row) for row in real.features.tolist()}
    assert len(first.probabilities) == 25
    again, _ = halves(real)
    assert torch.equal(first.features, again.features)
    with pytest.raises(LsganError, match=r"^one real sample has no halves:"):
        halves(extracted(1))


def test_features_and_probabilities_are_taken_together():
    real = extracted(5, classes=2)
    picked = taken(real, torch.tensor([4, 0]))
    assert torch.equal(picked.features, real.features[[4, 0]])
    assert torch.equal(picked.probabilities, real.probabilities[[4, 0]])
