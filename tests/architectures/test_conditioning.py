from functools import partial

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from lsgan.architectures.conditioning import (
    KINDS,
    ConditionalDiscriminator,
    LabelMap,
    ProjectionDiscriminator,
    with_maps,
)
from lsgan.architectures.dcgan import dcgan
from lsgan.architectures.lsgan_cats import lsgan_cats
from lsgan.architectures.lsgan_lsun import lsgan_lsun
from lsgan.architectures.lsgan_synthetic_digits import lsgan_synthetic_digits
from lsgan.architectures.mlp import mlp
from lsgan.losses import LeastSquares

TOLD = sorted(KINDS.keys() - {"none"})
FAMILIES = {
    "dcgan": (partial(dcgan, width=2), (1, 28, 28)),
    "mlp": (partial(mlp, width=8), (2,)),
    "lsgan_synthetic_digits": (lsgan_synthetic_digits, (1, 28, 28)),
    "lsgan_cats": (lsgan_cats, (3, 128, 128)),
    "lsgan_lsun": (lsgan_lsun, (3, 112, 112)),
}


def parameters(module):
    return sum(p.numel() for p in module.parameters())


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


def test_points_get_further_coordinates():
    joined = with_maps(torch.tensor([[5.0, 6.0], [7.0, 8.0]]), torch.tensor([[1.0], [2.0]]))
    assert joined.tolist() == [[5, 6, 1], [7, 8, 2]]


@pytest.mark.parametrize("conditioning", TOLD)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_told_the_class(family, conditioning):
    build, shape = FAMILIES[family]
    torch.manual_seed(0)
    generator, discriminator = build(shape, 10, 7, conditioning=conditioning, label_dim=3)
    generator.eval()
    discriminator.eval()
    z, one, two = torch.randn(2, 10), torch.tensor([1, 6]), torch.tensor([1, 0])
    samples, others = generator(z, one), generator(z, two)
    assert samples.shape == (2, *shape)
    assert torch.equal(samples[0], others[0])
    assert not torch.equal(samples[1], others[1])
    logits, other_logits = discriminator(samples, one), discriminator(samples, two)
    assert logits.shape == (2, 1)
    assert torch.equal(logits[0], other_logits[0])
    assert logits[1] != other_logits[1]


@pytest.mark.parametrize("family", FAMILIES)
def test_without_classes_it_is_the_plain_pair(family):
    build, shape = FAMILIES[family]
    weights = []
    for given in ({}, {"num_classes": 0, "conditioning": "none", "label_dim": 3}):
        torch.manual_seed(0)
        weights.append([p for network in build(shape, 10, **given) for p in network.parameters()])
    assert len(weights[0]) == len(weights[1])
    assert all(map(torch.equal, *weights))


def test_concatenated_is_a_pair_with_wider_inputs():
    told = dcgan((3, 64, 64), 100, 10, width=8, kernel_size=4, conditioning="concatenated", label_dim=6)
    label_map = 10 * 6 + 6
    wider = dcgan((3, 64, 64), 106, width=8, kernel_size=4)[0], dcgan((9, 64, 64), 100, width=8, kernel_size=4)[1]
    for network, plain in zip(told, wider, strict=True):
        assert parameters(network) == parameters(plain) + label_map
    assert isinstance(told.discriminator, ConditionalDiscriminator)


def test_projection_adds_the_product_of_features_and_the_classs_vector():
    """By hand: D(x) = x₁ + 2·x₂ + 0.5 with the features x themselves, and v₁ = (10, 100)."""
    output = torch.nn.Linear(2, 1)
    with torch.no_grad():
        output.weight.copy_(torch.tensor([[1.0, 2.0]]))
        output.bias.fill_(0.5)
    discriminator = ProjectionDiscriminator(torch.nn.Sequential(torch.nn.Identity(), output), 2)
    with torch.no_grad():
        discriminator.rows.weight.copy_(torch.tensor([[0.0, 0.0], [10.0, 100.0]]))
    logits = discriminator(torch.tensor([[3.0, 4.0], [3.0, 4.0]]), torch.tensor([0, 1]))
    assert logits.tolist() == [[11.5], [11.5 + 430]]


def test_projection_adds_a_vector_a_class_to_d_and_the_label_map_to_g():
    told = dcgan((3, 64, 64), 100, 10, width=8, conditioning="projection", label_dim=6)
    plain = dcgan((3, 64, 64), 106, width=8)
    assert parameters(told.generator) == parameters(plain.generator) + 10 * 6 + 6
    assert parameters(told.discriminator) == parameters(plain.discriminator) + 10 * (64 * 4 * 4)
    assert told.discriminator.rows.weight.std().item() == pytest.approx(0.02, rel=0.1)
    with pytest.raises(ValueError, match="conditioning=projection needs a discriminator that ends in a linear layer"):
        ProjectionDiscriminator(torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Tanh()), 2)


@pytest.mark.parametrize("conditioning", TOLD)
@pytest.mark.parametrize("family", ["dcgan", "mlp"])
def test_what_tells_the_class_is_trained(family, conditioning):
    build, shape = FAMILIES[family]
    torch.manual_seed(0)
    generator, discriminator = build(shape, 10, 3, conditioning=conditioning)
    loss, labels = LeastSquares(a=-1, b=1, c=0), torch.tensor([0, 1, 2, 1])
    real_logits = discriminator(torch.rand(4, *shape), labels)
    fake_logits = discriminator(generator(torch.randn(4, 10), labels), labels)
    (loss.discriminator(real_logits, fake_logits) + loss.generator(fake_logits)).backward()
    for network in (generator, discriminator):
        for name, weight in network.named_parameters():
            assert weight.grad.isfinite().all(), name
            assert weight.grad.any() or not name.startswith(("label_map", "rows")), name


def test_the_names_that_checkpoints_hold():
    """Run folders of version 0.1 hold these."""
    generator, discriminator = dcgan((1, 16, 16), 5, 3, width=2, conditioning="concatenated")
    assert {"generator.0.weight", "label_map.rows.weight", "label_map.bias"} <= generator.state_dict().keys()
    assert {"discriminator.0.weight", "label_map.rows.weight"} <= discriminator.state_dict().keys()


def test_bounds():
    with pytest.raises(ValueError, match="label_dim=0 must be at least 1"):
        dcgan((3, 64, 64), 100, 10, conditioning="concatenated", label_dim=0)
    with pytest.raises(ValueError, match="dcgan cannot make resolution 30"):
        dcgan((3, 30, 30), 100, 10, conditioning="concatenated")
    with pytest.raises(ValueError, match="conditioning=maps must be one of none, concatenated, projection"):
        mlp((2,), 8, 10, conditioning="maps")
    with pytest.raises(ValueError, match="conditioning=projection does not go with num_classes=0: none goes with 0"):
        mlp((2,), 8, conditioning="projection")
    with pytest.raises(ValueError, match="conditioning=none does not go with num_classes=10"):
        dcgan((3, 64, 64), 100, 10)
