import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from lsgan.data.store import Recipe, fit, open_store, pack
from lsgan.errors import LsganError

RECIPE = Recipe(source="test", resolution=8, channels=3, crop=False)


class Colours:
    """Image i has the colour i; those in `broken` cannot be read."""

    def __init__(self, num, broken=()):
        self.num, self.broken = num, set(broken)

    def __len__(self):
        return self.num

    def name(self, index):
        return f"colour {index}"

    def image(self, index):
        if index in self.broken:
            raise OSError("truncated")
        return Image.new("RGB", (10, 12), (index % 256, index // 256, 7))


def test_pack_keeps_the_order_over_many_chunks(tmp_path):
    pack(Colours(1000), RECIPE, tmp_path / "store")
    images = open_store(tmp_path / "store")
    assert images.shape == (1000, 8, 8, 3)
    assert images.dtype == np.uint8
    assert (images[:, 3, 3, 0] + 256 * images[:, 3, 3, 1].astype(int)).tolist() == list(range(1000))
    assert not images.flags.writeable


def test_store_tells_how_it_was_made(tmp_path):
    pack(Colours(70), RECIPE, tmp_path / "store")
    meta = json.loads((tmp_path / "store" / "store.json").read_text())
    assert meta["shape"] == [70, 8, 8, 3]
    assert meta["recipe"] == {"source": "test", "resolution": 8, "channels": 3, "crop": False}
    assert meta["sha256"] == hashlib.sha256((tmp_path / "store" / "images.bin").read_bytes()).hexdigest()
    assert [path.name for path in tmp_path.iterdir()] == ["store"]  # nothing half-written beside it


def test_unreadable_images_are_skipped_named_and_counted(tmp_path, caplog):
    pack(Colours(200, broken=[3, 150]), RECIPE, tmp_path / "store")
    images = open_store(tmp_path / "store")
    assert images[:, 0, 0, 0].tolist() == [i for i in range(200) if i not in (3, 150)]
    assert "skipped 2 of 200 images that cannot be read:\n  colour 3: truncated\n  colour 150: truncated" in caplog.text
    assert json.loads((tmp_path / "store" / "store.json").read_text())["skipped"] == [
        "colour 3: truncated",
        "colour 150: truncated",
    ]


def test_many_skipped_images_do_not_flood_the_console(tmp_path, caplog):
    pack(Colours(50, broken=range(20)), RECIPE, tmp_path / "store")
    assert "… and 10 more, all named in store.json" in caplog.text
    assert "colour 11" not in caplog.text


def test_nothing_readable_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(LsganError, match="none of the 5 images of test can be read; the first: colour 0: truncated"):
        pack(Colours(5, broken=range(5)), RECIPE, tmp_path / "store")
    with pytest.raises(LsganError, match="test holds no images"):
        pack(Colours(0), RECIPE, tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


def test_interruption_leaves_nothing(tmp_path):
    class Interrupted(Colours):
        def image(self, index):
            if index == 130:
                raise KeyboardInterrupt
            return super().image(index)

    with pytest.raises(KeyboardInterrupt):
        pack(Interrupted(300), RECIPE, tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


def test_others_may_read_the_store(tmp_path):
    pack(Colours(3), RECIPE, tmp_path / "store")
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "store").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_store_that_another_process_finished_first_is_kept(tmp_path):
    pack(Colours(10), RECIPE, tmp_path / "store")
    before = (tmp_path / "store" / "images.bin").stat().st_ino
    pack(Colours(10), RECIPE, tmp_path / "store")
    assert (tmp_path / "store" / "images.bin").stat().st_ino == before
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_folder_that_takes_no_store(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LsganError, match=r"cannot pack into .*file/packed: Not a directory; free it or set data_dir"):
        pack(Colours(3), RECIPE, tmp_path / "file" / "packed" / "store")


def test_a_truncated_store_is_refused(tmp_path):
    pack(Colours(10), RECIPE, tmp_path / "store")
    with open(tmp_path / "store" / "images.bin", "r+b") as file:
        file.truncate(100)
    with pytest.raises(LsganError, match=r"has 100 bytes, not 1920: delete .* to pack again"):
        open_store(tmp_path / "store")


def test_fit_squeezes_or_crops():
    image = Image.new("L", (40, 20))
    image.paste(255, (0, 0, 10, 20))  # the leftmost quarter is white
    squeezed = fit(image, Recipe("", 8, 1, crop=False))
    assert squeezed.shape == (8, 8, 1)
    assert squeezed[:, 0].min() > 200
    assert squeezed[:, 4:].max() == 0
    assert fit(image, Recipe("", 8, 1, crop=True)).max() <= 20  # the quarter is cut away, but for the filter's edge


def test_fit_converts_and_turns():
    grey_alpha = Image.new("LA", (4, 4), (100, 255))
    assert fit(grey_alpha, Recipe("", 4, 3, crop=False)).tolist() == np.full((4, 4, 3), 100).tolist()
    turned = Image.new("L", (4, 4))
    turned.paste(255, (0, 0, 4, 1))
    turned.getexif()[0x0112] = 6  # to be shown rotated by 90 degrees
    assert fit(turned, Recipe("", 4, 1, crop=False))[:, 3].min() == 255


def test_fit_is_antialiased():
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (64, 32)))
    small = fit(stripes, Recipe("", 8, 1, crop=False))
    assert small.min() > 110
    assert small.max() < 145


def test_digest_changes_with_every_part():
    others = [
        RECIPE._replace(source="x"),
        RECIPE._replace(resolution=9),
        RECIPE._replace(channels=1),
        RECIPE._replace(crop=True),
    ]
    assert len({recipe.digest() for recipe in [RECIPE, *others]}) == 5
