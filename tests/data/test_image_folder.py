import os

import numpy as np
import pytest
import torch
from PIL import Image

from lsgan.data.image_folder import ImageFolder
from lsgan.data.store import open_store
from lsgan.errors import LsganError


def folder(root, resolution=8):
    return ImageFolder(name="image_folder", root=root, resolution=resolution, channels=3, crop=True)


def stores(data_dir):
    return sorted((data_dir / "packed").iterdir(), key=os.path.getmtime)


@pytest.fixture
def pictures(tmp_path):
    root = tmp_path / "bilder für ヤギ"
    (root / "a" / "deep").mkdir(parents=True)
    for i, name in enumerate(["b.PNG", "a/one.jpg", "a/deep/two.webp", "c.bmp", "d.tiff", "e.gif"]):
        Image.new("RGB", (20 + i, 16), (40 * i, 10, 10)).save(root / name)
    (root / "notes.txt").write_text("not an image")
    return root


def test_every_image_below_the_root_in_the_order_of_paths(tmp_path, pictures):
    batches = folder(pictures).open(tmp_path, 6, 0)
    images = open_store(stores(tmp_path)[0])
    assert images.shape == (6, 8, 8, 3)
    # a/deep/two.webp, a/one.jpg, b.PNG, c.bmp, d.tiff, e.gif
    assert np.abs(images[:, 4, 4, 0].astype(int) - [80, 40, 0, 120, 160, 200]).max() <= 4
    assert batches.batch(0, torch.device("cpu")).samples.shape == (6, 3, 8, 8)


def test_another_content_is_another_store(tmp_path, pictures):
    folder(pictures).open(tmp_path, 2, 0)
    folder(pictures).open(tmp_path, 2, 0)
    assert len(stores(tmp_path)) == 1
    Image.new("RGB", (9, 9)).save(pictures / "z.png")
    folder(pictures).open(tmp_path, 2, 0)
    assert [len(open_store(store)) for store in stores(tmp_path)] == [6, 7]
    folder(pictures, resolution=16).open(tmp_path, 2, 0)
    assert len(stores(tmp_path)) == 3


def test_broken_images_are_skipped(tmp_path, pictures):
    (pictures / "zero.png").write_bytes(b"")
    (pictures / "text.jpg").write_text("this is no image")
    whole = (pictures / "a" / "one.jpg").read_bytes()
    (pictures / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    folder(pictures).open(tmp_path, 2, 0)
    assert len(open_store(stores(tmp_path)[0])) == 6


def test_a_folder_that_is_missing_or_empty(tmp_path):
    with pytest.raises(
        LsganError, match=r"dataset.root=.*nowhere: .* is not a folder; name a folder that holds images"
    ):
        folder(tmp_path / "nowhere").open(tmp_path, 2, 0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(LsganError, match=r"dataset.root=.*empty: no images in .* \(looked for .bmp, .gif"):
        folder(tmp_path / "empty").open(tmp_path, 2, 0)
