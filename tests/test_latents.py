import numpy as np
import pytest
import torch
from scipy import stats

from lsgan.latents import Explorable, Normal, Uniform
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


@pytest.mark.parametrize(("latent", "cdf"), [(Normal(2), "norm"), (Uniform(2), "uniform")])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_what_lies_between_two_draws_is_distributed_as_they_are(latent, cdf, share):
    start, end = (latent.sample(20_000, stream(0, "z", i)) for i in (2, 3))
    way = latent.between(start, end, share)
    assert (way.shape, way.dtype) == (start.shape, start.dtype)
    arguments = () if cdf == "norm" else (-1, 2)  # from -1 to 1
    for coordinate in way.T.numpy():
        assert stats.kstest(coordinate, cdf, arguments).pvalue > 1e-3
    assert abs(np.corrcoef(way.T.numpy())[0, 1]) < 0.03
    # a straight line is not: the same test tells
    straight = (1 - share) * start + share * end
    assert (stats.kstest(straight[:, 0].numpy(), cdf, arguments).pvalue < 1e-9) == (share in (0.3, 0.5))


@pytest.mark.parametrize("latent", [Normal(50), Uniform(50)])
def test_the_way_goes_from_the_one_to_the_other_without_a_jump(latent):
    start, end = (latent.sample(8, stream(0, "z", i)) for i in range(2))
    torch.testing.assert_close(latent.between(start, end, 0.0), start)
    torch.testing.assert_close(latent.between(start, end, 1.0), end)
    way = torch.stack([latent.between(start, end, i / 100) for i in range(101)])
    assert way.diff(dim=0).norm(dim=-1).max() < 0.03 * (end - start).norm(dim=-1).max()


def test_on_the_way_by_hand():
    half = 0.5**0.5
    way = Normal(1).between(torch.tensor([[2.0]]), torch.tensor([[-1.0]]), 0.5)
    torch.testing.assert_close(way, torch.tensor([[half * 2 - half]]))
    # Φ⁻¹ of 0.975 is 1.959964, of 0.5 0: halfway 1.385904, whose Φ is 0.917112
    way = Uniform(1).between(torch.tensor([[0.95]]), torch.tensor([[0.0]]), 0.5)
    torch.testing.assert_close(way, torch.tensor([[2 * 0.917112 - 1]]), atol=1e-5, rtol=0)


def test_the_bounds_of_the_uniform_have_a_way_too():
    edges = torch.tensor([[-1.0, 1.0, -1.0, 0.0]])
    way = torch.stack([Uniform(4).between(edges, edges.flip(1), share) for share in (0.0, 0.5, 1.0)])
    assert way.isfinite().all()
    assert way.abs().max() <= 1
    torch.testing.assert_close(way[0], edges)


@pytest.mark.parametrize("limit", [0.1, 0.7, 2.0])
def test_a_truncated_normal_is_what_drawing_anew_beyond_the_limit_gives(limit):
    z = Normal(1).sample(20_000, stream(0, "z"))
    pulled = Normal(1).truncated(z, limit)
    assert pulled.abs().max() <= limit
    kept = Normal(1).sample(200_000, stream(1, "z"))
    kept = kept[kept.abs() <= limit]
    assert stats.ks_2samp(pulled[:, 0].numpy(), kept.numpy()).pvalue > 1e-3
    assert pulled[z[:, 0].argsort()].diff(dim=0).min() >= 0  # the same order: the same z, only nearer
    assert (pulled.abs() <= z.abs()).all()


def test_a_truncated_uniform_is_a_narrower_one():
    z = Uniform(3).sample(1000, stream(0, "z"))
    torch.testing.assert_close(Uniform(3).truncated(z, 0.7), 0.7 * z)
    assert torch.equal(Uniform(3).truncated(z, 1.0), z)


def test_a_wide_limit_changes_nothing():
    z = Normal(100).sample(1000, stream(0, "z"))
    torch.testing.assert_close(Normal(100).truncated(z, 10.0), z, atol=1e-5, rtol=1e-5)


def test_limits_that_no_z_has():
    z = torch.zeros(1, 1)
    for limit in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match=rf"truncation={limit:g} must be above 0"):
            Normal(1).truncated(z, limit)
    for limit in (0.0, 1.5):
        with pytest.raises(ValueError, match=rf"truncation={limit:g} must be above 0 and at most 1: z is in \[-1, 1\)"):
            Uniform(1).truncated(z, limit)


def test_both_can_be_explored():
    assert isinstance(Normal(1), Explorable)
    assert isinstance(Uniform(1), Explorable)
