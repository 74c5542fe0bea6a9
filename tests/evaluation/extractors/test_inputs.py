import numpy as np
import torch
from PIL import Image

from lsgan.evaluation.extractors.inputs import as_grey, as_rgb, resized


def photo(height=37, width=29):
    return torch.randint(256, (2, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def pillow(image):
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def test_grey_is_the_luma_of_pillow():
    grey = as_grey(photo())
    expected = np.stack([np.asarray(pillow(image).convert("L")) for image in photo()])
    torch.testing.assert_close(grey[:, 0], torch.from_numpy(expected).float(), atol=0.51, rtol=0)  # which rounds
    assert torch.equal(as_grey(grey), grey)


def test_grey_is_repeated_to_rgb_and_rgb_left_alone():
    grey = photo()[:, :1]
    assert torch.equal(as_rgb(grey), torch.cat([grey] * 3, dim=1))
    assert torch.equal(as_rgb(photo()), photo())


def test_sizes_change_as_pillow_changes_them():
    """Bilinear, antialiased when it shrinks; Pillow rounds after each of two passes."""
    for size in (8, 64):
        expected = np.stack([np.asarray(pillow(i).resize((size, size), Image.Resampling.BILINEAR)) for i in photo()])
        expected = torch.from_numpy(expected).permute(0, 3, 1, 2).float()
        torch.testing.assert_close(resized(photo(), size), expected, atol=1.01, rtol=0)
    assert torch.equal(resized(photo(32, 32), 32), photo(32, 32).float())
