import numpy as np
import pytest
import torch
from torch.testing import assert_close

from lsgan.data.sets.gaussian_ring import GaussianRing
from lsgan.errors import LsganError
from lsgan.streams import stream

CPU = torch.device("cpu")
RING = GaussianRing(name="ring")


def test_centres_of_the_authors_ring():
    s = 0.5**0.5
    expected = [[1, 0], [s, s], [0, 1], [-s, s], [-1, 0], [-s, -s], [0, -1], [s, -s]]
    assert_close(RING.centres, torch.tensor(expected), atol=1e-6, rtol=0)


def test_points_have_the_modes_weights_and_spread():
    points = RING.points(80_000, stream(0, "points"))
    distance, mode = torch.cdist(points, RING.centres).min(dim=1)
    assert (mode.bincount(minlength=8) / 10_000 - 1).abs().max() < 0.05
    assert_close((points - RING.centres[mode]).std().item(), 0.01, rtol=0.02, atol=0)
    assert (distance < 0.03).float().mean() == pytest.approx(1 - np.exp(-4.5), abs=0.002)  # within 3 std in 2-D


def test_equal_weights_draw_what_they_always_drew():
    generator = stream(0, "points")
    mode = torch.randint(8, (100,), generator=generator)
    expected = RING.centres[mode] + 0.01 * torch.randn(100, 2, generator=generator)
    assert torch.equal(RING.points(100, stream(0, "points")), expected)


def test_the_authors_doubled_mode(tmp_path):
    ring = GaussianRing(name="ring", weights=[1, 1, 2, 1, 1, 1, 1, 1])
    assert_close(ring.shares, torch.tensor([1, 1, 2, 1, 1, 1, 1, 1]) / 9)
    mode = torch.cdist(ring.points(90_000, stream(0, "points")), ring.centres).argmin(dim=1)
    assert (mode.bincount(minlength=8) / (90_000 * ring.shares) - 1).abs().max() < 0.05
    assert ring.open(tmp_path, 16, 0).identity["weights"] == [1, 1, 2, 1, 1, 1, 1, 1]
    assert RING.open(tmp_path, 16, 0).identity["weights"] is None


def test_batches_are_fresh_and_repeatable(tmp_path):
    batches = RING.open(tmp_path, 16, seed=3)
    assert batches.batch(0, CPU).samples.shape == (16, 2)
    assert torch.equal(batches.batch(5, CPU).samples, RING.open(tmp_path, 16, seed=3).batch(5, CPU).samples)
    assert not torch.equal(batches.batch(5, CPU).samples, batches.batch(6, CPU).samples)
    assert list(tmp_path.iterdir()) == []


def test_real_points_are_the_same_each_time_and_no_batchs_and_none_are_held_out(tmp_path):
    def reals(num, batch_size=16, seed=3):
        found = list(RING.open(tmp_path, batch_size, seed).reals(num, CPU))
        assert max(len(batch.samples) for batch in found) == min(batch_size, num)
        assert {batch.labels for batch in found} == {None}
        return torch.cat([batch.samples for batch in found])

    seen = reals(3000)
    assert seen.shape == (3000, 2)
    assert len(seen.unique(dim=0)) == 3000
    assert torch.equal(reals(1500, batch_size=7, seed=4), seen[:1500])
    batches = RING.open(tmp_path, 16, seed=3)
    assert (batches.num_reals(), batches.num_reals(held_out=True)) == (None, 0)
    with pytest.raises(LsganError, match=r"^ring has no last point: say how many real ones are wanted$"):
        batches.reals(None, CPU)
    with pytest.raises(LsganError, match=r"^ring holds nothing out$"):
        batches.reals(1, CPU, held_out=True)


def test_picture_and_file(tmp_path):
    samples = RING.points(100, stream(1, "x"))
    picture = RING.picture(samples)
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape == (460, 900, 3)
    assert picture.std() > 5  # something is drawn
    assert RING.real_picture(samples).shape == (460, 450, 3)
    RING.save([samples[:60], samples[60:]], tmp_path)
    assert_close(torch.from_numpy(np.loadtxt(tmp_path / "points.csv", delimiter=",", skiprows=1)).float(), samples)


def test_bad_rings_are_refused():
    with pytest.raises(ValueError, match="modes=0 must be at least 1"):
        GaussianRing(name="x", modes=0)
    for std, radius in ((0, 1), (-1, 1), (1, 0)):
        with pytest.raises(ValueError, match=f"std={std} and radius={radius} must be above 0"):
            GaussianRing(name="x", std=std, radius=radius)
    for weights in (
        3,
        "12345678",
        [1] * 7,
        [*[1] * 7, 0],
        [*[1] * 7, float("inf")],
        [*[1] * 7, "1"],
        [*[1] * 7, True],
        [],
    ):
        with pytest.raises(ValueError, match=r"weights=.* must be a list of 8 numbers above 0, one a mode"):
            GaussianRing(name="x", weights=weights)
