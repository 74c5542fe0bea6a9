"""The real download code of torchvision against a server on loopback."""

import errno
import gzip
import hashlib
import io
import os
import pickle
import struct
import sys
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
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
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(LsganError, match=r"celeba could not be downloaded .*gdown"):
        CelebA(name="celeba", resolution=64).open(tmp_path, 8, 0)


def split(content, labels):
    """{file: bytes} as MNIST's four archives, and torchvision's list of them."""
    files, resources = {}, []
    for name, array in {"train-images-idx3": content, "train-labels-idx1": labels}.items():
        for archive in (f"{name}-ubyte.gz", f"{name.replace('train', 't10k')}-ubyte.gz"):
            files[archive] = idx(array)
            resources.append((archive, hashlib.md5(idx(array)).hexdigest()))
    return files, resources


@pytest.mark.parametrize(
    ("data_set", "name", "size"),
    [(Mnist, "train-images-idx3-ubyte", size) for size in (0, 3, 9, 200)]
    + [(Mnist, "train-labels-idx1-ubyte", 200), (FashionMnist, "train-images-idx3-ubyte", 200)],
)
def test_what_a_kill_left_half_unpacked_is_unpacked_again(tmp_path, monkeypatch, data_set, name, size):
    """From the archive that is there: nothing is downloaded."""
    images = np.random.default_rng(0).integers(0, 256, (300, 2, 2), np.uint8)
    files, resources = split(images, np.arange(300, dtype=np.uint16).astype(np.uint8) % 10)
    kind = {Mnist: datasets.MNIST, FashionMnist: datasets.FashionMNIST}[data_set]
    monkeypatch.setattr(kind, "resources", resources)
    monkeypatch.setattr(kind, "mirrors", ["http://127.0.0.1:1/"])
    raw = tmp_path / "torchvision" / kind.__name__ / "raw"
    raw.mkdir(parents=True)
    for archive, content in files.items():
        (raw / archive).write_bytes(content)
        (raw / archive.removesuffix(".gz")).write_bytes(gzip.decompress(content))
    os.truncate(raw / name, size)
    store = data_set(name="m", resolution=2, channels=1).prepare(tmp_path)
    assert np.array_equal(store.images[..., 0], images)


def test_mnist_whose_archives_are_gone_too_says_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:1/"])
    raw = tmp_path / "torchvision" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte").write_bytes(b"")
    with pytest.raises(
        LsganError, match=r"^m could not be downloaded to .*put the four …-ubyte.gz in the folder MNIST/r"
    ):
        Mnist(name="m", resolution=2, channels=1).prepare(tmp_path)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("data_set", [Mnist, Cifar10, CelebA])
def test_a_disk_that_takes_nothing_is_no_failed_download(tmp_path, monkeypatch, data_set, number):
    def load(self, root):
        raise OSError(number, os.strerror(number), str(root))

    monkeypatch.setattr(data_set, "load", load)
    with pytest.raises(
        LsganError, match=r"^m: .*torchvision does not take its files \(.*\): free or mend it, or set data_"
    ):
        data_set(name="m", resolution=2).prepare(tmp_path)


@pytest.mark.parametrize("error", [ValueError("bad"), AssertionError(), EOFError(), pickle.UnpicklingError("bad")])
def test_what_cannot_be_read_was_downloaded(tmp_path, monkeypatch, error):
    def load(self, root):
        raise error

    monkeypatch.setattr(Mnist, "load", load)
    reason = str(error) or type(error).__name__
    with pytest.raises(
        LsganError, match=rf"^m could not be read from .*torchvision \({reason}\): delete its folder there"
    ):
        Mnist(name="m", resolution=2, channels=1).prepare(tmp_path)


