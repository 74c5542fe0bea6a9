import numpy as np
import pytest
import torch
from torch.testing import assert_close

from lsgan.data.batches import BatchOrder
from lsgan.data.feeding import StoreBatches
from lsgan.data.held_out import sides
from lsgan.data.store import Store
from lsgan.errors import LsganError
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


def numbered(tmp_path, num=50):
    """A store whose image k is all of the grey level k."""
    images = np.tile(np.arange(num, dtype=np.uint8)[:, None, None, None], (1, 6, 6, 1))
    return Store(tmp_path, images, np.arange(num) % 7, [*"abcdefg"], "5ha")


def labels(batches):
    return [label for batch in batches if batch.labels is not None for label in batch.labels.tolist()]


def numbers(samples):
    """Which images of such a store the samples [N, 1, 6, 6] are."""
    return ((samples[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_no_batch_has_what_is_held_out_and_an_epoch_has_all_else_once(tmp_path):
    batches = StoreBatches(numbered(tmp_path), 8, seed=3, flip=True, num_held_out=10)
    seen = [number for index in range(25) for number in numbers(batches.batch(index, CPU).samples)]  # 200: 5 epochs
    held_out = sides(50, 10).held_out.tolist()
    for epoch in range(5):
        assert sorted(seen[40 * epoch : 40 * epoch + 40] + held_out) == list(range(50))


def test_ranks_share_a_batch_of_what_is_not_held_out(store):
    batches = StoreBatches(store, 16, seed=3, flip=True, num_held_out=10)
    parts = [batches.batch(4, CPU, slice(start, start + 4)) for start in range(0, 16, 4)]
    whole = batches.batch(4, CPU)
    assert torch.equal(torch.cat([part.samples for part in parts]), whole.samples)
    assert labels(parts) == labels([whole])
    assert len(labels(parts)) == 16


@pytest.mark.parametrize("held_out", [False, True])
def test_reals_are_each_image_of_a_side_once_whatever_the_seed(tmp_path, held_out):
    store, side = numbered(tmp_path), sides(50, 20)[held_out].tolist()
    one, other = (StoreBatches(store, 8, seed, flip=True, num_held_out=20) for seed in (0, 1))
    found = list(one.reals(None, CPU, held_out=held_out))
    assert [len(batch.samples) for batch in found] == [8] * (len(side) // 8) + [len(side) % 8]
    samples = torch.cat([batch.samples for batch in found])
    assert numbers(samples) == side
    assert labels(found) == [number % 7 for number in side]
    assert one.num_reals(held_out) == len(side)
    some = torch.cat([batch.samples for batch in other.reals(13, CPU, held_out=held_out)])
    assert torch.equal(some, samples[:13])


def test_reals_are_never_mirrored(store):
    batches = StoreBatches(store, 16, seed=3, flip=True)
    found = torch.cat([batch.samples for batch in batches.reals(None, CPU)])
    pixels = torch.from_numpy(store.images[sides(50, 0).training.numpy()]).permute(0, 3, 1, 2)
    assert_close(found, pixels.float() / 127.5 - 1, rtol=0, atol=1e-6)


def test_reals_that_are_not_there(store):
    for num_held_out, held_out, sentence in (
        (0, True, "no image is held out of this training: dataset.held_out=0.1 holds out a tenth in another run"),
        (8, True, "9 real images are asked for, and 8 are held out: ask for 8 at most"),
        (42, False, "9 real images are asked for, and 8 are trained on: ask for 8 at most"),
    ):
        with pytest.raises(LsganError, match=f"^{sentence}$"):
            StoreBatches(store, 16, seed=3, num_held_out=num_held_out).reals(9, CPU, held_out=held_out)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("device_cache_gb", [0, 1])
def test_a_gpu_gets_the_same_batches_cached_or_not(store, device_cache_gb):
    options = {"batch_size": 16, "seed": 3, "flip": True, "num_held_out": 10}
    here, there = StoreBatches(store, **options), StoreBatches(store, **options, device_cache_gb=device_cache_gb)
    wanted = [here.batch(4, CPU), *here.reals(None, CPU, held_out=True)]
    found = [there.batch(4, torch.device("cuda")), *there.reals(None, torch.device("cuda"), held_out=True)]
    for batch, expected in zip(found, wanted, strict=True):
        assert_close(batch.samples.cpu(), expected.samples, rtol=0, atol=0)
        assert torch.equal(batch.labels.cpu(), expected.labels)
