import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lsgan.data.sets.image_folder import ImageFolder
from lsgan.errors import LsganError


def folder(root, resolution=8, **settings):
    return ImageFolder(name="image_folder", root=root, resolution=resolution, channels=3, crop=True, **settings)


@pytest.fixture
def pets(tmp_path):
    root = tmp_path / "my pets ヤギ"
    for i, name in enumerate(("cat/1.png", "dog/1.jpg", "dog/2.webp")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20 + i, 16), (40 * i, 10, 10)).save(root / name)
    return root


def test_a_folder_with_its_labels(tmp_path, pets):
    assert folder(pets).num_classes == 2
    store = folder(pets).prepare(tmp_path)
    assert store.images.shape == (3, 8, 8, 3)
    assert (store.classes, store.labels.tolist()) == (["cat", "dog"], [0, 1, 1])


def test_an_archive_of_it_is_the_same(tmp_path, pets):
    archive = shutil.make_archive(str(tmp_path / "pets"), "zip", pets)
    from_folder = folder(pets).prepare(tmp_path)
    from_zip = folder(archive and tmp_path / "pets.zip").prepare(tmp_path)
    assert folder(tmp_path / "pets.zip").num_classes == 2
    assert (from_folder.images == from_zip.images).all()
    assert from_folder.labels.tolist() == from_zip.labels.tolist()


def test_without_class_folders_there_are_no_classes(tmp_path, pets):
    shutil.move(pets / "cat" / "1.png", pets / "1.png")
    assert folder(pets).num_classes is None
    assert folder(pets).prepare(tmp_path).labels is None


def test_another_content_is_another_store(tmp_path, pets):
    first = folder(pets).prepare(tmp_path)
    assert folder(pets).prepare(tmp_path).folder == first.folder
    Image.new("RGB", (9, 9)).save(pets / "dog" / "z.png")
    assert len(folder(pets).prepare(tmp_path).images) == 4
    shutil.rmtree(pets)
    assert len(folder(pets).prepare(tmp_path).images) == 4  # the newest store is enough


def packed_by_an_earlier_version(store, images):
    """What such a version would have written: nothing of what it passed over, and another name."""
    meta = json.loads((store.folder / "store.json").read_text())
    del meta["left_out"]
    meta["recipe"]["fingerprint"] = meta["recipe"]["fingerprint"].partition("+")[0]
    meta["shape"][0] = images
    (store.folder / "store.json").write_text(json.dumps(meta))
    (store.folder / "images.bin").write_bytes((store.folder / "images.bin").read_bytes()[: images * 192])
    digest = hashlib.sha256(json.dumps(meta["recipe"]).encode()).hexdigest()[:12]
    store.folder.rename(store.folder.with_name(f"image_folder-{digest}"))


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_a_store_that_lacks_images_is_not_taken_for_all(tmp_path, caplog, kind):
    caplog.set_level("INFO")
    root = tmp_path / "photos"
    root.mkdir()
    for name in ("1.png", "2", "3", "4"):
        Image.new("RGB", (9, 9)).save(root / name, "PNG")
    if kind != "folder":
        root = Path(shutil.make_archive(str(tmp_path / "photos"), kind, root))
    store = folder(root).prepare(tmp_path)
    assert len(store.images) == 4
    packed_by_an_earlier_version(store, images=1)
    assert len(folder(root).prepare(tmp_path).images) == 4
    assert "is not used, it has other kinds of files than can be read now" in caplog.text


def test_a_store_of_what_was_read_before_keeps_its_name(tmp_path, pets):
    store = folder(pets).prepare(tmp_path)
    packed_by_an_earlier_version(store, images=3)
    assert folder(pets).prepare(tmp_path).folder == store.folder


def test_what_a_store_lacks_is_told_when_it_can_be_read(tmp_path, pets, caplog):
    store = folder(pets).prepare(tmp_path)
    meta = json.loads((store.folder / "store.json").read_text())
    assert meta["left_out"] == {}
    for left_out, told in ({".psd": 3}, False), ({".psd": 3, ".jp2": 40}, True):
        caplog.clear()
        (store.folder / "store.json").write_text(json.dumps(meta | {"left_out": left_out}))
        folder(pets).prepare(tmp_path)
        line = f"{store.folder} lacks 40 .jp2, which can be read now: delete it to have them packed"
        assert (line in caplog.text) == told
        assert ".psd" not in caplog.text


def test_images_that_an_earlier_version_skipped_are_told(tmp_path, pets, caplog):
    caplog.set_level("INFO")
    (pets / "dog" / "3.png").write_text("broken")
    store = folder(pets).prepare(tmp_path)
    folder(pets).prepare(tmp_path)
    assert "an earlier version" not in caplog.text
    packed_by_an_earlier_version(store, images=3)
    folder(pets).prepare(tmp_path)
    assert f"{store.folder} lacks 1 images that an earlier version could not read: delete it to try" in caplog.text