def small_cifar(monkeypatch):
    """Four photographs a batch, and the archive of all as torchvision expects it."""
    kind, buffer = datasets.CIFAR10, io.BytesIO()

    def batch(i):
        return pickle.dumps({"data": np.full((4, 3072), i, np.uint8), "labels": [0, 1, 2, 3]})

    names = [name for name, _ in kind.train_list + kind.test_list]
    contents = {name: batch(i) for i, name in enumerate(names)}
    contents["batches.meta"] = pickle.dumps({"label_names": list("abcdefghij")})
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(f"{kind.base_folder}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    monkeypatch.setattr(kind, "train_list", [[name, md5[name]] for name in names[:-1]])
    monkeypatch.setattr(kind, "test_list", [[names[-1], md5[names[-1]]]])
    monkeypatch.setattr(kind, "meta", kind.meta | {"md5": md5["batches.meta"]})
    monkeypatch.setattr(kind, "tgz_md5", hashlib.md5(buffer.getvalue()).hexdigest())
    monkeypatch.setattr(kind, "url", "http://127.0.0.1:1/cifar-10-python.tar.gz")
    return buffer.getvalue()


@pytest.mark.parametrize("damaged", [None, "data_batch_3", "test_batch", "batches.meta"])
def test_cifar_is_unpacked_again_from_its_archive(tmp_path, monkeypatch, damaged):
    archive = small_cifar(monkeypatch)
    root = tmp_path / "torchvision"
    root.mkdir()
    (root / "cifar-10-python.tar.gz").write_bytes(archive)
    if damaged:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(root, filter="data")
        os.truncate(root / datasets.CIFAR10.base_folder / damaged, 5)
    store = Cifar10(name="c", resolution=32).prepare(tmp_path)
    assert store.images[:, 0, 0, 0].tolist() == [i // 4 for i in range(20)]
    assert store.labels.tolist() == [0, 1, 2, 3] * 5


def celeba_by_hand(root, *, folder=(), packed=()):
    """Of seven faces, the second and the last are not for training."""
    celeba = root / "torchvision" / "celeba"
    (celeba / "img_align_celeba").mkdir(parents=True)
    names = [f"{i:06d}.jpg" for i in range(1, 8)]
    (celeba / "list_eval_partition.txt").write_text(
        "".join(f"{name} {part}\n" for name, part in zip(names, "0100002", strict=True))
    )
    content = {name: jpeg(30 * i) for i, name in enumerate(names)}
    for i in folder:
        (celeba / "img_align_celeba" / names[i]).write_bytes(content[names[i]])
    if packed:
        with zipfile.ZipFile(celeba / "img_align_celeba.zip", "w") as archive:
            for i in packed:
                archive.writestr(f"img_align_celeba/{names[i]}", content[names[i]])
    return celeba


def jpeg(grey):
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (grey, grey, grey)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "places",
    [{"folder": range(7)}, {"packed": range(7)}, {"folder": [0, 1], "packed": range(7)}],
    ids=["folder", "zip", "half unpacked"],
)
def test_celeba_put_in_place_by_hand(tmp_path, monkeypatch, places):
    """Without gdown and without the lists that torchvision wants too and nobody reads."""
    monkeypatch.setitem(sys.modules, "gdown", None)
    celeba_by_hand(tmp_path, **places)
    store = CelebA(name="celeba", resolution=4).prepare(tmp_path)
    assert [round(level / 30) for level in store.images[:, 0, 0, 0].tolist()] == [0, 2, 3, 4, 5]
    assert store.labels is None


def test_celeba_without_its_files_says_which_go_where(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdown", None)
    celeba = celeba_by_hand(tmp_path, folder=range(7))
    (celeba / "list_eval_partition.txt").unlink()
    with pytest.raises(
        LsganError,
        match=r"^celeba could not be downloaded .*gdown.* put img_align_celeba.zip \(or the folder in it\) and "
        r"list_eval_partition.txt in the folder celeba there by hand.$",
    ):
        CelebA(name="celeba", resolution=4).prepare(tmp_path)


@pytest.mark.parametrize("content", ["", "a b c\n", "000001.jpg 1\n", "<html>\n"])
def test_a_list_of_celeba_that_is_none(tmp_path, content):
    celeba = celeba_by_hand(tmp_path, folder=range(7))
    (celeba / "list_eval_partition.txt").write_text(content)
    with pytest.raises(LsganError, match=r"list_eval_partition.txt .*lines like 000001.jpg 0\)?: get it again"):
        CelebA(name="celeba", resolution=4).prepare(tmp_path)


def test_a_damaged_zip_of_celeba(tmp_path):
    celeba = celeba_by_hand(tmp_path, packed=range(7))
    os.truncate(celeba / "img_align_celeba.zip", 900)
    with pytest.raises(LsganError, match=r"img_align_celeba.zip is not a sound zip file \(.*\): get it again"):
        CelebA(name="celeba", resolution=4).prepare(tmp_path)
