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
        ["seg_train", "seg_test", "seg_pred"],
        ["seg_train", "seg_test", "previews"],
        ["images_train", "images_test"],
        ["DIV2K_train_HR", "DIV2K_valid_HR"],
        ["train1", "test1"],
        ["train_0", "train_1", "test_0"],
        ["train_0", "train_1"],
        ["stage1_train", "stage1_test", "stage2_test_final"],
        ["train", "test_final"],
        ["train", "unlabeled"],
        ["train", "Unlabelled"],
        ["train", "extra"],
    ],
)
def test_splits_are_known_by_their_names(names):
    assert are_splits(names)


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["cat", "dog"],
        ["bus", "car", "train"],
        ["trains", "tests"],
        ["0", "1"],
        ["bullet_train", "freight_train"],
        ["bullet_train", "crash_test"],
        ["bullet_train", "extra"],
        ["bus", "car", "train", "extra"],
        ["test", "unlabeled"],
        ["labeled", "unlabeled"],
        ["extra", "pred"],
        ["extra"],
    ],
)
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


@pytest.mark.parametrize("inside", [["train", "test"], ["train"], ["val", "test"], ["seg_train", "seg_test"]])
def test_one_class_that_is_split_is_its_own_affair(inside):
    for num in (1, 3):
        assert split_depth([*["cat"] * 3, *["dog"] * 3, *(f"vehicle/{name}" for name in inside * num)]) is None
    assert split_depth([*["cat/a"] * 3, *(f"vehicle/{name}" for name in inside)]) is None


def test_a_few_files_may_lie_astray():
    assert split_depth([*["data/train"] * 15, *["data/val"] * 4, "docs"]) == 1
    assert split_depth(["", "data", "data/train", "data/train", "data/val"]) == 1
    assert split_depth(["train", "test", "previews", *["train"] * 2]) == 0
    assert split_depth(["train", "test", *["cat", "dog"] * 5]) is None


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


def test_what_is_added_to_a_name_is_not_asked_for():
    there = ["seg_pred", "seg_test", "seg_train"]
    assert choose("x", there, None) == (["seg_train", "seg_test", "seg_pred"], ["seg_train"])
    assert choose("x", there, ["test", "pred"]).taken == ["seg_test", "seg_pred"]
    assert choose("x", there, ["seg_test"]).taken == ["seg_test"]
    assert choose("x", ["test_0", "train_0", "train_1"], None).taken == ["train_0", "train_1"]
    assert choose("x", ["train", "unlabeled"], ["unlabelled"]).taken == ["unlabeled"]
    with pytest.raises(LsganError, match=r"dataset.split=hq_train: x has no such split: choose of seg_train, seg_test"):
        choose("x", there, ["hq_train"])


def test_a_split_that_is_not_there():
    with pytest.raises(LsganError, match=r"^dataset.split=test: x has no such split: choose of train, val, all$"):
        choose("x", ["val", "train"], ["train", "test"])
    with pytest.raises(LsganError, match=r"^dataset.split=cat: x has no such split: choose of train, val, all$"):
        choose("x", ["val", "train"], ["cat"])
    with pytest.raises(LsganError, match=r"^dataset.split=train: x has no splits: leave dataset.split out$"):
        choose("x", [], ["train"])
