import gzip
import os
import re
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from lsgan.data.sources.decode import Fit, fit
from lsgan.data.sources.image_files import image_folder
from lsgan.data.sources.tar_images import image_tar
from lsgan.data.sources.zip_images import image_zip
from lsgan.errors import LsganError

NAMES = ["a/deep/two.webp", "a/one.jpg", "b.PNG", "c.bmp", "d.tiff", "e.gif", "ヤギ.png"]  # sorted


@pytest.fixture
def pictures(tmp_path):
    root = tmp_path / "bilder für ヤギ"
    (root / "a" / "deep").mkdir(parents=True)
    for i, name in enumerate(NAMES):
        Image.new("RGB", (20 + i, 16), (30 * i, 10, 10)).save(root / name)
    (root / "notes.txt").write_text("not an image")
    (root / ".hidden.png").write_text("of the system")
    return root


def zipped(root, path, names=None):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*"), reverse=True):
            archive.write(file, file.relative_to(root))
    return path


def tarred(root, path, mode="w"):
    with tarfile.open(path, mode) as archive:
        archive.add(root, "." if mode == "w" else "top")
    return path


def read(source):
    """{name: (grey level or reason, label)} of every item."""
    found = {}
    for item in source.items():
        try:
            found[item.name] = (int(fit(item.load(), Fit(4, 3, crop=False))[2, 2, 0]), item.label)
        except Exception as error:
            found[item.name] = (str(error), item.label)
    assert source.num_items == len(found)
    return found


def test_folder_zip_and_tar_hold_the_same_images_in_the_same_order(pictures, tmp_path):
    with image_folder(pictures) as source:
        in_folder = read(source)
    with image_zip(zipped(pictures, tmp_path / "p.zip")) as source:
        in_zip = read(source)
    with image_tar(tarred(pictures, tmp_path / "p.tar"), tmp_path) as source:
        in_tar = read(source)
    assert list(in_folder) == list(in_zip) == list(in_tar) == NAMES
    assert in_folder == in_zip == in_tar
    assert np.abs(np.array([level for level, _ in in_folder.values()]) - 30 * np.arange(7)).max() <= 4


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_tar(pictures, tmp_path, mode):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with image_tar(tarred(pictures, tmp_path / "p", mode), scratch) as source:
        assert list(read(source)) == [f"top/{name}" for name in NAMES]
    assert list(scratch.iterdir()) == []


