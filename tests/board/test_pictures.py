"""Sample grids made small: what is kept, what it takes, what is left out."""

import base64
import io
import os

import numpy as np
import pytest
from PIL import Image

from lsgan.board import pictures
from lsgan.board.pictures import chosen, fitted


@pytest.fixture
def noise(tmp_path):
    """Writes a picture of noise, which no format makes small."""

    def make(name, side=120, seed=0):
        pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
        path = tmp_path / f"{name}.jpg"
        Image.fromarray(pixels).save(path, quality=90)
        return path

    return make


def runs(noise, num, steps):
    return [{step: noise(f"{i}-{step}", seed=1000 * i + step) for step in steps} for i in range(num)]


def taken(found):
    """Bytes in the page, by base64 itself."""
    return sum(len(base64.b64encode(image.content)) for image in found.images)


def test_with_room_all_are_kept_at_their_own_size(noise):
    grids = runs(noise, 2, (10, 20, 30))
    real = noise("real", seed=9)
    found = fitted(grids, [real, None], 10_000_000)
    assert [list(run) for run in found.grids] == [[10, 20, 30], [10, 20, 30]]
    assert (found.plan.quality, len(found.images), found.reals[1]) == (80, 7, None)
    for run, kept in zip(grids, found.grids, strict=True):
        for step, path in run.items():
            image = found.images[kept[step]]
            shown = Image.open(io.BytesIO(image.content))
            assert (shown.format, shown.size, (image.width, image.height)) == ("WEBP", (120, 120), (120, 120))
            difference = np.asarray(shown, np.float64) - np.asarray(Image.open(path), np.float64)
            assert abs(difference).mean() < 40  # of noise; of two different ones it is more than 60
    real_difference = np.asarray(Image.open(io.BytesIO(found.images[found.reals[0]].content)), np.float64)
    assert abs(real_difference - np.asarray(Image.open(real), np.float64)).mean() < 40


@pytest.mark.parametrize("budget", [60_000, 80_000, 200_000, 400_000])
def test_they_fit_into_the_budget_and_each_run_keeps_its_ends(noise, budget):
    grids = runs(noise, 3, range(10, 310, 10))
    found = fitted(grids, [None] * 3, budget)
    assert 0 < taken(found) <= budget
    for kept in found.grids:
        assert next(iter(kept)) == 10
        assert list(kept)[-1] == 300


def test_more_room_shows_more_steps_or_better_ones(noise):
    grids = runs(noise, 3, range(10, 310, 10))
    small, large = (fitted(grids, [None] * 3, budget) for budget in (80_000, 400_000))
    assert len(large.grids[0]) >= len(small.grids[0])
    assert taken(large) > 2 * taken(small)


def test_no_room_is_no_pictures(noise):
    found = fitted(runs(noise, 2, (1, 2)), [noise("real"), None], 500)
    assert (found.plan, found.images, found.reals) == (None, [], [None, None])
    assert found.grids == [{}, {}]


def test_large_ones_are_scaled_and_keep_their_shape(tmp_path):
    path = tmp_path / "large.jpg"
    Image.new("RGB", (2400, 1200), (10, 200, 30)).save(path)
    found = fitted([{1: path}], [None], 10_000_000)
    assert (found.images[0].width, found.images[0].height) == (1100, 550)


def test_what_many_runs_share_is_there_once(noise, tmp_path):
    real = noise("real")
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(real.read_bytes())
    found = fitted([{1: real}, {1: copy}], [real, copy], 10_000_000)
    assert len(found.images) == 1
    assert found.reals == [0, 0]


def test_steps_are_those_that_stand_for_the_same_moments(tmp_path):
    """One run has looked twice as often, one has ended early, one began late."""
    often = {step: tmp_path / f"{step}" for step in range(10, 101, 10)}
    seldom = {step: tmp_path / f"{step}" for step in range(20, 101, 20)}
    early, late = {10: tmp_path, 20: tmp_path, 30: tmp_path}, {70: tmp_path, 80: tmp_path}
    kept = [list(run) for run in chosen([often, seldom, early, late, {}], 4)]
    assert kept == [[10, 40, 70, 100], [20, 40, 60, 100], [10, 30], [70, 80], []]


def test_damaged_files_are_named_and_others_stand_in(noise, tmp_path):
    grids = {step: noise(f"{step}", seed=step) for step in (10, 20, 30)}
    grids[30].write_bytes(grids[30].read_bytes()[:3000])
    grids[40] = tmp_path / "40.jpg"
    grids[40].write_bytes(b"<script>no picture</script>")
    grids[50] = tmp_path / "50.jpg"
    Image.new("RGB", (8, 8)).save(grids[50], "GIF")  # only JPEG is decoded
    found = fitted([grids], [tmp_path / "not there.jpg"], 10_000_000)
    assert list(found.grids[0]) == [10, 20]
    assert found.reals == [None]
    assert "truncated" in found.troubles[grids[30]]
    assert "cannot identify" in found.troubles[grids[40]]
    assert "cannot identify" in found.troubles[grids[50]]
    assert found.troubles[tmp_path / "not there.jpg"] == "is no file"


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "1.jpg")
    found = fitted([{1: tmp_path / "1.jpg"}], [None], 10_000_000)
    assert found.troubles == {tmp_path / "1.jpg": "is no file"}


def test_bombs_and_huge_files_are_left_out(noise, monkeypatch):
    path = noise("bomb", side=120)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 120 * 120 - 1)  # Pillow would warn, and decode it
    assert "decompression bomb" in fitted([{1: path}], [None], 10_000_000).troubles[path]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 120 * 120)
    assert not fitted([{1: path}], [None], 10_000_000).troubles
    monkeypatch.setattr(pictures, "_LARGEST", 1 << 10)
    assert fitted([{1: path}], [None], 10_000_000).troubles[path] == "is larger than 0 MB"


def test_nothing_but_pixels_is_taken_over(tmp_path):
    path = tmp_path / "told.jpg"
    exif = Image.Exif()
    exif[0x010E] = "a secret"
    Image.new("RGB", (16, 16)).save(path, exif=exif, icc_profile=b"a profile", comment=b"a comment")
    content = fitted([{1: path}], [None], 10_000_000).images[0].content
    assert not [word for word in (b"secret", b"profile", b"comment", b"EXIF", b"ICCP") if word in content]
