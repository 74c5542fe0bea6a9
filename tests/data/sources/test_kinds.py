import io

import pytest
from PIL import Image

from lsgan.data.sources import kinds
from lsgan.data.sources.decode import FORMATS, Fit, fit, open_image
from lsgan.data.sources.kinds import Files, is_image, kind, sort_out, told
from lsgan.data.sources.seems import what_it_seems


def encoded(kind, **options):
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 100, 50)).save(buffer, kind, **options)
    return buffer.getvalue()


CONTENT = {"photo": encoded("JPEG"), "scan.0001": encoded("TIFF"), "notes": b"These are notes, and no image"}


def sorted_out(*names):
    return sort_out(names, lambda name: CONTENT.get(name, b"")[:512])


def test_what_is_read_left_out_and_passed_over():
    images = ["a.JPG", "b.Jp2", "c.jpe", "d.jif", "e.dib", "f.pnm", "g.pbm", "h.apng", "i.j2k", "photo", "scan.0001"]
    companions = ["labels.csv", "labels.npy", "dataset.json", "x.xml", "Thumbs.db", "README", "x.jpg.cat", "LICENSE"]
    hidden = [".x.heif", "._x.jpg", "__MACOSX/x.png", ".git/x.psd"]
    files = sorted_out(
        *images, *companions, *hidden, "n/x.PSD", "n/y.psd", "notes", "clip.mp4", "a.jpg~", "p/0.parquet"
    )
    assert files == Files(
        images,
        {
            ".jpg~": ["a.jpg~"],
            ".mp4": ["clip.mp4"],
            ".parquet": ["p/0.parquet"],
            ".psd": ["n/x.PSD", "n/y.psd"],
            "": ["notes"],
        },
    )


def test_a_file_that_cannot_be_read_is_left_out():
    def start(name):
        raise PermissionError(13, "Permission denied")

    assert sort_out(["a", "b.png"], start) == Files(["b.png"], {"": ["a"]})


def test_told_with_what_helps(monkeypatch):
    monkeypatch.setattr(kinds, "SUFFIXES", frozenset())
    assert told({".psd": 2, ".heic": 1040, "": 3}) == (
        '1,040 .heic (pip install "lsgan[heif]" reads them), 3 without a suffix, 2 .psd'
    )
    monkeypatch.setattr(kinds, "SUFFIXES", {".heic"})
    assert told({".heic": 3}) == "3 .heic"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a/b.JPG", ".jpg"), ("a.b/c", ""), ("x.0001", ""), ("on 12.30 at noon", ""), (".hidden", ""), ("x.", "")],
)
def test_the_kind_of_a_name(name, expected):
    assert kind(name) == expected


@pytest.mark.parametrize(("name", "suffix"), [("JPEG2000", ".jp2"), ("QOI", ".qoi"), ("PPM", ".pnm"), ("PNG", ".apng")])
def test_further_formats_are_read(name, suffix):
    if name not in FORMATS:
        pytest.skip(f"this Pillow has no {name}")
    assert is_image(f"x{suffix}")
    options = {"irreversible": False} if name == "JPEG2000" else {}
    try:
        content = encoded(name, **options)
    except KeyError:
        pytest.skip(f"this Pillow writes no {name}")
    assert fit(open_image(content), Fit(2, 3, crop=False))[0, 0].tolist() == [200, 100, 50]


def test_heif():
    heif = pytest.importorskip("pillow_heif", reason="the extra heif is not installed")
    buffer = io.BytesIO()
    heif.from_pillow(Image.new("RGB", (64, 64), (200, 100, 50))).save(buffer)
    pixels = fit(open_image(buffer.getvalue()), Fit(2, 3, crop=False)).astype(int)
    assert abs(pixels - [200, 100, 50]).max() <= 4
    assert {".heic", ".heif"} <= kinds.SUFFIXES


def test_what_is_not_what_it_is_called():
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n"
    for content, reason in {
        pointer: r"a Git LFS pointer, not the file itself \(git lfs pull gets it\)",
        b" \n<!DOCTYPE html><html>": "a web page .* not an archive or an image",
        encoded("JPEG")[:20] + bytes(100): "a damaged JPEG file",
        b"Python is a language": "not an image in a format that is known",
    }.items():
        with pytest.raises(ValueError, match=f"^{reason}"):
            open_image(content)
    assert what_it_seems(b"7z\xbc\xaf\x27\x1c\0\4") == "a 7z archive (unpack it, and name the folder)"
    assert what_it_seems(b"nothing") is None