def test_class_folders_become_labels(pictures, tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.new("L", (4, 4)).save(tmp_path / "pets" / name / "1.png")
    with image_folder(tmp_path / "pets") as source:
        assert source.classes == ["cat", "dog"]
        assert [item.label for item in source.items()] == [0, 1]
    with image_folder(pictures) as source:
        assert source.classes is None
        assert {item.label for item in source.items()} == {None}


@pytest.mark.parametrize("inner", ["", "a/"])
def test_a_list_of_labels_wins_over_folders(tmp_path, inner):
    root = tmp_path / "root"
    for name in ("x/1.png", "y/2.png", "y/3.png"):
        (root / inner / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(root / inner / name)
    (root / inner / "labels.csv").write_text("x/1.png,round\ny/2.png,flat\n")
    with image_folder(root) as source:
        assert source.classes == ["flat", "round"]
        assert read(source) == {
            f"{inner}x/1.png": (0, 1),
            f"{inner}y/2.png": (0, 0),
            f"{inner}y/3.png": ("the list of labels does not name it", None),
        }
    (root / inner / "labels.json").write_text("{}")
    with pytest.raises(LsganError, match=r"holds .*labels.csv and .*labels.json: keep one of them"), image_folder(root):
        pass


def test_symbolic_links_are_followed_but_not_in_circles(pictures, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    Image.new("L", (4, 4), 99).save(tmp_path / "elsewhere" / "linked.png")
    (pictures / "z").symlink_to(tmp_path / "elsewhere")
    (pictures / "a" / "up").symlink_to(pictures)
    (pictures / "gone.png").symlink_to(tmp_path / "nothing")
    with image_folder(pictures) as source:
        found = read(source)
    assert sorted(found) == sorted([*NAMES, "gone.png", "z/linked.png"])
    assert found["gone.png"][0].startswith("[Errno 2] No such file")  # it is named, not passed over


def test_broken_files_tell_their_reason(tmp_path):
    root = tmp_path / "r"
    root.mkdir()
    (root / "zero.png").write_bytes(b"")
    (root / "text.jpg").write_text("this is no image")
    Image.effect_noise((64, 64), 50).save(root / "cut.jpg")
    os.truncate(root / "cut.jpg", 1000)
    expected = {
        "cut.jpg": "image file is truncated",
        "text.jpg": "not an image in a format that is known",
        "zero.png": "the file is empty",
    }
    with image_folder(root) as source:
        found = read(source)
    for name, reason in expected.items():
        assert found[name][0].startswith(reason)
    with image_zip(zipped(root, tmp_path / "r.zip")) as source:
        assert read(source) == found


def test_huge_files_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("lsgan.data.sources.image_files.MAX_BYTES", 1000)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "x.png").write_bytes(b"x" * 1001)
    (tmp_path / "r" / "y.png").write_bytes(b"x" * 1000)
    refused = {"x.png": ("1,001 bytes are more than 1,000: refused as too large", None)}
    allowed = {"y.png": ("not an image in a format that is known", None)}
    with image_folder(tmp_path / "r") as source:
        assert read(source) == refused | allowed
    with image_zip(zipped(tmp_path / "r", tmp_path / "r.zip")) as source:
        assert read(source) == refused | allowed
    with image_tar(tarred(tmp_path / "r", tmp_path / "r.tar"), tmp_path) as source:
        assert read(source) == refused | allowed


def test_nothing_leaves_an_archive(tmp_path, pictures):
    """Members are read, never unpacked, so a name cannot put a file anywhere."""
    content = (pictures / "c.bmp").read_bytes()
    inside = tmp_path / "in"
    inside.mkdir()
    with zipfile.ZipFile(inside / "evil.zip", "w") as archive:
        for name in ("../out.bmp", "/tmp/lsgan-out.bmp", "fine.bmp"):
            archive.writestr(name, content)
    with image_zip(inside / "evil.zip") as source:
        assert {name: level for name, (level, _) in read(source).items()} == {
            "../out.bmp": 90, "/tmp/lsgan-out.bmp": 90, "fine.bmp": 90,
        }  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bilder für ヤギ", "in"]
    assert not os.path.exists("/tmp/lsgan-out.bmp")  # noqa: PTH110


def test_a_tars_links_and_devices_are_left_out(tmp_path, pictures):
    with tarfile.open(tmp_path / "t.tar", "w") as archive:
        archive.add(pictures / "c.bmp", "c.bmp")
        link = tarfile.TarInfo("link.bmp")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with image_tar(tmp_path / "t.tar", tmp_path) as source:
        assert list(read(source)) == ["c.bmp"]


def test_damaged_archives(tmp_path, pictures):
    archive = zipped(pictures, tmp_path / "p.zip")
    os.truncate(archive, archive.stat().st_size - 30)
    with pytest.raises(LsganError, match=r"p.zip is not a sound zip file \(.*\): get it again"), image_zip(archive):
        pass
    packed = tmp_path / "p.tar.gz"
    packed.write_bytes(gzip.compress(tarred(pictures, tmp_path / "p.tar").read_bytes())[:-2000])
    with pytest.raises(LsganError, match=r"p.tar.gz is not a sound tar file"), image_tar(packed, tmp_path):
        pass


def test_a_damaged_member_is_one_unreadable_image(tmp_path, pictures):
    archive = zipped(pictures, tmp_path / "p.zip")
    with zipfile.ZipFile(archive) as opened:
        offset = opened.getinfo("c.bmp").header_offset
    content = bytearray(archive.read_bytes())
    content[offset + 45] ^= 0xFF
    archive.write_bytes(content)
    with image_zip(archive) as source:
        found = read(source)
    assert [name for name, (level, _) in found.items() if isinstance(level, str)] == ["c.bmp"]


def test_no_images(tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "notes.txt").write_text("nothing")
    with (
        pytest.raises(LsganError, match=r"no images in .*r \(looked for .avif, .bmp, .gif"),
        image_folder(tmp_path / "r"),
    ):
        pass


def test_what_is_left_out_is_the_same_in_folder_zip_and_tar(tmp_path):
    root = tmp_path / "r"
    (root / "photos").mkdir(parents=True)
    Image.new("L", (4, 4), 9).save(root / "photos" / "IMG1", "JPEG")  # as phones and old cameras give them
    Image.new("L", (4, 4), 9).save(root / "a.JPE", "JPEG")
    for name in ("b.psd", "photos/c.PSD", "clip.mov", "notes", "README", "labels.txt", ".d.psd"):
        (root / name).write_text("this is not an image")
    for opened in (
        image_folder(root),
        image_zip(zipped(root, tmp_path / "r.zip")),
        image_tar(tarred(root, tmp_path / "r.tar"), tmp_path),
    ):
        with opened as source:
            assert read(source) == {"a.JPE": (9, None), "photos/IMG1": (9, None)}
            assert source.left_out == {".psd": ["b.psd", "photos/c.PSD"], ".mov": ["clip.mov"], "": ["notes"]}


def test_a_place_without_images_tells_what_it_holds(tmp_path):
    for name in ("a.psd", "b.psd", "images.zip"):
        (tmp_path / name).write_text("x")
    with pytest.raises(LsganError, match=r"\); it holds 2 .psd, 1 .zip$"), image_folder(tmp_path):
        pass


def patched(archive, name, local, central, value):
    """A zip whose headers say something else about one member; where and what as bytes from their starts."""
    with zipfile.ZipFile(archive) as opened:
        start, directory = opened.getinfo(name).header_offset, opened.start_dir
    content = bytearray(archive.read_bytes())
    entry = content.rindex(b"PK\1\2", directory, content.index(name.encode(), directory))
    for place in (start + local, entry + central):
        content[place : place + 2] = value.to_bytes(2, "little")
    archive.write_bytes(content)
    return archive


FAULTS = {  # (place in the local header, in the central one, value): reason
    "Deflate64": (
        (8, 10, 9),
        r"is packed in a way that Python cannot read \(.*compression.*\): unpack it with 7z or unzip",
    ),
    "PPMd": (
        (8, 10, 98),
        r"is packed in a way that Python cannot read \(.*compression.*\): unpack it with 7z or unzip, and",
    ),
    "encrypted": ((6, 8, 1), r"is encrypted \(.*\): unpack it with its password, and name the folder"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_zip_that_python_cannot_unpack_is_not_called_damaged(tmp_path, pictures, fault):
    where, reason = FAULTS[fault]
    (pictures / "labels.csv").write_text("".join(f"{name},x\n" for name in NAMES))
    archive = patched(zipped(pictures, tmp_path / "p.zip"), "c.bmp", *where)
    with image_zip(archive) as source:  # one member: the others are read
        found = read(source)
    assert [name for name, (level, _) in found.items() if isinstance(level, str)] == ["c.bmp"]
    assert re.match(f"the zip {reason}", found["c.bmp"][0])
    with (
        pytest.raises(LsganError, match=f"p.zip: the list of labels labels.csv cannot be read: the zip {reason}"),
        image_zip(patched(archive, "labels.csv", *where)),
    ):
        pass


def test_a_list_of_labels_with_a_wrong_checksum(tmp_path, pictures):
    (pictures / "labels.csv").write_text("a.png,x\n" * 50)
    archive = patched(zipped(pictures, tmp_path / "p.zip"), "labels.csv", 14, 16, 1)
    with (
        pytest.raises(
            LsganError, match=r"labels.csv cannot be read: the zip is not a sound zip file \(Bad CRC.*get it a"
        ),
        image_zip(archive),
    ):
        pass


def test_a_huge_list_of_labels(tmp_path, pictures, monkeypatch):
    (pictures / "labels.csv").write_text("a.png,x\n" * 500)
    monkeypatch.setattr("lsgan.data.sources.image_files.MAX_BYTES", 1000)
    with pytest.raises(LsganError, match=r"labels.csv cannot be read: .* refused as too large"), image_folder(pictures):
        pass


def test_a_zip64(tmp_path, pictures):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive, archive.open("c.bmp", "w", force_zip64=True) as member:
        member.write((pictures / "c.bmp").read_bytes())
    with image_zip(tmp_path / "p.zip") as source:
        assert read(source) == {"c.bmp": (90, None)}


def test_the_last_part_of_a_split_zip(tmp_path, pictures):
    archive = zipped(pictures, tmp_path / "p.zip")
    content = bytearray(archive.read_bytes()[1000:])
    end = content.rindex(b"PK\5\6")
    content[end + 4 : end + 8] = b"\2\0\2\0"
    archive.write_bytes(content)
    with (
        pytest.raises(LsganError, match=r"p.zip is one part of a split zip: join the parts \(zip -s 0"),
        image_zip(archive),
    ):
        pass


def test_a_folder_that_cannot_be_listed_is_no_silence(tmp_path, monkeypatch):
    def scandir(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError), image_folder(tmp_path):
        pass


def test_what_is_hidden_in_one_kind_is_hidden_in_all(tmp_path):
    root = tmp_path / "r"
    for name in ("seen.png", ".trash/a.png", "b/.c.png", "__MACOSX/d.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(root / name)
    for opened in (
        image_folder(root),
        image_zip(zipped(root, tmp_path / "r.zip")),
        image_tar(tarred(root, tmp_path / "r.tar"), tmp_path),
    ):
        with opened as source:
            assert list(read(source)) == ["seen.png"]


def test_hard_links_in_a_tar(tmp_path):
    (tmp_path / "r").mkdir()
    Image.new("L", (4, 4), 9).save(tmp_path / "r" / "a.png")
    (tmp_path / "r" / "b.png").hardlink_to(tmp_path / "r" / "a.png")
    with image_tar(tarred(tmp_path / "r", tmp_path / "r.tar"), tmp_path) as source:
        found = read(source)
    assert list(found) == ["a.png", "b.png"]
    assert found["a.png"] == found["b.png"]


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_a_damaged_compressed_tar_is_not_the_disks_fault(tmp_path, kind):
    (tmp_path / "r").mkdir()
    Image.effect_noise((64, 64), 50).save(tmp_path / "r" / "a.png")
    path = tmp_path / f"r.tar.{kind}"
    with tarfile.open(path, f"w:{kind}") as tar:
        tar.add(tmp_path / "r" / "a.png", "a.png")
    content = bytearray(path.read_bytes())
    content[-12] ^= 255
    path.write_bytes(content)
    with pytest.raises(LsganError, match=r"is not a sound tar file \(.*\): get it again"), image_tar(path, tmp_path):
        pass


def test_an_encrypted_list_of_labels(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.png", b"")
        archive.writestr("labels.csv", b"a.png,1")
    content = bytearray((tmp_path / "x.zip").read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # says that it is encrypted
        start = content.index(
            signature, content.index(b"labels.csv") - 50 if flags == 6 else content.index(b"PK\1\2") + 1
        )
        content[start + flags] |= 1
    (tmp_path / "x.zip").write_bytes(content)
    with (
        pytest.raises(
            LsganError, match=r"x.zip: the list of labels labels.csv cannot be read: the zip is encrypted \(.*"
        ),
        image_zip(tmp_path / "x.zip"),
    ):
        pass
