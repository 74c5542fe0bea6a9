import pytest
import torch

from lsgan.evaluation.extractors.pixels import Pixels

CPU = torch.device("cpu")


def test_an_image_is_averaged_over_areas():
    image = torch.arange(16, dtype=torch.uint8).view(1, 1, 4, 4) * 10
    pixels = Pixels(size=2)
    pixels.load(CPU)
    features, probabilities = pixels(image)
    torch.testing.assert_close(features, torch.tensor([[25.0, 45, 105, 125]]) / 255)  # (0 + 10 + 40 + 50) / 4, …
    assert probabilities is None
    assert pixels.dim == 4


def test_a_small_image_stays_as_it_is_and_channels_come_one_after_another():
    image = torch.tensor([[[0, 255]], [[51, 102]], [[153, 204]]], dtype=torch.uint8)[None]  # [1, 3, 1, 2]
    torch.testing.assert_close(Pixels()(image).features, torch.tensor([[0, 1, 0.2, 0.4, 0.6, 0.8]]))


def test_what_it_says_of_itself():
    assert Pixels().name == "pixels"
    assert Pixels().classes is None
    assert Pixels().dim == 768
    assert len(Pixels().digest) == 64
    assert Pixels().digest == Pixels().digest != Pixels(size=8).digest
    assert Pixels(size=8).rule == "averaged over areas to at most 8×8 pixels, /255"


def test_arguments():
    with pytest.raises(ValueError, match=r"^size=0 must be at least 1$"):
        Pixels(size=0)
