import pytest
import torch

from lsgan.architectures.lsgan_synthetic_digits import lsgan_synthetic_digits


def test_parameter_counts_of_the_paper():
    generator, discriminator = lsgan_synthetic_digits((1, 28, 28), 100)
    assert sum(p.numel() for p in generator.parameters()) == 4_944_129
    assert sum(p.numel() for p in discriminator.parameters()) == 1_252_671


def test_shapes_and_range():
    generator, discriminator = lsgan_synthetic_digits((1, 28, 28), 16)
    images = generator(100 * torch.rand(2, 16))
    assert images.shape == (2, 1, 28, 28)
    assert images.abs().max() <= 1
    assert discriminator(images).shape == (2, 1)


def test_other_resolutions_and_points_are_refused():
    with pytest.raises(ValueError, match="lsgan_synthetic_digits cannot make resolution 64: it must be 28"):
        lsgan_synthetic_digits((1, 64, 64), 16)
    with pytest.raises(ValueError, match="use mlp"):
        lsgan_synthetic_digits((2,), 16)
