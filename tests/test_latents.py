import pytest
import torch

from lsgan.latents import Normal, Uniform
from lsgan.streams import stream


def test_normal():
    z = Normal(dim=100).sample(1000, stream(0, "z"))
    assert z.shape == (1000, 100)
    assert abs(z.mean()) < 0.02
    assert abs(z.std() - 1) < 0.02


def test_uniform():
    z = Uniform(dim=100).sample(1000, stream(0, "z"))
    assert z.shape == (1000, 100)
    assert z.min() >= -1
    assert z.max() < 1
    assert z.min() < -0.999
    assert z.max() > 0.999
    assert abs(z.var() - 1 / 3) < 0.01


def test_same_stream_same_noise():
    assert torch.equal(Normal(8).sample(4, stream(0, "z", 5)), Normal(8).sample(4, stream(0, "z", 5)))


@pytest.mark.parametrize("latent", [Normal, Uniform])
def test_dimension_is_at_least_one(latent):
    assert latent(dim=1).sample(2, stream(0, "z")).shape == (2, 1)
    with pytest.raises(ValueError, match="dim=0 must be at least 1"):
        latent(dim=0)
