import struct
import tracemalloc
import zlib

import pytest

from lsgan.data.sources.decode import Fit, fit, open_image
from lsgan.data.sources.png import PNG_SIGNATURE, without_odd_chunks

HOW = Fit(4, 1, crop=False)


def chunk(kind, content, wrong=0):
    """A chunk; its checksum may be `wrong`."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content) ^ wrong)


GREY = zlib.compress(8 * (b"\0" + 8 * b"\x4d"))


def png(before=b"", after=b"", pixels=GREY):
    """8×8 pixels of the grey level 77, with chunks before and after them."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    return PNG_SIGNATURE + header + before + chunk(b"IDAT", pixels) + after + chunk(b"IEND", b"")


LARGE = zlib.compress(bytes(3_000_000))  # what image tools write, and what a bomb would
ODD = {
    "zTXt": chunk(b"zTXt", b"parameters\0\0" + LARGE),
    "iTXt": chunk(b"iTXt", b"parameters\0\1\0\0\0" + LARGE),
    "tEXt": chunk(b"tEXt", b"parameters\0" + 3_000_000 * b"a"),
    "many texts": 80 * chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000))),
    "XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE),
    "EXIF in a text": chunk(b"zTXt", b"Raw profile type exif\0\0" + LARGE),
    "no EXIF in a text": chunk(b"tEXt", b"Raw profile type exif\0zz\nq\n"),
    "checksum": chunk(b"tEXt", b"k\0text", wrong=1),
    "checksum of EXIF": chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\0", wrong=1),
    "colour profile": chunk(b"iCCP", b"x\0\1nothing"),
    "large colour profile": chunk(b"iCCP", b"x\0\0" + LARGE),
    "gamma": chunk(b"gAMA", b"1"),
    "EXIF": chunk(b"eXIf", b"garbage"),
    "empty EXIF": chunk(b"eXIf", b""),
    "animation": chunk(b"acTL", b"1") + chunk(b"fcTL", b""),
    "empty texts": chunk(b"zTXt", b"") + chunk(b"iTXt", b"") + chunk(b"tEXt", b""),
    "unknown": chunk(b"prVt", b"private", wrong=1),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("place", ["before", "after"])
def test_pixels_do_not_depend_on_ancillary_chunks(name, place):
    assert fit(open_image(png(**{place: ODD[name]})), HOW).ravel().tolist() == [77] * 16


def test_a_sound_png_is_left_as_it_is():
    exif = chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0")
    for sound in (png(), png(chunk(b"tRNS", b"\0\x4d")), png(exif), png(after=exif)):
        assert without_odd_chunks(sound) is sound
    assert fit(open_image(png(chunk(b"tRNS", b"\0\x4d"))), HOW).min() == 255  # transparent: on white


def test_what_turns_an_image_stays():
    """As ImageMagick and Adobe's programs write it."""
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    texts = [
        chunk(
            b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n%8d\n" % len(exif) + exif.hex().encode())
        ),
        chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>'),
    ]
    pixels = zlib.compress(b"".join(b"\0" + 8 * bytes([255 if row < 2 else 0]) for row in range(8)))
    for text in texts:
        turned = fit(open_image(png(text, pixels=pixels)), Fit(8, 1, crop=False))
        assert turned[:, 6:].min() == 255
        assert turned[:, :6].max() == 0


def test_nothing_large_is_inflated():
    bomb = png(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(100_000_000))))
    tracemalloc.start()
    fit(open_image(bomb), HOW)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("length", [20, 40, 60])
def test_what_is_cut_short_stays_unreadable(length):
    whole = png(ODD["gamma"])
    with pytest.raises((OSError, ValueError), match=r"(?i)a damaged PNG file|truncated"):
        fit(open_image(whole[:length]), HOW)