def test_bits(tmp_path):
    root = tmp_path / "r"
    root.mkdir()
    Image.fromarray(np.full((8, 8), 4095, np.uint16)).save(root / "1.png")
    dark = ImageFolder(name="x", root=root, resolution=8).prepare(tmp_path)
    bright = ImageFolder(name="x", root=root, resolution=8, bits=12).prepare(tmp_path)
    assert (dark.images.max(), bright.images.max()) == (16, 255)
    assert ImageFolder(name="x", root=root, resolution=8).prepare(tmp_path).folder == dark.folder
    for bits in (0, 17, -1):
        with pytest.raises(ValueError, match=f"bits={bits} must be from 1 to 16"):
            ImageFolder(name="x", root=root, resolution=8, bits=bits)


def test_a_place_that_is_missing_or_empty(tmp_path):
    nowhere = folder(tmp_path / "nowhere")
    for ask in (lambda: nowhere.prepare(tmp_path), lambda: nowhere.num_classes):
        with pytest.raises(LsganError, match=r"dataset.root=.*nowhere: .* is not there; name a folder or archive of"):
            ask()
    (tmp_path / "empty").mkdir()
    with pytest.raises(LsganError, match=r"no images in .*empty \(looked for .avif, .bmp"):
        folder(tmp_path / "empty").prepare(tmp_path)


def test_the_number_of_classes_may_be_given(tmp_path, pets):
    def given(classes, root=pets):
        return ImageFolder(name="image_folder", root=root, resolution=8, classes=classes)

    assert given(7, tmp_path / "nowhere").num_classes == 7  # nothing is listed
    assert len(given(2).prepare(tmp_path).images) == 3
    with pytest.raises(LsganError, match=r"dataset.classes=7, but .*ヤギ has 2 classes"):
        given(7).prepare(tmp_path)
    for classes in (0, -1):
        with pytest.raises(ValueError, match=f"classes={classes} must be at least 1"):
            given(classes)


@pytest.mark.parametrize("name", ["../../x", "", ".hidden", "a b"])
def test_a_name_stays_in_its_folder(tmp_path, name):
    with pytest.raises(ValueError, match=r"name=.* names a folder: use letters, digits, '.', '_' and '-' only"):
        ImageFolder(name=name, root=tmp_path, resolution=8)


def test_a_place_that_cannot_be_asked_for(tmp_path):
    place = folder(tmp_path / ("x" * 300))
    with pytest.raises(LsganError, match=r"image_folder: .*xxx.* cannot be read \(File name too long\)"):
        place.prepare(tmp_path)
    with pytest.raises(LsganError, match=r"dataset.root=.*xxx.* cannot be read \(File name too long\)"):
        _ = place.num_classes


@pytest.fixture
def split_pets(tmp_path):
    root = tmp_path / "split pets"
    for i, name in enumerate(("train/cat/1", "train/dog/1", "train/dog/2", "val/cat/3", "val/dog/3")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (40 * i, 10, 10)).save(root / f"{name}.png")
    return root


def stores(data_dir):
    return {path.name for path in (data_dir / "packed").iterdir() if path.is_dir()}


def of_an_earlier_version(store, **changed):
    """As it would have packed it: it wrote down no reading, and understood some places otherwise."""
    meta = json.loads((store.folder / "store.json").read_text())
    del meta["reading"]
    (store.folder / "store.json").write_text(json.dumps({**meta, **changed}))
    return store.folder


def test_train_alone_is_packed_and_other_splits_if_asked_for(tmp_path, split_pets, caplog):
    caplog.set_level("INFO")
    train = folder(split_pets).prepare(tmp_path)
    assert (len(train.images), train.classes, train.labels.tolist()) == (3, ["cat", "dog"], [0, 1, 1])
    assert "classes: the 2 folders cat, dog (train/ of train, val)" in caplog.text
    everything = folder(split_pets, split="all").prepare(tmp_path)
    assert (len(everything.images), everything.labels.tolist()) == (5, [0, 1, 1, 0, 1])
    assert len(folder(split_pets, split="validation").prepare(tmp_path).images) == 2
    assert len(stores(tmp_path)) == 3
    for same in ({"split": "train"}, {"split": ["training"]}, {}):
        assert folder(split_pets, **same).prepare(tmp_path).folder == train.folder
    assert folder(split_pets, split=["val", "train"]).prepare(tmp_path).folder == everything.folder
    assert len(stores(tmp_path)) == 3
    assert folder(split_pets).num_classes == 2
    with pytest.raises(LsganError, match=r"dataset.split=test: .*split pets has no such split: choose of train, val"):
        folder(split_pets, split="test").prepare(tmp_path)


def test_a_packed_split_outlives_its_files(tmp_path, split_pets):
    kept = {split: folder(split_pets, split=split).prepare(tmp_path).folder for split in ("val", "all", None)}
    shutil.rmtree(split_pets)
    assert {split: folder(split_pets, split=split).prepare(tmp_path).folder for split in kept} == kept
    with pytest.raises(LsganError, match="is not there; name a folder or archive of images"):
        folder(split_pets, split="test").prepare(tmp_path)


