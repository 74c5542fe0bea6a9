"""Films: what is in the file, read by another program or library."""

import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence

from lsgan import film
from lsgan.errors import LsganError


def frames(num=3, size=(20, 10), mode="RGB"):
    return [Image.new(mode, size, 40 * i if mode == "L" else (40 * i, 0, 255 - 40 * i)) for i in range(num)]


def test_a_gif_has_each_frame_for_its_time(tmp_path):
    film.write(tmp_path / "a.gif", frames(), 5, last_seconds=2)
    with Image.open(tmp_path / "a.gif") as found:
        shown = [
            (frame.info["duration"], frame.convert("RGB").getpixel((3, 3))) for frame in ImageSequence.Iterator(found)
        ]
        assert found.info["loop"] == 0  # for ever
    assert shown == [(200, (0, 0, 255)), (200, (40, 0, 215)), (2000, (80, 0, 175))]


def test_greys_of_a_gif_are_exact(tmp_path):
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(3).reshape(16, 16, 3))
    film.write(tmp_path / "a.gif", [ramp, ramp.rotate(90)], 5)
    with Image.open(tmp_path / "a.gif") as found:
        assert np.array_equal(np.asarray(found.convert("RGB")), np.asarray(ramp))


def test_frames_of_several_sizes_are_shown_in_the_largest(tmp_path):
    film.write(tmp_path / "a.gif", [*frames(1, (20, 10)), *frames(1, (7, 31))], 5)
    with Image.open(tmp_path / "a.gif") as found:
        assert found.size == (20, 32)
        assert found.convert("RGB").getpixel((15, 25)) == (0, 0, 0)


@pytest.mark.parametrize("size", [(20, 10), (274, 293)])
def test_an_mp4_has_all_frames(tmp_path, size):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the extra film is not installed")
    film.write(tmp_path / "a.mp4", frames(3, size), 4, last_seconds=1)
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "a.mp4"))
    told = next(reader)
    even = tuple(side + side % 2 for side in size)
    assert (told["size"], told["fps"], told["codec"]) == (even, 4, "h264")
    shown = [np.frombuffer(frame, np.uint8).reshape(even[1], even[0], 3)[5, 5] for frame in reader]
    assert len(shown) == 2 + 4
    np.testing.assert_allclose(shown[1], (40, 0, 215), atol=8)
    np.testing.assert_allclose(shown[-1], (80, 0, 175), atol=8)


def test_one_frame_is_a_film(tmp_path):
    for kind in ("gif", "mp4"):
        film.write(tmp_path / f"a.{kind}", frames(1), 4, last_seconds=2)
        assert (tmp_path / f"a.{kind}").stat().st_size > 0


def test_a_caption_covers_nothing():
    (picture,) = frames(1, (90, 30))
    captioned = film.captioned(picture, "step 1,200")
    assert captioned.crop((0, captioned.height - 30, 90, captioned.height)).tobytes() == picture.tobytes()
    line = np.asarray(captioned.crop((0, 0, 90, captioned.height - 30)))
    assert line.max() > 200
    other = film.captioned(picture, "step 1,400")
    assert captioned.tobytes() != other.tobytes()


def test_what_is_no_film():
    for kind, frames_per_second, message in (
        ("avi", 8, "film=avi must be one of gif, mp4"),
        ("gif", 0, "fps=0 must be from 1 to 50"),
        ("gif", float("nan"), "fps=nan must be from 1 to 50"),
    ):
        with pytest.raises(LsganError, match=f"^{message}$"):
            film.check(kind, frames_per_second)


def test_without_ffmpeg(monkeypatch):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the extra film is not installed")

    def none():
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", none)
    with pytest.raises(
        LsganError, match=r"^film=mp4: imageio-ffmpeg has no FFmpeg for this machine: install one, or take"
    ):
        film.check("mp4", 8)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(LsganError, match=r'^film=mp4 needs FFmpeg: python -m pip install "lsgan\[film\]" brings it'):
        film.check("mp4", 8)
    film.check("gif", 8)


def test_frames_that_ffmpeg_does_not_take(tmp_path):
    with pytest.raises(LsganError, match=r"^film=mp4: FFmpeg "):
        film.write(tmp_path / "not there" / "a.mp4", frames(), 4)
