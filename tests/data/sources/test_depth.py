import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from lsgan.data.sources.decode import Fit, fit, open_image
from lsgan.data.sources.depth import brightest, has_16_bits


def how(bits, channels=1):
    return Fit(2, channels, crop=False, bits=bits)


def png(pixels):
    """Of uint16 [H, W] or [H, W, C], as it is."""
    height, width, channels = (*pixels.shape, 1)[:3]
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(content, width, height, bits=16, sample_format=1, channels=1):
    """Uncompressed, little-endian."""
    size = len(content)
    entries = [(256, width), (257, height), (258, bits), (259, 1), (262, 1 if channels == 1 else 2), (273, 8)]
    entries += [(277, channels), (278, height), (279, size), (339, sample_format)]
    directory = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<I", 8 + size) + content + struct.pack("<H", len(entries)) + directory + bytes(4)


GREY = np.array([[0, 4095], [2048, 1000]], np.uint16)
EXPECTED = [[0, 255], [128, 62]]


@pytest.mark.parametrize(
    "encoded", [png(GREY), tiff(GREY.tobytes(), 2, 2), tiff(GREY.tobytes(), 2, 2, sample_format=2)]
)
def test_twelve_bits_of_sixteen(encoded):
    dark = fit(open_image(encoded), how(None))
    assert dark.max() == 16
    assert fit(open_image(encoded), how(12))[..., 0].tolist() == EXPECTED
    with pytest.raises(ValueError, match=r"pixels from 0 to 4095 do not fit in dataset.bits=10 \(0 to 1023\)"):
        fit(open_image(encoded), how(10))


@pytest.mark.parametrize(("kind", "channels"), [("png", 3), ("png", 4), ("tiff", 3)])
def test_twelve_bits_of_sixteen_in_colour(kind, channels):
    """Pillow drops the lower 8 of 16 bits of a colour, which here are most of them."""
    pixels = np.stack([GREY, GREY // 2, GREY // 4, np.full_like(GREY, 65535)], axis=-1)[..., :channels]
    encoded = png(pixels) if kind == "png" else tiff(pixels.tobytes(), 2, 2, channels=3)
    levels = fit(open_image(encoded), how(12, channels=3))
    assert levels.tolist() == ((pixels[..., :3].astype(int) * 255 + 2047) // 4095).tolist()


def test_colours_are_turned_with_their_lower_bits():
    pixels = np.zeros((2, 2, 3), np.uint16)
    pixels[0] = 4000
    turned = png(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6
    content = exif.tobytes()[6:]
    chunk = struct.pack(">I", len(content)) + b"eXIf" + content + struct.pack(">I", zlib.crc32(b"eXIf" + content))
    turned = turned[:33] + chunk + turned[33:]
    assert fit(open_image(turned), how(12, 3))[..., 0].tolist() == [[0, 249], [0, 249]]


def test_grey_with_transparency_tells_what_to_do():
    with pytest.raises(ValueError, match=r"dataset.bits is for grey and RGB pixels.*: save the image with 8 bits"):
        fit(open_image(png(np.zeros((2, 2, 2), np.uint16))), how(12))


def test_bits_leave_images_of_eight_alone():
    grey = Image.fromarray(np.array([[0, 255], [128, 62]], np.uint8))
    assert fit(grey, how(12))[..., 0].tolist() == EXPECTED


@pytest.mark.parametrize("most", [1023, 4095, 65535])
def test_a_pgm_tells_its_range(most):
    encoded = b"P5 2 1 %d\n" % most + np.array([0, most], ">u2").tobytes()
    assert fit(open_image(encoded), how(None))[0, :, 0].tolist() == [0, 255]


def test_a_tiff_of_twelve_bits_tells_its_range():
    encoded = tiff(bytes([0xFF, 0xF0, 0x00, 0x80, 0x00, 0x00]), 2, 2, bits=12)
    assert not has_16_bits(open_image(encoded))
    for bits in (None, 10):
        assert fit(open_image(encoded), how(bits))[..., 0].tolist() == [[255, 0], [128, 0]]


def test_pixels_below_zero():
    encoded = tiff(np.array([[-5, 4000], [0, 1]], np.int16).tobytes(), 2, 2, sample_format=2)
    with pytest.raises(ValueError, match=r"pixels below 0 \(to -5\) have no range that is known"):
        fit(open_image(encoded), how(None))
    with pytest.raises(ValueError, match=r"pixels from -5 to 4000 do not fit in dataset.bits=12"):
        fit(open_image(encoded), how(12))


def test_the_brightest_pixel():
    image = open_image(png(GREY))
    assert has_16_bits(image)
    assert brightest(image) == 4095
    colours = open_image(png(np.stack([GREY // 2] * 3 + [np.full_like(GREY, 65535)], axis=-1)))
    assert has_16_bits(colours)
    assert brightest(colours) == 2047  # not the transparency
    greys = open_image(png(np.stack([GREY // 2, np.full_like(GREY, 65535)], axis=-1)))
    assert has_16_bits(greys)
    assert brightest(greys) == 2047
    assert not has_16_bits(Image.new("RGB", (2, 2)))
