import pytest
import torch

from lsgan.architectures.lsgan_cats import lsgan_cats


def test_parameter_counts_of_the_paper():
    generator, discriminator = lsgan_cats((3, 128, 128), 100)
    assert sum(p.numel() for p in generator.parameters()) == 7_682_051
    assert sum(p.numel() for p in discriminator.parameters()) == 4_341_121


def test_shapes_and_range():
    generator, discriminator = lsgan_cats((3, 128, 128), 16)
    images = generator(100 * torch.rand(2, 16))
    assert images.shape == (2, 3, 128, 128)
    assert images.abs().max() <= 1
    assert discriminator(images).shape == (2, 1)


def test_other_resolutions_and_points_are_refused():
    with pytest.raises(ValueError, match="lsgan_cats cannot make resolution 64: it must be 128"):
        lsgan_cats((3, 64, 64), 16)
    with pytest.raises(ValueError, match="use mlp"):
        lsgan_cats((2,), 16)
