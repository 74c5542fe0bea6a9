import pytest
import torch

from lsgan.architectures.mlp import mlp


def test_parameter_counts_of_the_authors():
    generator, discriminator = mlp((2,), 256)
    assert sum(p.numel() for p in generator.parameters()) == 49_666
    assert sum(p.numel() for p in discriminator.parameters()) == 17_025


def test_shapes_and_an_output_without_bounds():
    generator, discriminator = mlp((2,), 16, width=8, hidden_layers=3)
    points = generator(torch.randn(5, 16))
    assert points.shape == (5, 2)
    assert discriminator(1000 * points).shape == (5, 1)
    assert isinstance(generator[-1], torch.nn.Linear)
    assert len([m for m in generator if isinstance(m, torch.nn.Linear)]) == 4


def test_weights_are_orthogonal_with_gain():
    generator, _ = mlp((2,), 128)
    weight = generator[0].weight
    torch.testing.assert_close(weight @ weight.T, 1.4**2 * torch.eye(128), atol=1e-5, rtol=0)


def test_weights_from_uniform_noise_as_tensorflow_made_them():
    torch.manual_seed(0)
    generator, discriminator = mlp((2,), 128, init="uniform")
    weight, output = generator[0].weight, discriminator[-1].weight
    torch.testing.assert_close(weight @ weight.T, 1.4**2 * torch.eye(128), atol=1e-5, rtol=0)
    assert output.norm().item() == pytest.approx(1.4)
    assert output.sign().sum().abs() == 128  # one sign; normal noise has both
    assert mlp((2,), 128)[1][-1].weight.sign().sum().abs() < 128
    assert generator[-1].weight.requires_grad


def test_images_and_empty_layers_are_refused():
    with pytest.raises(ValueError, match=r"mlp makes points, but the data set holds images .* use dcgan"):
        mlp((1, 32, 32), 8)
    with pytest.raises(ValueError, match="width=0 and hidden_layers=2 must be at least 1"):
        mlp((2,), 8, width=0)
    with pytest.raises(ValueError, match="hidden_layers=0 must be at least 1"):
        mlp((2,), 8, hidden_layers=0)
    with pytest.raises(ValueError, match="init=unform must be one of normal, uniform"):
        mlp((2,), 8, init="unform")
