import numpy as np
import torch
from sklearn.datasets import load_digits

from lsgan.data.sets.digits import Digits

CPU = torch.device("cpu")


def digits(resolution=8):
    return Digits(name="digits", resolution=resolution, channels=1)


def test_all_digits_are_there_with_their_grey_levels(tmp_path):
    store = digits().prepare(tmp_path)
    assert store.images.shape == (1797, 8, 8, 1)
    assert np.array_equal(store.images[..., 0], np.round(load_digits().images * 255 / 16))
    assert store.classes == list("0123456789")
    assert digits().num_classes == 10
    assert np.array_equal(store.labels, load_digits().target)


def test_batches_have_the_networks_range_and_layout(tmp_path):
    data = digits(32)
    batch = data.open(tmp_path, 64, 0).batch(0, CPU).samples
    assert batch.shape == (64, *data.shape) == (64, 1, 32, 32)
    assert batch.dtype == torch.float32
    assert batch.min() == -1
    assert 0.9 < batch.max() <= 1


def test_batches_repeat_and_do_not_need_the_source_again(tmp_path, monkeypatch):
    first = digits(32).open(tmp_path, 64, 5).batch(17, CPU).samples
    monkeypatch.setattr(Digits, "open_source", None)
    assert torch.equal(digits(32).open(tmp_path, 64, 5).batch(17, CPU).samples, first)
    assert not torch.equal(digits(32).open(tmp_path, 64, 6).batch(17, CPU).samples, first)


def test_colour_batches_are_channels_last(tmp_path):
    batch = Digits(name="digits", resolution=16, channels=3).open(tmp_path, 8, 0).batch(0, CPU).samples
    assert batch.shape == (8, 3, 16, 16)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch[:, 0], batch[:, 2])
