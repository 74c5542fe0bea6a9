import json
import os
import shutil
import sys
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lsgan.data.sources import archives
from lsgan.data.sources.archives import fingerprint, look, open_archive
from lsgan.data.sources.decode import Fit, fit
from lsgan.data.sources.splits import ALL
from lsgan.errors import LsganError


def levels(path, scratch):
    scratch.mkdir(exist_ok=True)
    with open_archive(path, scratch) as source:
        return [fit(item.load(), Fit(4, 3, crop=False))[3, 3].tolist() for item in source.items()]


def zip_of(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{folder.name}/{file.name}")
    return path


def write_parquet(path, images, labels=None, names=None, image=lambda content: {"bytes": content, "path": None}):
    """As Hugging Face's `datasets` writes one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"image": [image(content) for content in images]}
    metadata = {}
    if labels is not None:
        columns["label"] = labels
        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table(columns)
    pq.write_table(table.replace_schema_metadata(metadata), path, row_group_size=3)
    return path


def test_every_kind_gives_the_same_images(tmp_path, make_lmdb, drawings):
    values = drawings(10, "PNG")
    lmdb = make_lmdb(tmp_path / "x_lmdb", values)
    (tmp_path / "folder").mkdir()
    for key, content in values.items():
        (tmp_path / "folder" / f"{key}.png").write_bytes(content)
    shutil.make_archive(str(tmp_path / "t"), "gztar", tmp_path / "folder")
    contents = list(values.values())
    write_parquet(tmp_path / "parquet" / "data" / "0.parquet", contents[:7])
    write_parquet(tmp_path / "parquet" / "data" / "1.parquet", contents[7:])
    places = [
        tmp_path / "folder",
        lmdb,
        zip_of(lmdb, tmp_path / "lmdb.zip"),
        zip_of(tmp_path / "folder", tmp_path / "images.zip"),
        tmp_path / "t.tar.gz",
        tmp_path / "parquet",
        write_parquet(tmp_path / "one.parquet", contents),
        write_parquet(tmp_path / "plain.parquet", contents, image=lambda content: content),
    ]
    expected = levels(places[0], tmp_path / "scratch")
    assert len(expected) == 10
    for place in places[1:]:
        assert levels(place, tmp_path / "scratch") == expected, place
        shutil.rmtree(tmp_path / "scratch")


def test_labels_of_parquet(tmp_path, drawings):
    contents = list(drawings(7).values())
    path = write_parquet(tmp_path / "x.parquet", contents, [2, 0, 1, 2, 1, 0, 2], ["a", "b", "c"])
    with open_archive(path, tmp_path) as source:
        assert source.classes == ["a", "b", "c"]
        assert [item.label for item in source.items()] == [2, 0, 1, 2, 1, 0, 2]
    with open_archive(write_parquet(tmp_path / "y.parquet", contents), tmp_path) as source:
        assert source.classes is None


def test_parquet_without_images(tmp_path):
    pq.write_table(pa.table({"text": ["a"], "label": [1]}), tmp_path / "x.parquet")
    with pytest.raises(LsganError, match=r"x.parquet has no column of images: .* among text, label"):
        open_archive(tmp_path / "x.parquet", tmp_path)
    (tmp_path / "y.parquet").write_text("<html>")
    with pytest.raises(LsganError, match=r"y.parquet is not a readable parquet file \("):
        open_archive(tmp_path / "y.parquet", tmp_path)
    (tmp_path / "two").mkdir()
    write_parquet(tmp_path / "two" / "0.parquet", [b"x"])
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "two" / "1.parquet")
    with pytest.raises(LsganError, match=r"1.parquet has no column 'image', unlike 0.parquet"):
        open_archive(tmp_path / "two", tmp_path)


def test_a_row_without_bytes_is_one_unreadable_image(tmp_path, drawings):
    path = write_parquet(tmp_path / "x.parquet", [*drawings(1).values(), None])
    with open_archive(path, tmp_path) as source:
        first, second = source.items()
    first.load()
    assert second.name == "x.parquet row 1"
    with pytest.raises(ValueError, match="the row holds no bytes of an image"):
        second.load()


def test_what_is_no_archive(tmp_path):
    with pytest.raises(LsganError, match=r"nowhere is not there"):
        open_archive(tmp_path / "nowhere", tmp_path)
    page = tmp_path / "church.zip"
    page.write_text("\n<!DOCTYPE html><html>please log in</html>")
    with pytest.raises(LsganError, match=r"church.zip is a web page \(the login page of a network, perhaps\), not an"):
        open_archive(page, tmp_path)
    page.write_bytes(b"\7" * 1234)
    with pytest.raises(LsganError, match=r"no archive that is known \(1,234 bytes\): a folder, zip, tar, LMDB folder"):
        open_archive(page, tmp_path)
    page.write_bytes(b"")
    with pytest.raises(LsganError, match=r"church.zip is empty: a folder, zip"):
        open_archive(page, tmp_path)


@pytest.mark.parametrize(
    ("start", "seems"),
    [
        (b"7z\xbc\xaf\x27\x1c\0\4", r"a 7z archive \(unpack it, and name the folder\)"),
        (b"Rar!\x1a\7\1\0", r"a RAR archive \(unpack it, and name the folder\)"),
        (b"\x28\xb5\x2f\xfd", r"compressed by Zstandard \(unpack it"),
        (b"\x1f\x8b\x08\0", "compressed by gzip, and no tar"),
        (b"PK\3\4\x14\0", "a zip that is cut short"),
        (b"PK\7\x08PK\3\4", "one part of a split zip"),
        (b"version https://git-lfs.github.com/spec/v1\n", r"a Git LFS pointer, .*git lfs pull"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0", "one image"),
    ],
)
def test_other_archives_and_files_are_named(tmp_path, start, seems):
    (tmp_path / "x.bin").write_bytes(start + bytes(100))
    with pytest.raises(LsganError, match=f"x.bin is {seems}.*: a folder, zip, tar, LMDB folder or parquet is wanted$"):
        open_archive(tmp_path / "x.bin", tmp_path)


def test_a_fingerprint_tells_what_the_first_versions_passed_over(tmp_path, drawings):
    """What they read all of keeps its fingerprint, and with it its store."""
    root = tmp_path / "f"
    root.mkdir()
    (root / "x.webp").write_bytes(*drawings(1).values())
    (root / "notes").write_text("these are no image, and not called one")
    (root / "x.psd").write_text("nor is this")
    before = fingerprint(root), fingerprint(zip_of(root, tmp_path / "f.zip"))
    assert all("+" not in text for text in before)
    (root / "y").write_bytes(*drawings(1).values())
    Image.new("L", (4, 4)).save(root / "z.jpe", "JPEG")
    assert fingerprint(root).endswith("+2")
    assert fingerprint(zip_of(root, tmp_path / "f.zip")).endswith("+2")
    assert fingerprint(shutil.make_archive(str(tmp_path / "t"), "tar", root) and tmp_path / "t.tar").endswith("+tar")
    (tmp_path / "f.zip").write_bytes(b"PK\3\4")
    assert "+" not in fingerprint(tmp_path / "f.zip")


def test_damaged_lmdbs(tmp_path, make_lmdb):
    with (
        pytest.raises(LsganError, match="is an LMDB without a single image"),
        open_archive(make_lmdb(tmp_path / "empty", {}), tmp_path),
    ):
        pass
    whole = make_lmdb(tmp_path / "cut", {f"{i}": b"x" * 5000 for i in range(50)})
    os.truncate(whole / "data.mdb", 100_000)
    with (
        pytest.raises(LsganError, match=r"cut is cut short \(100,000 of [\d,]+ bytes\): get the"),
        open_archive(whole, tmp_path),
    ):
        pass
    (whole / "data.mdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(LsganError, match="is not a readable LMDB"), open_archive(whole, tmp_path):
        pass


def test_an_unpacked_lmdb_is_not_unpacked_again(tmp_path, make_lmdb, drawings, monkeypatch):
    archive = zip_of(make_lmdb(tmp_path / "x_lmdb", drawings(3)), tmp_path / "x.zip")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / "data.part").write_text("what a killed process left")
    expected = levels(archive, scratch)
    assert [path.name for path in scratch.iterdir()] == ["data.mdb"]
    monkeypatch.setattr(archives, "_unpack_lmdb", None)
    assert levels(archive, scratch) == expected


def test_a_damaged_zip_of_an_lmdb(tmp_path, make_lmdb, drawings):
    archive = zip_of(make_lmdb(tmp_path / "x_lmdb", drawings(30, "PNG")), tmp_path / "x.zip")
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(LsganError, match=r"x.zip is not a sound zip file \(.*\): get it again"):
        levels(archive, tmp_path / "scratch")
    assert not (tmp_path / "scratch" / "data.mdb").exists()


def test_no_room_to_unpack(tmp_path, make_lmdb, drawings, monkeypatch):
    archive = zip_of(make_lmdb(tmp_path / "x_lmdb", drawings(30, "PNG")), tmp_path / "x.zip")
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        LsganError, match=r"has 1.0 kB free, but [\d.]+ [kM]B are needed to unpack x.zip: free [\d.]+ [kM]B more"
    ):
        levels(archive, tmp_path / "scratch")


def test_a_look_opens_no_image(tmp_path, make_lmdb, drawings, monkeypatch):
    for name in ("b", "a"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.new("L", (4, 4)).save(tmp_path / "pets" / name / "1.png")
    assert look(tmp_path / "pets").classes == ["a", "b"]
    archive = zip_of(make_lmdb(tmp_path / "x_lmdb", drawings(3)), tmp_path / "x.zip")
    monkeypatch.setattr(archives, "_unpack_lmdb", None)  # not for this
    assert look(archive).classes is None


def test_fingerprints(tmp_path, make_lmdb, drawings):
    assert fingerprint(tmp_path / "nothing") is None
    folder = tmp_path / "f"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "x.png").write_bytes(b"one")
    seen = [fingerprint(folder)]
    assert seen == [fingerprint(folder)]
    (folder / "deep" / "x.png").write_bytes(b"another")
    seen.append(fingerprint(folder))
    (folder / "deep" / "x.png").rename(folder / "deep" / "y.png")
    seen.append(fingerprint(folder))
    assert len(set(seen)) == 3
    moved = folder.rename(tmp_path / "g")
    assert fingerprint(moved) == seen[-1]

    lmdb = make_lmdb(tmp_path / "x_lmdb", drawings(30, "PNG"))
    before = fingerprint(lmdb)
    (lmdb / "lock.mdb").touch()  # which LMDB itself does
    assert fingerprint(lmdb) == before
    shutil.copy(lmdb / "data.mdb", tmp_path / "copy")
    assert fingerprint(tmp_path / "copy") == before  # whatever its time
    content = np.frombuffer((tmp_path / "copy").read_bytes(), np.uint8)
    (tmp_path / "copy").write_bytes((255 - content).tobytes())
    assert fingerprint(tmp_path / "copy") != before
    os.truncate(tmp_path / "copy", len(content) - 1)
    assert fingerprint(tmp_path / "copy") != before
    (tmp_path / "small").write_bytes(b"a")
    assert fingerprint(tmp_path / "small") is not None


def test_labels_that_are_none_of_the_classes_are_skipped(tmp_path, drawings):
    contents = list(drawings(5).values())
    path = write_parquet(tmp_path / "x.parquet", contents, [0, None, -1, 2, 1], ["a", "b"])
    with open_archive(path, tmp_path) as source:
        items = list(source.items())
    assert [item.label for item in items] == [0, None, None, None, 1]
    for item, label in zip(items[1:4], ("None", "-1", "2"), strict=True):
        with pytest.raises(ValueError, match=f"its label {label} is none of the classes"):
            item.load()


def test_files_that_name_other_classes(tmp_path, drawings):
    contents = list(drawings(1).values())
    write_parquet(tmp_path / "p" / "0.parquet", contents, [0], ["a", "b"])
    write_parquet(tmp_path / "p" / "1.parquet", contents, [0], ["b", "a"])
    with pytest.raises(LsganError, match=r"1.parquet names other classes than 0.parquet"):
        open_archive(tmp_path / "p", tmp_path)


@pytest.mark.parametrize("metadata", ["notjson", "[]", '{"info": null}', '{"info": {"features": {"label": []}}}'])
def test_somebody_elses_metadata(tmp_path, drawings, metadata):
    table = pa.table({"image": list(drawings(1).values()), "label": [0]})
    pq.write_table(table.replace_schema_metadata({"huggingface": metadata}), tmp_path / "x.parquet")
    with open_archive(tmp_path / "x.parquet", tmp_path) as source:
        assert source.classes is None


def test_a_list_in_parquet_beside_images_is_no_data_set(tmp_path, drawings):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "x.webp").write_bytes(*drawings(1).values())
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "f" / "metadata.parquet")
    assert len(levels(tmp_path / "f", tmp_path / "scratch")) == 1


def test_a_tar_that_ends_with_a_zip(tmp_path, make_lmdb, drawings):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "x.webp").write_bytes(*drawings(1).values())
    zip_of(tmp_path / "f", tmp_path / "z.zip")  # of one image
    (tmp_path / "f" / "y.webp").write_bytes(*drawings(1).values())
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        for path in (tmp_path / "f" / "x.webp", tmp_path / "f" / "y.webp", tmp_path / "z.zip"):
            tar.add(path, path.name)
    assert zipfile.is_zipfile(tmp_path / "t.tar")
    assert len(levels(tmp_path / "t.tar", tmp_path / "scratch")) == 2


def test_damaged_pages_of_an_lmdb(tmp_path, make_lmdb, drawings):
    folder = make_lmdb(tmp_path / "x_lmdb", {f"{i:05d}": b"x" * 3000 for i in range(300)})
    content = bytearray((folder / "data.mdb").read_bytes())
    content[2 * 4096 :] = os.urandom(len(content) - 2 * 4096)
    (folder / "data.mdb").write_bytes(content)
    with pytest.raises(LsganError, match=r"x_lmdb is (not a readable LMDB|cut short)"):
        levels(folder, tmp_path / "scratch")


@pytest.mark.parametrize(
    ("package", "sentence"),
    [("lmdb", "is an LMDB, and the package lmdb is missing: pip install lmdb"), ("pyarrow", "pip install pyarrow")],
)
def test_a_package_is_missed_by_those_alone_who_need_it(tmp_path, make_lmdb, drawings, monkeypatch, package, sentence):
    images = tmp_path / "images"
    images.mkdir()
    (images / "a.webp").write_bytes(next(iter(drawings(1).values())))
    write_parquet(tmp_path / "pyarrow.parquet", [b"an image"])
    held = make_lmdb(tmp_path / "lmdb", drawings(1)) if package == "lmdb" else tmp_path / "pyarrow.parquet"
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "lsgan.data.sources.parquet_images", raising=False)
    with open_archive(images, tmp_path) as source:
        assert source.num_items == 1
    with pytest.raises(LsganError, match=sentence), open_archive(held, tmp_path):
        pass


@pytest.mark.parametrize(
    "name",
    ["data/{}-00000-of-00001.parquet", "{}.parquet", "default/{}/0000.parquet", "cifar10_{}.parquet", "{}_1.parquet"],
)
def test_splits_of_parquet_by_name(tmp_path, drawings, name):
    contents = list(drawings(6).values())
    write_parquet(tmp_path / "p" / name.format("train"), contents[:3], [0, 1, 1], ["a", "b"])
    write_parquet(tmp_path / "p" / name.format("validation"), contents[3:5], [0, 1], ["a", "b"])
    write_parquet(tmp_path / "p" / name.format("test"), contents[5:])  # without labels, as tests are
    for split, num in ((None, 3), (["val"], 2), (["train", "validation"], 5)):
        with open_archive(tmp_path / "p", tmp_path, split) as source:
            assert (source.num_items, len(list(source.items()))) == (num, num)
            assert source.reading.told.startswith("2 of column label: a, b (")
    assert source.reading.told.endswith("(train, validation of train, validation, test)")
    with pytest.raises(LsganError, match=r"dataset.split=x: .*p has no such split: choose of train, validation, test,"):
        open_archive(tmp_path / "p", tmp_path, ["x"])


def test_splits_of_parquet_by_column(tmp_path, drawings):
    table = pa.table({"image": list(drawings(5).values()), "split": ["train", "test", "train", "val", "test"]})
    pq.write_table(table, tmp_path / "x.parquet")
    for split, rows in ((None, [0, 2]), (["test"], [1, 4]), (ALL, [0, 1, 2, 3, 4])):
        with open_archive(tmp_path / "x.parquet", tmp_path, split) as source:
            assert [item.name for item in source.items()] == [f"x.parquet row {row}" for row in rows]
            assert source.num_items == len(rows)
    assert source.reading.told == "none (no column is called label) (all of train, val, test)"


@pytest.mark.parametrize("values", [["a", "b"], [1, 2]])
def test_a_column_that_tells_no_splits(tmp_path, drawings, values):
    pq.write_table(pa.table({"image": list(drawings(2).values()), "split": values}), tmp_path / "x.parquet")
    with open_archive(tmp_path / "x.parquet", tmp_path, None) as source:
        assert source.num_items == 2
        assert list(source.reading.splits.there) == []


def test_labels_of_parquet_that_have_no_names(tmp_path, drawings):
    pq.write_table(pa.table({"image": list(drawings(1).values()), "label": [1]}), tmp_path / "x.parquet")
    with open_archive(tmp_path / "x.parquet", tmp_path) as source:
        assert source.reading.told == "none (no Hugging Face features name the classes of column label)"
