"""What is taken for classes and splits, of a folder, a zip and a tar of the same files."""

import io
import json
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from lsgan.data.sources.archives import open_archive
from lsgan.data.sources.splits import ALL
from lsgan.errors import LsganError

STYLEGAN = [f"{i // 3:05d}/img{i:08d}.png" for i in range(7)]


def dataset_json(labels):
    return json.dumps({"labels": labels, "made_by": "dataset_tool"}).encode()


def encoded():
    buffer = io.BytesIO()
    Image.new("L", (4, 4)).save(buffer, "PNG")
    return buffer.getvalue()


PICTURE = encoded()


def places(root, files):
    """The files as a folder, zip and tar."""
    for name, content in files.items():
        (root / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "folder" / name).write_bytes(content)
    with zipfile.ZipFile(root / "x.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with tarfile.open(root / "x.tar", "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return [root / "folder", root / "x.zip", root / "x.tar"]


@pytest.fixture
def understood(tmp_path):
    """(what was told, {image: class}) of images, and of lists beside them; the same in every kind of place."""

    def understand(*images, split=None, **lists):
        found = []
        root = Path(tempfile.mkdtemp(dir=tmp_path))
        for place in places(root, dict.fromkeys(images, PICTURE) | lists):
            with open_archive(place, tmp_path, split) as source:
                classes = {
                    item.name: None if item.label is None else source.classes[item.label] for item in source.items()
                }
                assert source.num_items == len(classes)
                found.append((source.reading.told, classes))
        assert found[0] == found[1] == found[2]
        return found[0]

    return understand


@pytest.mark.parametrize("top", ["", "ffhq/", "a/b/"])
@pytest.mark.parametrize("num", [7, 3])  # 3: a single folder
def test_stylegans_own_labels(understood, top, num):
    labels = [[name, i % 3] for i, name in enumerate(STYLEGAN[:num])]
    images = [top + name for name in STYLEGAN[:num]]
    told, classes = understood(*images, **{f"{top}dataset.json": dataset_json(labels)})
    assert told == f"3 of {top}dataset.json: 0, 1, 2"
    assert list(classes.values()) == [str(i % 3) for i in range(num)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (dataset_json(None), "dataset.json says that there are no labels"),
        (b'{"name": "faces"}', "the 3 folders 00000, 00001, 00002 only number parts of the whole"),
        (None, "the 3 folders 00000, 00001, 00002 only number parts of the whole"),
    ],
)
def test_stylegans_folders_are_no_classes(understood, content, why):
    told, classes = understood(*STYLEGAN, **({"dataset.json": content} if content else {}))
    assert told == f"none ({why})"
    assert set(classes.values()) == {None}


def test_stylegans_folders_are_no_classes_however_the_images_are_called(understood):
    images = ("00000/0.png", "00001/0.png")
    assert understood(*images, **{"dataset.json": b"{}"})[0].startswith("none (the 2 folders 00000, 00001 only number")
    assert understood(*images)[0] == "the 2 folders 00000, 00001"


@pytest.mark.parametrize(
    ("images", "folders"),
    [
        ([f"000{i // 3 + 1}/{i}.png" for i in range(9)], "the 3 folders 0001, 0002, 0003"),
        (["1999/0.png", "1999/1.png", "2000/2.png"], "the 2 folders 1999, 2000"),
        ([f"0000{i}/{i}.png" for i in range(3)], "the 3 folders 00000, 00001, 00002"),
        ([f"faces/{i // 3:02d}/{i}.png" for i in range(6)], "the 2 folders 00, 01"),
    ],
)
def test_numbers_are_classes_unless_a_tool_counted_them(understood, images, folders):
    told, classes = understood(*images)
    assert told == folders
    assert classes == {name: name.split("/")[-2] for name in images}


PETS = ["train/cat/1.png", "train/cat/2.png", "train/dog/1.png", "val/cat/3.png", "val/dog/2.png"]


def test_splits_are_no_classes_and_train_alone_is_taken(understood):
    told, classes = understood(*PETS)
    assert told == "the 2 folders cat, dog (train/ of train, val)"
    assert classes == {"train/cat/1.png": "cat", "train/cat/2.png": "cat", "train/dog/1.png": "dog"}


