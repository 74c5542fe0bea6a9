from contextlib import nullcontext
from dataclasses import dataclass

import pytest
import torch
from PIL import Image

from lsgan.data.sets.digits import Digits
from lsgan.data.sets.image_folder import ImageFolder
from lsgan.data.sets.images import ImageDataset
from lsgan.data.sources.source import Item
from lsgan.errors import LsganError

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Files(ImageDataset):
    """A data set of as many red squares as the file data_dir/number says."""

    def source_id(self, data_dir):
        return "squares"

    def fingerprint(self, data_dir):
        path = data_dir / "number"
        return path.read_text() if path.exists() else None

    def open_source(self, data_dir, scratch):
        return nullcontext(Squares(int((data_dir / "number").read_text())))


class Squares:
    classes = None

    def __init__(self, num):
        self.num_items = num

    def items(self):
        for i in range(self.num_items):
            yield Item(str(i), lambda: Image.new("RGB", (8, 8), "red"))


def files(resolution=8, **settings):
    return Files(name="files", resolution=resolution, **settings)


def stores(data_dir):
    return sorted(path.name for path in (data_dir / "packed").iterdir() if path.is_dir())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resolution": 0}, "resolution=0 must be at least 1"),
        ({"channels": 2}, "channels=2 must be 1 or 3"),
        ({"held_out": -0.5}, "held_out=-0.5 must be a share of the images that is below 1, or a whole number of them"),
    ],
)
def test_bounds(settings, message):
    with pytest.raises(ValueError, match=message):
        Digits(**{"name": "digits", "resolution": 8, **settings})
    Digits(name="digits", resolution=1, channels=1)


def test_packed_once(tmp_path, monkeypatch):
    (tmp_path / "number").write_text("3")
    assert files().prepare(tmp_path).images.shape == (3, 8, 8, 3)
    monkeypatch.setattr(Files, "open_source", None)
    assert files().prepare(tmp_path).images.shape == (3, 8, 8, 3)


def test_another_recipe_is_packed_beside_the_first_and_says_why(tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "number").write_text("3")
    first = files().prepare(tmp_path).folder
    files(resolution=16).prepare(tmp_path)
    assert f"{first} is not used, it has resolution=8, not 16" in caplog.text
    (tmp_path / "number").write_text("4")
    assert len(files().prepare(tmp_path).images) == 4
    assert f"{first} is not used, it has an older state (the files have changed)\n" in caplog.text
    assert len(stores(tmp_path)) == 3


def test_stores_of_other_places_are_not_spoken_of(tmp_path, caplog):
    caplog.set_level("INFO")
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "1.png")
        ImageFolder(name="files", root=tmp_path / name, resolution=8).prepare(tmp_path)
    assert "is not used" not in caplog.text
    ImageFolder(name="files", root=tmp_path / "other", resolution=4, crop=True).prepare(tmp_path)
    assert caplog.text.count("is not used, it has resolution=8, not 4; crop=False, not True") == 1


def test_a_store_of_another_version_is_not_used(tmp_path, caplog, monkeypatch):
    caplog.set_level("INFO")
    (tmp_path / "number").write_text("3")
    first = files().prepare(tmp_path).folder
    monkeypatch.setattr("lsgan.data.store.FORMAT_VERSION", 3)
    second = files().prepare(tmp_path).folder
    assert second != first
    assert f"{first} is not used, it has format_version=2, not 3" in caplog.text


def test_a_damaged_neighbour_is_named_and_left_alone(tmp_path, caplog):
    (tmp_path / "number").write_text("3")
    (tmp_path / "packed" / "files-old").mkdir(parents=True)
    files().prepare(tmp_path)
    assert "files-old is not a packed store" in caplog.text
    assert len(stores(tmp_path)) == 2


def test_a_store_outlives_its_files(tmp_path):
    (tmp_path / "number").write_text("3")
    folder = files().prepare(tmp_path).folder
    (tmp_path / "number").unlink()
    assert files().prepare(tmp_path).folder == folder
    with pytest.raises(LsganError, match=rf"the files of files are not in {tmp_path}"):
        files(resolution=16).prepare(tmp_path)  # no store has that


def test_flips_reach_the_batches(tmp_path):
    def half_black(**settings):
        digits = Digits(name="digits", resolution=8, channels=1, **settings)
        return digits.open(tmp_path, 64, 0).batch(0, torch.device("cpu")).samples

    plain, flipped = half_black(), half_black(flip=True)
    same = [torch.equal(a, b) for a, b in zip(plain, flipped, strict=True)]
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(plain, flipped, strict=True)]
    assert all(s or m for s, m in zip(same, mirrored, strict=True))
    assert 16 < sum(mirrored) < 48


@pytest.mark.parametrize(("held_out", "number"), [(0.1, 180), (200, 200)])
def test_what_is_held_out_reaches_the_batches(tmp_path, caplog, held_out, number):
    caplog.set_level("INFO")
    digits = Digits(name="digits", resolution=8, channels=1, held_out=held_out)
    batches = digits.open(tmp_path, 64, seed=0)
    assert f"digits: 1,797 images 8×8×1, {number} of them held out, packed in {tmp_path}" in caplog.text
    assert (batches.num_reals(True), batches.num_reals()) == (number, 1797 - number)
    assert (
        batches.identity == digits.open(tmp_path, 64, seed=0).identity
    )  # those of the data; the config tells the rest
    held = {bytes(image.numpy()) for batch in batches.reals(None, CPU, held_out=True) for image in batch.samples}
    seen = {bytes(image.numpy()) for index in range(60) for image in batches.batch(index, CPU).samples}  # two epochs
    assert (len(held), len(seen), len(held & seen)) == (number, 1797 - number, 0)  # no digit is there twice


def test_a_number_that_does_not_go_with_that_of_the_images(tmp_path):
    (tmp_path / "number").write_text("3")
    assert files(held_out=2).open(tmp_path, 4, seed=0).num_reals() == 1
    for held_out, sentence in (
        (3, "leaves none to train on: hold out 2 at most"),
        (0.1, "holds out none: set a larger"),
    ):
        with pytest.raises(LsganError, match=f"^dataset.held_out={held_out} of 3 images {sentence}"):
            files(held_out=held_out).open(tmp_path, 4, seed=0)


def test_a_picture_of_classes_has_one_a_row():
    labels = Digits(name="digits", resolution=8, channels=1).labels_shown
    assert labels.view(10, 8).tolist() == [[digit] * 8 for digit in range(10)]
    assert files().labels_shown is None

    class Many(Files):
        num_classes = 3740

    rows = Many(name="many", resolution=8).labels_shown.view(10, 8)
    assert rows[:, 0].tolist() == [0, 415, 831, 1246, 1662, 2077, 2493, 2908, 3324, 3739]


def test_the_files_are_looked_at_once(tmp_path, monkeypatch):
    """A folder of millions is listed for its fingerprint at every start."""
    (tmp_path / "number").write_text("3")
    asked, fingerprint = [], Files.fingerprint
    monkeypatch.setattr(Files, "fingerprint", lambda self, data_dir: asked.append(1) or fingerprint(self, data_dir))
    files().prepare(tmp_path)
    files().prepare(tmp_path)
    assert len(asked) == 2


def test_what_was_taken_for_classes_is_told(tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "number").write_text("3")
    files().prepare(tmp_path)
    assert "classes: none" in caplog.messages
    caplog.clear()
    Digits(name="digits", resolution=8, channels=1).prepare(tmp_path)
    assert "classes: 10: 0, 1, 2, 3, 4, …" in caplog.messages
