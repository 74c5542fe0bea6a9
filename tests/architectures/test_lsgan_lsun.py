import pytest
import torch

from lsgan.architectures.lsgan_lsun import lsgan_lsun


def test_parameter_counts_of_the_paper():
    generator, discriminator = lsgan_lsun((3, 112, 112), 1024)
    assert sum(p.numel() for p in generator.parameters()) == 15_591_427
    assert sum(p.numel() for p in discriminator.parameters()) == 4_333_441


def test_shapes():
    generator, discriminator = lsgan_lsun((3, 112, 112), 16)
    images = generator(torch.rand(2, 16))
    assert images.shape == (2, 3, 112, 112)
    assert discriminator(images).shape == (2, 1)


def test_other_resolutions_and_points_are_refused():
    for resolution in (56, 111, 224):
        with pytest.raises(ValueError, match=f"lsgan_lsun cannot make resolution {resolution}: it must be 112"):
            lsgan_lsun((3, resolution, resolution), 16)
    with pytest.raises(ValueError, match="use mlp"):
        lsgan_lsun((2,), 16)