def test_another_split_if_asked_for(understood):
    told, classes = understood(*PETS, split=["validation"])
    assert told == "the 2 folders cat, dog (val/ of train, val)"
    assert classes == {"val/cat/3.png": "cat", "val/dog/2.png": "dog"}
    for both in (["train", "val"], ALL):
        told, classes = understood(*PETS, split=both)
        assert told == "the 2 folders cat, dog (all of train, val)"
        assert list(classes.values()) == ["cat", "cat", "dog", "cat", "dog"]
    with pytest.raises(LsganError, match=r"dataset.split=test: .*folder has no such split: choose of train, val, all"):
        understood(*PETS, split=["test"])


@pytest.mark.parametrize(
    ("images", "told", "num"),
    [
        (["top/train/n01/x.png", "top/train/n02/y.png", "top/val/n01/z.png"], "the 2 folders n01, n02", 2),
        (["cat/train/1.png", "cat/test/2.png", "dog/train/3.png", "dog/test/4.png"], "the 2 folders cat, dog", 2),
        (["data/train/a.png"], "none (all images are in one folder)", 1),
        (["train/cat/a.png", "train/dog/b.png"], "the 2 folders cat, dog", 2),
        (["train/a.png", "train/b.png", "test/c.png"], "none (all images are in one folder)", 2),
        (["train2017/a.png", "val2017/b.png"], "none (all images are in one folder)", 1),
        (["Training/7/a.png", "Training/8/b.png", "TESTING/7/c.png"], "the 2 folders 7, 8", 2),
        (
            [*(f"training_set/training_set/{pet}/1.png" for pet in ("cats", "dogs")), "test_set/test_set/cats/2.png"],
            "the 2 folders cats, dogs",
            2,
        ),
        (["bus/1.png", "car/2.png", "train/3.png"], "the 3 folders bus, car, train", 3),
        (["val/cat/1.png", "test/dog/2.png"], "the 2 folders cat, dog (all of val, test)", 2),
        (
            [f"{split}/0000{i}/{i}{j}.png" for split in ("train", "val") for i in range(2) for j in range(2)],
            "none (the 2 folders 00000, 00001 only number parts of the whole)",
            4,
        ),
        (["1.png", "train/cat/2.png", "train/dog/3.png", "val/cat/4.png"], "the 2 folders cat, dog", 2),
        (
            [f"{f}/{i}.png" for f in ("cat", "dog", "vehicle/train", "vehicle/test") for i in range(3)],
            "the 3 folders cat, dog, vehicle",
            12,
        ),
        (
            [f"seg_{s}/seg_{s}/{f}{s}.png" for s in ("train", "test", "pred") for f in ("sea/", "street/")],
            "the 2 folders sea, street (seg_train/ of seg_train, seg_test, seg_pred)",
            2,
        ),
        (["train1/cat/a.png", "train1/dog/b.png", "test1/c.png"], "the 2 folders cat, dog", 2),
        (
            ["images_train/a/1.png", "images_train/b/2.png", "images_test/a/3.png"],
            "the 2 folders a, b (images_train/ of images_train, images_test)",
            2,
        ),
        (["train_0/a.png", "train_1/b.png", "test_0/c.png"], "none (all images are in one folder)", 2),
        (
            ["hq_train/a.png", "lq_train/b.png", "hq_test/c.png"],
            "none (all images are in one folder) (hq_train/, lq_train/ of hq_train, lq_train, hq_test)",
            2,
        ),
        (
            ["cat/hq_train/a.png", "dog/hq_train/b.png", "dog/hq_test/c.png"],
            "the 2 folders cat, dog (hq_train/ of hq_train, hq_test)",
            2,
        ),
        (["train/1/a.png", "train/2/b.png", "unlabeled/c.png", "unlabeled/d.png"], "the 2 folders 1, 2", 2),
        (["freight_train/1.png", "bullet_train/2.png"], "the 2 folders bullet_train, freight_train", 2),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)  # fmt: skip
def test_splits_wherever_they_are(understood, images, told, num):
    found, classes = understood(*images)
    assert found.partition(" (train")[0].partition(" (Train")[0] == told
    assert len(classes) == num


def test_images_outside_of_all_splits_are_told(understood):
    told, _ = understood("1.png", "train/cat/2.png", "train/dog/3.png", "val/cat/4.png")
    assert told == "the 2 folders cat, dog (train/ of train, val; in none of them and left out: 1)"


def test_why_there_are_no_classes(understood):
    assert understood("cat/1.png")[0] == "none (all images are in one folder)"
    told, _ = understood("cat/1.png", "dog/2.png", "3.png")
    assert told == "none (outside of the folders cat, dog: 1 of 3 images, first 3.png)"


def test_folders_that_differ_in_case_alone_are_told(understood):
    told, _ = understood("Cat/1.png", "cat/2.png")
    assert told == "the 2 folders Cat, cat; Cat and cat are taken for two: rename one if they are the same"


def test_a_few_names_are_enough(understood):
    assert understood(*(f"{i}/x.png" for i in range(9)))[0] == "the 9 folders 0, 1, 2, 3, 4, …"


def test_what_systems_leave_among_images_is_none(understood):
    _, classes = understood(
        "cat/1.png", "dog/2.png", "@eaDir/1.png", "cat/@eaDir/1.png/x.png", "cat/.ipynb_checkpoints/1.png"
    )
    assert list(classes) == ["cat/1.png", "dog/2.png"]


def test_a_list_and_the_images_do_not_quite_match(understood):
    told, classes = understood(
        "1.png", "2.png", "3.png", **{"labels.csv": b"\xef\xbb\xbffile,label\r\n1.png,b\r\n2.png,a\r\ngone.png,a\r\n"}
    )
    assert told == (
        "2 of labels.csv: a, b; without a label there and left out: 1, first 3.png; "
        "named there and missing: 1, first gone.png"
    )
    assert classes == {"1.png": "b", "2.png": "a", "3.png": None}


def test_a_list_that_names_no_image_here(understood):
    sentence = r"labels.csv names none of the 2 images: it names '1.png', and the first image is called 'i/1.png' from"
    with pytest.raises(LsganError, match=sentence):
        understood("i/1.png", "i/2.png", **{"labels.csv": b"1.png,x\n2.png,y\n"})


def test_a_list_of_all_splits_misses_none(understood):
    listed = b"train/1.png,x\ntrain/2.png,y\nval/3.png,x\n"
    told, _ = understood("train/1.png", "train/2.png", "val/3.png", **{"labels.csv": listed})
    assert told == "2 of labels.csv: x, y (train/ of train, val)"


def test_a_list_in_a_split(understood):
    content = b'{"file_name": "1.png", "label": "x"}\n{"file_name": "2.png", "label": 3}\n'
    told, classes = understood("train/1.png", "train/2.png", "val/3.png", **{"train/metadata.jsonl": content})
    assert told == "2 of train/metadata.jsonl: 3, x (train/ of train, val)"
    assert classes == {"train/1.png": "x", "train/2.png": "3"}


def test_our_list_wins_over_other_programs(understood):
    lists = {"labels.csv": b"00000/0.png,x\n00001/1.png,y\n", "dataset.json": dataset_json([["00000/0.png", 7]])}
    assert understood("00000/0.png", "00001/1.png", **lists)[0] == "2 of labels.csv: x, y"


def test_a_list_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "1.png").write_bytes(PICTURE)
    (tmp_path / "r" / "labels.csv").symlink_to(tmp_path / "nowhere")
    with pytest.raises(LsganError, match=r"r: the list of labels labels.csv cannot be read: .*No such file"):
        open_archive(tmp_path / "r", tmp_path).__enter__()


def test_folders_in_a_zip_of_windows(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in ("train\\cat\\1.png", "train\\dog\\2.png", "val\\cat\\3.png"):
            archive.writestr(name, PICTURE)
    with open_archive(tmp_path / "x.zip", tmp_path, None) as source:
        assert source.classes == ["cat", "dog"]
        assert [item.load().size for item in source.items()] == [(4, 4), (4, 4)]
