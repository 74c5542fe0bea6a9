import struct
import zipfile

import numpy as np
import pytest

from lsgan.data.sets.hwdb import Hwdb
from lsgan.data.sources.decode import Fit, fit
from lsgan.data.sources.gnt_images import gnt_images
from lsgan.errors import LsganError


def sample(code, width=6, height=9, grey=0, size=None):
    """One character as CASIA stores it, worked out by hand from the description of the format."""
    size = 10 + width * height if size is None else size
    return size.to_bytes(4, "little") + code + struct.pack("<HH", width, height) + bytes([grey]) * (width * height)


def gb(text):
    return text.encode("gb2312").ljust(2, b"\0")


@pytest.fixture
def folder(tmp_path):
    """Two writers of three characters, and signs that do not count."""
    folder = tmp_path / "HWDB1.0trn_gnt" / "deep"
    folder.mkdir(parents=True)
    first = [sample(gb("阿"), grey=10), sample(gb("A"), grey=1), sample(gb("座"), 3, 4, grey=20), sample(gb("！"))]
    second = [sample(gb("中"), grey=30), sample(gb("阿"), grey=40), sample(bytes((0xD8, 0xA1)), grey=1)]
    (folder / "001-f.gnt").write_bytes(b"".join(first))
    (folder / "002-f.GNT").write_bytes(b"".join(second))
    (folder / "readme.txt").write_text("no characters")
    return folder.parent


def read(path):
    with gnt_images(path) as source:
        items = list(source.items())
        assert source.num_items == len(items)
        greys = [int(fit(item.load(), Fit(4, 1, crop=False)).mean()) for item in items]
        return [item.name for item in items], greys, [item.label for item in items], source.classes


def test_the_characters_of_the_first_level(folder):
    names, greys, labels, classes = read(folder)
    assert names == [f"deep/{n}" for n in ("001-f.gnt sample 0", "001-f.gnt sample 2", "002-f.GNT sample 0")] + [
        "deep/002-f.GNT sample 1"
    ]
    assert greys == [10, 20, 30, 40]
    assert classes == ["阿", "中", "座"]  # by code
    assert labels == [0, 2, 1, 0]


def test_the_pixels_are_rows_from_the_top(tmp_path):
    pixels = np.arange(12, dtype=np.uint8).reshape(4, 3) * 20  # 4 rows of 3
    header = struct.pack("<I2sHH", 22, gb("中"), 3, 4)
    (tmp_path / "x.gnt").write_bytes(header + pixels.tobytes())
    with gnt_images(tmp_path) as source:
        (item,) = source.items()
        assert np.array_equal(np.asarray(item.load()), pixels)


def test_a_zip_is_the_same(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    assert read(tmp_path / "x.zip") == read(folder)


def test_the_bounds_of_the_first_level(tmp_path):
    inside = [bytes(code) for code in ((0xB0, 0xA1), (0xB0, 0xFE), (0xD7, 0xF9))]
    outside = [bytes(code) for code in ((0xAF, 0xFE), (0xD7, 0xFA), (0xD8, 0xA1), (0xB0, 0xA0), (0xB0, 0xFF))]
    (tmp_path / "x.gnt").write_bytes(b"".join(map(sample, inside + outside)))
    with gnt_images(tmp_path) as source:
        assert [name.encode("gb2312") for name in source.classes] == inside


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.gnt is empty: get it again"),
        (sample(gb("中"))[:-1], "x.gnt is cut short in a sample at byte 0: get it again"),
        (sample(gb("中")) + b"123", "x.gnt is cut short in the header of a sample at byte 64: get it again"),
        (sample(gb("中"), size=63), "x.gnt is damaged at byte 0: a sample of 6×9 pixels cannot take 63 bytes"),
        (sample(gb("中"), 0, 9), "x.gnt is damaged at byte 0: a sample of 0×9 pixels cannot take 10 bytes"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    (tmp_path / "x.gnt").write_bytes(content)
    with pytest.raises(LsganError, match=message), gnt_images(tmp_path):
        pass


def test_a_folder_without_gnt(tmp_path):
    with pytest.raises(LsganError, match=r"holds no .gnt files"), gnt_images(tmp_path):
        pass
    (tmp_path / "x.zip").write_text("<html>")
    with pytest.raises(LsganError, match=r"x.zip is not a sound zip file"), gnt_images(tmp_path / "x.zip"):
        pass


def hwdb(folder, classes=3):
    return Hwdb(name="hwdb", sources=[], archive=folder, classes=classes, resolution=28, channels=1)


def test_the_data_set(folder, tmp_path):
    assert hwdb(folder).num_classes == 3
    store = hwdb(folder).prepare(tmp_path)
    assert store.images.shape == (4, 28, 28, 1)
    assert store.images[:, 5, 5, 0].tolist() == [10, 20, 30, 40]  # /255, ink dark, as it is stored
    assert (store.labels.tolist(), store.classes) == ([0, 2, 1, 0], ["阿", "中", "座"])


def test_another_number_of_classes(folder, tmp_path):
    with pytest.raises(
        LsganError, match=r"holds 3 characters .* not dataset.classes=3740: name all .* or set dataset.classes=3"
    ):
        hwdb(folder, 3740).prepare(tmp_path)
    assert not [path for path in (tmp_path / "packed").iterdir() if path.suffix != ".lock"]
