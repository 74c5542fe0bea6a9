import numpy as np
import torch
from PIL import Image

from lsgan.data.pictures import image_grid, save_images, to_uint8


def test_range_is_mapped_and_clipped():
    pixels = torch.tensor([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0]).reshape(1, 1, 1, 6)
    assert to_uint8(pixels).flatten().tolist() == [0, 0, 128, 191, 255, 255]


def test_every_level_survives_the_way_to_the_network_and_back():
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert np.array_equal(to_uint8(levels.float() / 127.5 - 1)[0, :, :, 0], levels[0, 0].numpy())


def test_grid_has_eight_columns_and_three_channels():
    samples = torch.full((20, 1, 10, 10), -1.0)
    samples[9] = 1.0  # second row, second column
    grid = image_grid(samples)
    assert grid.shape == (3 * 12 + 2, 8 * 12 + 2, 3)
    assert grid.dtype == np.uint8
    assert (grid[14:24, 14:24] == 255).all()
    assert grid.sum() == 255 * 300


def test_images_are_numbered_across_batches(tmp_path):
    save_images([torch.zeros(2, 1, 4, 4), torch.ones(1, 3, 4, 4)], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.png", "000001.png", "000002.png"]
    assert Image.open(tmp_path / "000000.png").mode == "L"
    assert Image.open(tmp_path / "000002.png").getpixel((0, 0)) == (255, 255, 255)
