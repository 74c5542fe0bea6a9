"""The real download code of torchvision against a server on loopback."""

import gzip
import hashlib
import struct

import numpy as np
import pytest
import torch
from torchvision import datasets

from lsgan.data.sets.torchvision_sets import CelebA, Cifar10, FashionMnist, Mnist
from lsgan.errors import LsganError


def idx(array):
    """An array in MNIST's own file format, gzipped."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


@pytest.mark.parametrize("data_set", [Mnist, FashionMnist])
def test_mnist_is_downloaded_once_and_packed(tmp_path, site, monkeypatch, data_set):
    images = np.random.default_rng(0).integers(0, 256, (50, 28, 28), np.uint8)
    labels = np.arange(50, dtype=np.uint8) % 10
    resources = []
    for name, content in {"train-images-idx3": images, "train-labels-idx1": labels}.items():
        for split in (name, name.replace("train", "t10k")):
            site.files[f"/{split}-ubyte.gz"] = idx(content)
            resources.append((f"{split}-ubyte.gz", hashlib.md5(idx(content)).hexdigest()))
    torchvision_class = {Mnist: datasets.MNIST, FashionMnist: datasets.FashionMNIST}[data_set]
    monkeypatch.setattr(torchvision_class, "mirrors", [site.url("/")])
    monkeypatch.setattr(torchvision_class, "resources", resources)
    data = data_set(name="m", resolution=28, channels=1)
    batch = data.open(tmp_path / "data", 8, 0).batch(0, torch.device("cpu")).samples
    assert batch.shape == (8, 1, 28, 28)
    store = data.prepare(tmp_path / "data")
    assert np.array_equal(store.images[..., 0], images)
    assert np.array_equal(store.labels, labels)
    assert len(store.classes) == data.num_classes == 10
    monkeypatch.setattr(torchvision_class, "mirrors", [])
    data.open(tmp_path / "data", 8, 0)  # neither the server nor torchvision is asked again


@pytest.mark.parametrize("data_set", [Mnist, FashionMnist, Cifar10])
def test_a_failed_download_is_one_sentence(tmp_path, site, monkeypatch, data_set):
    address = site.url("/")  # which answers 404 to everything
    monkeypatch.setattr(datasets.MNIST, "mirrors", [address])
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [address])
    monkeypatch.setattr(datasets.CIFAR10, "url", address + "cifar.tar.gz")
    with pytest.raises(LsganError, match=r"^m could not be downloaded to .*torchvision: .*\. Try again later, or put"):
        data_set(name="m", resolution=32).open(tmp_path, 8, 0)
    assert [path for path in (tmp_path / "packed").iterdir() if path.suffix != ".lock"] == []


def test_celeba_without_its_extra_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gdown", None)
    with pytest.raises(LsganError, match=r"celeba could not be downloaded .*gdown"):
        CelebA(name="celeba", resolution=64).open(tmp_path, 8, 0)
