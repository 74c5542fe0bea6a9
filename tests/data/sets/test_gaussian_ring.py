import numpy as np
import pytest
import torch
from torch.testing import assert_close

from lsgan.data.sets.gaussian_ring import GaussianRing
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


def test_batches_are_fresh_and_repeatable(tmp_path):
    batches = RING.open(tmp_path, 16, seed=3)
    assert batches.batch(0, CPU).samples.shape == (16, 2)
    assert torch.equal(batches.batch(5, CPU).samples, RING.open(tmp_path, 16, seed=3).batch(5, CPU).samples)
    assert not torch.equal(batches.batch(5, CPU).samples, batches.batch(6, CPU).samples)
    assert list(tmp_path.iterdir()) == []


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