@pytest.mark.parametrize("split", ["", [], 3, [3], True, {"a": 1}, [""]])
def test_what_is_no_name_of_a_split(tmp_path, split):
    with pytest.raises(ValueError, match=r"split=.* must be the name of a split, such as train, several, or all"):
        folder(tmp_path, split=split)


def test_the_recipe_of_a_place_without_splits_is_as_ever(tmp_path, pets):
    store = folder(pets).prepare(tmp_path)
    recipe = json.loads((store.folder / "store.json").read_text())["recipe"]
    assert list(recipe) == ["format_version", "source", "fingerprint", "resolution", "channels", "crop"]


def test_a_store_of_an_earlier_version_is_used_where_it_meant_the_same(tmp_path, pets, monkeypatch, caplog):
    caplog.set_level("INFO")
    old = of_an_earlier_version(folder(pets).prepare(tmp_path))
    monkeypatch.setattr(ImageFolder, "open_source", None)  # nothing is packed
    assert folder(pets).prepare(tmp_path).folder == old
    assert "classes: the 2 folders cat, dog" in caplog.text
    monkeypatch.setattr("lsgan.data.sets.image_folder.look", None)  # what was found is written down
    assert folder(pets).prepare(tmp_path).folder == old


@pytest.mark.parametrize(("split", "num"), [(None, 3), ("all", 5)])
def test_a_store_of_an_earlier_version_is_not_used_where_it_meant_something_else(
    tmp_path, split_pets, caplog, split, num
):
    caplog.set_level("INFO")
    old = of_an_earlier_version(folder(split_pets, split="all").prepare(tmp_path), classes=["train", "val"])
    for _ in range(2):
        new = folder(split_pets, split=split).prepare(tmp_path)
        assert (len(new.images), new.classes) == (num, ["cat", "dog"])
        assert new.folder != old
    assert f"{old} is not used, it has split=None, not " in caplog.text
    assert len(stores(tmp_path)) == 2


def test_a_reading_by_earlier_rules_is_looked_at_again(tmp_path, monkeypatch):
    for name in ("cat/1", "dog/1", "vehicle/train/1", "vehicle/test/1"):
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "x" / f"{name}.png")

    def noted_before(store):
        meta = json.loads((store.folder / "store.json").read_text())
        reading = {key: value for key, value in meta["reading"].items() if key != "version"}
        (store.folder / "store.json").write_text(json.dumps({**meta, "reading": reading}))
        return store.folder

    right = noted_before(folder(tmp_path / "x").prepare(tmp_path))
    monkeypatch.setattr(ImageFolder, "open_source", None)  # nothing is packed
    assert folder(tmp_path / "x").prepare(tmp_path).folder == right
    monkeypatch.undo()
    shutil.rmtree(right)
    with monkeypatch.context() as earlier:
        earlier.setattr("lsgan.data.sources.splits._MOST", 0.0)
        wrong = noted_before(folder(tmp_path / "x").prepare(tmp_path))
    new = folder(tmp_path / "x").prepare(tmp_path)
    assert (new.folder != wrong, len(new.images), new.classes) == (True, 4, ["cat", "dog", "vehicle"])
    assert folder(tmp_path / "x").prepare(tmp_path).folder == new.folder


def test_numbered_folders_that_an_earlier_version_took_for_classes(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for i in range(6):
            archive.write(tmp_path / "x.png", f"{i // 2:05d}/img{i:08d}.png")
    old = of_an_earlier_version(folder(tmp_path / "faces.zip").prepare(tmp_path), classes=["00000", "00001", "00002"])
    new = folder(tmp_path / "faces.zip").prepare(tmp_path)
    assert (new.folder != old, new.classes, len(new.images)) == (True, None, 6)
    assert folder(tmp_path / "faces.zip").prepare(tmp_path).folder == new.folder


def test_what_an_earlier_version_made_of_files_that_are_gone_is_told(tmp_path, split_pets, caplog):
    old = of_an_earlier_version(folder(split_pets, split="all").prepare(tmp_path), classes=["train", "val"])
    shutil.rmtree(split_pets)
    assert folder(split_pets).prepare(tmp_path).folder == old
    assert f"{old} is of an earlier version, which took train, val for classes" in caplog.text
    with pytest.raises(LsganError, match="is not there"):
        folder(split_pets, split="val").prepare(tmp_path)


def test_a_store_that_may_only_be_read_is_used_all_the_same(tmp_path, pets, monkeypatch):
    old = of_an_earlier_version(folder(pets).prepare(tmp_path))

    def refused(path, text):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("lsgan.data.store.write_atomically", refused)
    assert folder(pets).prepare(tmp_path).folder == old


def test_an_lmdb_has_no_splits(tmp_path, make_lmdb, drawings):
    place = make_lmdb(tmp_path / "x_lmdb", drawings(2))
    assert folder(place).classes_told == "none (the keys of an LMDB tell none)"
    with pytest.raises(LsganError, match=r"dataset.split=val: .*x_lmdb has no splits: leave dataset.split out"):
        folder(place, split="val").prepare(tmp_path)
