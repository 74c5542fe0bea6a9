import math

import pytest
import torch
from PIL import Image

from lsgan.errors import LsganError
from lsgan.evaluation.extractors.pixels import Pixels
from lsgan.evaluation.extractors.points import Points
from lsgan.evaluation.features import Extracted, FeatureExtractor, features_of, to_bytes


class Mean:
    """An extractor as a user writes one: the mean of each channel, and two classes by it."""

    name, dim, digest, rule, classes = "mean", 3, "0" * 64, "as it is", 2

    def __init__(self):
        self.seen = []

    def load(self, device):
        self.device = device

    def __call__(self, samples):
        self.seen.append(samples)
        features = samples.float().mean(dim=(2, 3))
        return Extracted(features, torch.stack([features[:, 0] / 255, 1 - features[:, 0] / 255], dim=1))


def test_any_class_with_the_protocol_will_do_and_sees_the_bytes_of_a_png():
    extractor: FeatureExtractor = Mean()
    images = torch.tensor([-1.0, 1.0, 0.5, -1.5]).view(4, 1, 1, 1).expand(4, 3, 2, 2)
    found = features_of(extractor, [images[:3], images[:0], images[3:]])
    assert [samples.dtype for samples in extractor.seen] == [torch.uint8, torch.uint8]
    torch.testing.assert_close(found.features, torch.tensor([0.0, 255, 191, 0]).view(4, 1).expand(4, 3))  # in order
    torch.testing.assert_close(found.probabilities[:, 0], torch.tensor([0, 1, 191 / 255, 0]))


def test_bytes_are_those_of_a_saved_picture(tmp_path):
    from lsgan.data.pictures import save_images

    images = torch.rand(3, 3, 5, 4, generator=torch.Generator().manual_seed(0)) * 2.4 - 1.2
    save_images([images], tmp_path)
    for i, image in enumerate(to_bytes(images)):
        saved = Image.open(tmp_path / f"{i:06d}.png")
        assert saved.tobytes() == image.permute(1, 2, 0).numpy().tobytes()


def test_points_stay_what_they_are_and_have_no_classes():
    points = torch.tensor([[0.1, -3.0], [2.0, 1e6]])
    found = features_of(Points(), [points[:1], points[1:]])
    assert torch.equal(found.features, points)
    assert found.probabilities is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_sample_that_is_not_finite_is_refused_and_named(bad):
    images = torch.zeros(3, 1, 2, 2)
    images[1, 0, 1, 1] = bad
    with pytest.raises(LsganError, match=r"^sample 5 holds NaN or infinity and has no features: take a checkpoint"):
        features_of(Pixels(), [torch.zeros(4, 1, 2, 2), images])
    points = torch.tensor([[0.0, bad]])
    with pytest.raises(LsganError, match=r"^sample 0 holds NaN or infinity"):
        features_of(Points(), [points])


def test_no_samples():
    with pytest.raises(LsganError, match=r"^features=pixels was given no samples: at least one is needed$"):
        features_of(Pixels(), [])
    with pytest.raises(LsganError, match=r"no samples"):
        features_of(Pixels(), iter([torch.zeros(0, 1, 2, 2)]))


def test_points_for_an_image_extractor_and_the_reverse():
    with pytest.raises(LsganError, match=r"^features=pixels are those of images.* \[2\]: for points set features=po"):
        features_of(Pixels(), [torch.zeros(4, 2)])
    with pytest.raises(LsganError, match=r"^features=points are those of points.* \[1, 8, 8\]: for images set feat"):
        features_of(Points(), [torch.zeros(4, 1, 8, 8)])
    with pytest.raises(LsganError, match=r"grey or RGB images, and these have 4 channels$"):
        features_of(Pixels(), [torch.zeros(4, 4, 8, 8)])


def test_an_extractor_that_gives_something_else_is_told_of():
    class Whole(Mean):
        def __call__(self, samples):
            return Extracted(samples.float(), None)

    class Blown(Mean):
        def __call__(self, samples):
            return Extracted(torch.full((len(samples), 3), math.inf), None)

    images = torch.zeros(4, 3, 2, 2)
    with pytest.raises(LsganError, match=r"of shape \[4, 3, 2, 2\] for 4 samples: it must give one vector each, \[4,"):
        features_of(Whole(), [images])
    with pytest.raises(LsganError, match=r"^features=mean gave features that are not finite"):
        features_of(Blown(), [images])
