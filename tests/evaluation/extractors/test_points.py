import pytest
import torch

from lsgan.errors import LsganError
from lsgan.evaluation.extractors.points import Points


def test_points_are_their_own_features():
    points, extractor = torch.tensor([[1.0, 2.0], [3.0, -4.0]]), Points()
    extractor.load(torch.device("cpu"))
    features, probabilities = extractor(points)
    assert torch.equal(features, points)
    assert probabilities is None
    assert (extractor.dim, extractor.classes, len(extractor.digest)) == (2, None, 64)


@pytest.mark.parametrize("shape", [(4, 3), (4,), (4, 1, 2, 2)])
def test_other_samples_are_refused(shape):
    with pytest.raises(LsganError, match=r"^features=points are those of points"):
        Points()(torch.zeros(shape))
