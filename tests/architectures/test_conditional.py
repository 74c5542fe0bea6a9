import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from lsgan.architectures.conditional import ConditionalDiscriminator, LabelMap, dcgan_conditional, with_maps
from lsgan.architectures.dcgan import dcgan


def test_a_label_map_is_a_linear_layer_of_one_hot_vectors():
    phi = LabelMap(5, 3)
    torch.nn.init.normal_(phi.bias)
    labels = torch.tensor([4, 0, 4, 2])
    one_hot = F.one_hot(labels, 5).float()
    assert_close(phi(labels), one_hot @ phi.rows.weight + phi.bias)
    assert sum(p.numel() for p in phi.parameters()) == 5 * 3 + 3


def test_maps_are_one_value_each():
    images, vectors = torch.rand(2, 3, 4, 4), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    joined = with_maps(images, vectors)
    assert joined.shape == (2, 5, 4, 4)
    assert torch.equal(joined[:, :3], images)
    assert joined[:, 3:].flatten(2).unique(dim=2).squeeze(2).tolist() == vectors.tolist()


@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(channels):
    generator, discriminator = dcgan_conditional((channels, 28, 28), 10, 7, width=2)
    labels = torch.tensor([0, 6, 3])
    images = generator(torch.randn(3, 10), labels)
    assert images.shape == (3, channels, 28, 28)
    assert discriminator(images, labels).shape == (3, 1)


def test_both_networks_see_the_class():
    torch.manual_seed(0)
    generator, discriminator = dcgan_conditional((1, 16, 16), 8, 4, width=4)
    generator.eval()
    discriminator.eval()
    z, one, two = torch.randn(2, 8), torch.tensor([1, 1]), torch.tensor([1, 2])
    images, others = generator(z, one), generator(z, two)
    assert torch.equal(images[0], others[0])
    assert not torch.allclose(images[1], others[1])
    logits, other_logits = discriminator(images, one), discriminator(images, two)
    assert torch.equal(logits[0], other_logits[0])
    assert logits[1] != other_logits[1]


def test_it_is_a_dcgan_with_wider_inputs():
    conditional = dcgan_conditional((3, 64, 64), 100, 10, width=8, label_dim=6, kernel_size=4)
    label_map = 10 * 6 + 6
    for network, plain in zip(
        conditional,
        (dcgan((3, 64, 64), 106, width=8, kernel_size=4)[0], dcgan((9, 64, 64), 100, width=8, kernel_size=4)[1]),
        strict=True,
    ):
        assert sum(p.numel() for p in network.parameters()) == sum(p.numel() for p in plain.parameters()) + label_map
    assert isinstance(conditional.discriminator, ConditionalDiscriminator)


def test_bounds():
    with pytest.raises(ValueError, match="label_dim=0 must be at least 1"):
        dcgan_conditional((3, 64, 64), 100, 10, label_dim=0)
    with pytest.raises(ValueError, match="dcgan cannot make resolution 30"):
        dcgan_conditional((3, 30, 30), 100, 10)
