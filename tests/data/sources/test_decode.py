import io
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images
from torchvision import transforms

from lsgan.data.sources import decode
from lsgan.data.sources.decode import MAX_PIXELS, Fit, fit, open_image

GREY, COLOUR = Fit(4, 1, crop=False), Fit(4, 3, crop=False)


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(image, kind, how=COLOUR, **options):
    return fit(open_image(encoded(image, kind, **options)), how)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG"])
def test_every_format(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = decoded(Image.new("RGB", (9, 7), (200, 100, 50)), kind, **options)
    assert pixels.shape == (4, 4, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - [200, 100, 50]).max() <= (2 if kind == "JPEG" else 0)


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 1, [255, 255, 255]),
        ("L", 77, [77, 77, 77]),
        ("P", 0, [10, 20, 30]),
        ("LA", (77, 255), [77, 77, 77]),
        ("RGBA", (10, 20, 30, 255), [10, 20, 30]),
        ("RGBA", (0, 0, 0, 0), [255, 255, 255]),  # transparent: on white
        ("RGBA", (0, 0, 0, 128), [127, 127, 127]),
        ("LA", (0, 0), [255, 255, 255]),
        ("I;16", 77 * 257, [77, 77, 77]),
    ],
)
def test_every_mode_of_png(mode, colour, expected):
    image = Image.new(mode, (6, 6), colour)
    if mode == "P":
        image.putpalette([10, 20, 30] * 256)
    assert decoded(image, "PNG")[0, 0].tolist() == expected
    assert abs(int(decoded(image, "PNG", GREY)[0, 0, 0]) - np.dot(expected, [0.299, 0.587, 0.114])) <= 1


def test_a_transparent_palette_colour_lies_on_white():
    image = Image.new("P", (4, 4), 3)
    image.putpalette([10, 20, 30] * 256)
    assert decoded(image, "PNG", transparency=3)[0, 0].tolist() == [255, 255, 255]


def test_16_bits_keep_their_range():
    ramp = Image.fromarray(np.linspace(0, 65535, 16).astype(np.uint16).reshape(4, 4))
    for kind in ("PNG", "TIFF"):
        assert decoded(ramp, kind, GREY)[..., 0].ravel().tolist() == (np.arange(16) * 17).tolist()
    with pytest.raises(ValueError, match="32-bit pixels have no range that is known: save the image with 8 or 16 bits"):
        decoded(Image.new("F", (4, 4), 0.5), "TIFF")
    with pytest.raises(ValueError, match="32-bit pixels"):
        decoded(Image.new("I", (4, 4), 70000), "TIFF")


