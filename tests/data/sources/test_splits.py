import pytest

from lsgan.data.sources.splits import ALL, are_splits, choose, split_depth
from lsgan.errors import LsganError


@pytest.mark.parametrize(
    "names",
    [
        ["train", "val"],
        ["TRAIN", "Validation", "testing"],
        ["training_set", "test_set"],
        ["train2017", "val2017", "unlabeled2017"],
        ["trainA", "trainB", "testA", "testB"],
        ["train", "test", "extra"],
        ["dev", "eval"],
        ["train"],
    ],
)
def test_splits_are_known_by_their_names(names):
    assert are_splits(names)


@pytest.mark.parametrize("names", [[], ["cat", "dog"], ["bus", "car", "train"], ["trains", "tests"], ["0", "1"]])
def test_what_is_called_otherwise_is_no_split(names):
    assert not are_splits(names)


def test_where_the_splits_are():
    assert split_depth(["train/cat", "val/dog"]) == 0
    assert split_depth(["imagenet/train/n01", "imagenet/val/n01"]) == 1
    assert split_depth(["cat/train", "dog/test"]) == 1
    assert split_depth(["test/train", "test/val"]) == 1  # a name that all share tells least
    assert split_depth(["data/train"]) == 1
    assert split_depth(["cat", "dog", ""]) is None
    assert split_depth([]) is None


def test_train_is_taken_where_it_is_beside_others():
    assert choose("x", ["val", "train"], None) == (["train", "val"], ["train"])
    assert choose("x", ["val", "test"], None) == (["val", "test"], ["val", "test"])
    assert choose("x", ["train"], None).all_taken
    assert choose("x", [], None) == ([], [])


def test_splits_are_asked_for_by_name_or_kind():
    assert choose("x", ["train", "valid"], ["validation"]).taken == ["valid"]
    assert choose("x", ["train", "val", "dev"], ["dev"]).taken == ["dev"]
    assert choose("x", ["Train", "extra", "test"], ["EXTRA", "train"]).taken == ["Train", "extra"]
    assert choose("x", ["train", "val"], ALL).all_taken
    assert choose("x", [], ALL).all_taken


def test_a_split_that_is_not_there():
    with pytest.raises(LsganError, match=r"^dataset.split=test: x has no such split: choose of train, val, all$"):
        choose("x", ["val", "train"], ["train", "test"])
    with pytest.raises(LsganError, match=r"^dataset.split=cat: x has no such split: choose of train, val, all$"):
        choose("x", ["val", "train"], ["cat"])
    with pytest.raises(LsganError, match=r"^dataset.split=train: x has no splits: leave dataset.split out$"):
        choose("x", [], ["train"])
