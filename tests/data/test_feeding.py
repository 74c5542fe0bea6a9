import numpy as np
import pytest
import torch
from torch.testing import assert_close

from lsgan.data.batches import BatchOrder
from lsgan.data.feeding import StoreBatches
from lsgan.data.store import Store
from lsgan.streams import stream

CPU = torch.device("cpu")


@pytest.fixture
def store(tmp_path):
    rng = np.random.default_rng(0)
    return Store(tmp_path, rng.integers(0, 256, (50, 6, 6, 3), np.uint8), np.arange(50) % 7, [*"abcdefg"], "5ha")


def test_pixels_become_the_networks_range_and_layout(store):
    batch = StoreBatches(store, 16, seed=3).batch(2, CPU)
    indices = BatchOrder(50, 16, seed=3).indices(2).numpy()
    expected = store.images[indices].astype(np.float64) / 127.5 - 1
    assert batch.samples.shape == (16, 3, 6, 6)
    assert batch.samples.dtype == torch.float32
    assert batch.samples.is_contiguous(memory_format=torch.channels_last)
    assert_close(batch.samples.double(), torch.from_numpy(expected.transpose(0, 3, 1, 2)), rtol=0, atol=1e-7)
    assert batch.samples.abs().max() <= 1


def test_labels_go_with_their_images(store):
    batch = StoreBatches(store, 16, seed=3).batch(2, CPU)
    assert batch.labels.dtype == torch.int64
    assert batch.labels.tolist() == (BatchOrder(50, 16, seed=3).indices(2) % 7).tolist()
    assert StoreBatches(store._replace(labels=None), 16, seed=3).batch(2, CPU).labels is None


def test_half_of_the_images_are_mirrored_by_seed_and_index(store):
    plain, flipped = StoreBatches(store, 40, seed=3), StoreBatches(store, 40, seed=3, flip=True)
    mirrored = 0
    for index in range(50):
        images, maybe = plain.batch(index, CPU).samples, flipped.batch(index, CPU).samples
        chance = torch.rand(40, generator=stream(3, "flip", index)) < 0.5
        expected = torch.where(chance[:, None, None, None], images.flip(3), images)  # width is the last axis
        assert torch.equal(maybe, expected)
        mirrored += int(chance.sum())
    assert 900 < mirrored < 1100
    assert torch.equal(flipped.batch(9, CPU).samples, flipped.batch(9, CPU).samples)
    other = StoreBatches(store, 40, seed=4, flip=True)
    assert not torch.equal(flipped.batch(9, CPU).samples, other.batch(9, CPU).samples)


def test_the_store_itself_is_never_flipped(store):
    before = store.images.copy()
    StoreBatches(store, 50, seed=0, flip=True).batch(0, CPU)
    assert np.array_equal(store.images, before)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("device_cache_gb", [0, 1])
def test_a_gpu_gets_the_same_batches_cached_or_not(store, device_cache_gb):
    options = {"batch_size": 16, "seed": 3, "flip": True}
    expected = StoreBatches(store, **options).batch(4, CPU)
    batch = StoreBatches(store, **options, device_cache_gb=device_cache_gb).batch(4, torch.device("cuda"))
    assert_close(batch.samples.cpu(), expected.samples, rtol=0, atol=0)
    assert torch.equal(batch.labels.cpu(), expected.labels)