def test_cmyk():
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for kind in ("JPEG", "TIFF"):
        assert np.abs(decoded(red, kind)[0, 0].astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_gives_its_first_frame(kind):
    frames = [Image.new("L", (6, 6), grey) for grey in (10, 200, 90)]
    options = {"lossless": True} if kind == "WEBP" else {}
    assert decoded(frames[0], kind, GREY, save_all=True, append_images=frames[1:], **options)[0, 0, 0] == 10


def segment(marker, content):
    """Of a JPEG."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's
@pytest.mark.parametrize(
    "odd",
    [
        segment(0xE1, b"Exif\0\0garbage"),
        segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"),
        segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff"),
        segment(0xE1, b"Exif\0\0"),
        segment(0xE1, b'http://ns.adobe.com/xap/1.0/\0tiff:Orientation="x"'),
        segment(0xE2, b"ICC_PROFILE\0\1\xff" + bytes(65000)) * 30,
        segment(0xE2, b"ICC_PROFILE\0"),
        segment(0xFE, b"a comment") + segment(0xE2, b"ICC_PROFILE\0"),
        segment(0xE2, b"MPF\0MM\0*\0\0\0\x08\xff\xff"),
        segment(0xED, b"Photoshop 3.0\x008BIM\4"),
        segment(0xFE, bytes(65000)) * 100,
    ],
)
def test_pixels_do_not_depend_on_what_else_a_jpeg_holds(odd):
    plain = encoded(Image.new("L", (16, 16), 99), "JPEG")
    assert fit(open_image(plain[:2] + odd + plain[2:]), GREY).tolist() == fit(open_image(plain), GREY).tolist()


def test_a_jpeg_with_an_odd_segment_keeps_its_colours_and_its_side_up():
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    image.paste((0, 0, 0, 0), (0, 0, 16, 8))  # the upper half is white
    exif = image.getexif()
    exif[0x0112] = 6
    plain = encoded(image, "JPEG", exif=exif)
    odd = plain[:2] + segment(0xE2, b"ICC_PROFILE\0") + plain[2:]
    assert fit(open_image(odd), COLOUR).tolist() == fit(open_image(plain), COLOUR).tolist()
    assert fit(open_image(odd), COLOUR)[0, 3].min() > 250


def test_a_photograph_is_turned_upright():
    image = Image.new("L", (8, 8))
    image.paste(255, (0, 0, 8, 2))
    exif = image.getexif()
    exif[0x0112] = 6  # to be shown rotated by 90 degrees
    upright = decoded(image, "PNG", Fit(8, 1, crop=False), exif=exif)
    assert upright[:, 6:].min() == 255
    assert upright[:, :6].max() == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (3, 5000)])
@pytest.mark.parametrize("crop", [False, True])
def test_odd_sizes(size, crop):
    assert decoded(Image.new("RGB", size, (9, 8, 7)), "PNG", Fit(16, 3, crop))[5, 5].tolist() == [9, 8, 7]


def test_squeezed_or_cropped():
    image = Image.new("L", (40, 20))
    image.paste(255, (0, 0, 10, 20))  # the leftmost quarter is white
    squeezed = fit(image, Fit(8, 1, crop=False))
    assert squeezed.shape == (8, 8, 1)
    assert squeezed[:, 0].min() > 200
    assert squeezed[:, 4:].max() == 0
    assert fit(image, Fit(8, 1, crop=True)).max() == 0  # the quarter is cut away


def test_antialiased():
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (64, 32)))
    small = fit(stripes, Fit(8, 1, crop=False))
    assert small.min() > 110
    assert small.max() < 145


@pytest.mark.parametrize("resolution", [16, 112, 300])
def test_the_same_pixels_as_the_usual_loader(resolution):
    photograph = Image.fromarray(load_sample_images().images[1])
    usual = transforms.Resize((resolution, resolution))(photograph)
    assert np.array_equal(fit(photograph, Fit(resolution, 3, crop=False)), np.asarray(usual))


def test_a_scaled_jpeg_is_nearly_the_whole_one():
    """The docstring's figures, on a real photograph: half a grey level to one, never none for 112 of 256 pixels."""
    photograph = Image.fromarray(load_sample_images().images[0]).crop((0, 0, 427, 427)).resize((256, 256))
    content = encoded(photograph, "JPEG", quality=85)
    errors = {}
    for resolution in (32, 64, 112):
        whole = open_image(content).convert("RGB").resize((resolution, resolution), Image.Resampling.BILINEAR)
        scaled = fit(open_image(content), Fit(resolution, 3, crop=False))
        errors[resolution] = np.abs(scaled.astype(float) - np.asarray(whole)).mean()
    assert 0 < errors[32] < 1.3
    assert 0 < errors[64] < 1.3
    assert errors[112] == 0  # 128 would be less than twice the resolution


def png_that_claims(width, height):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_decompression_bombs_are_refused_before_they_are_decoded():
    assert MAX_PIXELS == 8192 * 8192
    with pytest.raises(ValueError, match=r"8193×8192 pixels are more than 67,108,864: refused as too large"):
        fit(open_image(png_that_claims(8193, 8192)), GREY)
    with pytest.raises(OSError, match="truncated"):  # not refused, but it does not hold what it claims
        fit(open_image(png_that_claims(8192, 8192)), GREY)
    with pytest.raises(Image.DecompressionBombError):
        open_image(png_that_claims(60000, 60000))


def test_what_is_no_image():
    with pytest.raises(ValueError, match="the file is empty"):
        open_image(b"")
    with pytest.raises(ValueError, match="not an image in a format that is known"):
        open_image(b"this is text")
    whole = encoded(Image.effect_noise((64, 64), 50), "JPEG")
    with pytest.raises(OSError, match="truncated"):
        fit(open_image(whole[: len(whole) // 2]), GREY)


def test_no_other_program_is_started_for_a_file(monkeypatch):
    """Pillow would run Ghostscript for PostScript that is called .jpg."""
    with pytest.raises(ValueError, match="not an image in a format that is known"):
        open_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n")


def test_large_images_are_decoded_one_at_a_time(monkeypatch):
    monkeypatch.setattr(decode, "_LARGE", 100)
    inside, most = [], []

    original = decode._fit

    def counted(image, how):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.01)
        inside.pop()
        return original(image, how)

    monkeypatch.setattr(decode, "_fit", counted)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda image: fit(image, GREY), [Image.new("L", (11, 10))] * 8))
        assert max(most) == 1
        list(pool.map(lambda image: fit(image, GREY), [Image.new("L", (10, 10))] * 8))
        assert max(most) > 1
