import json
import os
from contextlib import nullcontext

import numpy as np
import pytest
from PIL import Image

from lsgan.data.pack import pack
from lsgan.data.sources.decode import Fit
from lsgan.data.sources.source import Item
from lsgan.data.store import Recipe, differences, open_store
from lsgan.errors import LsganError

RECIPE = Recipe("test", "f", Fit(8, 3, crop=False))


class OneColour:
    num_items, classes = 10, None

    def items(self):
        for i in range(10):
            yield Item(str(i), lambda: Image.new("RGB", (8, 8), "red"))


@pytest.fixture
def store(tmp_path):
    pack(lambda scratch: nullcontext(OneColour()), RECIPE, tmp_path / "store")
    return tmp_path / "store"


def test_a_store_is_mapped_not_read(store):
    opened = open_store(store)
    assert isinstance(opened.images, np.memmap)
    assert opened.images.shape == (10, 8, 8, 3)
    assert (opened.images == [255, 0, 0]).all()
    assert (opened.labels, opened.classes, opened.folder) == (None, None, store)


@pytest.mark.parametrize("size", [0, 100, 1919, 1921])
def test_a_store_of_another_size_is_refused(store, size):
    os.truncate(store / "images.bin", size)
    with pytest.raises(LsganError, match=rf"has {size} bytes, not 1920: delete .*store to pack again"):
        open_store(store)
    (store / "images.bin").unlink()
    with pytest.raises(LsganError, match="has 0 bytes, not 1920"):
        open_store(store)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"recipe": 3, "shape": [1]}', '{"recipe": {}}'])
def test_what_is_no_store(store, content):
    (store / "store.json").write_text(content)
    with pytest.raises(LsganError, match=r"store is not a packed store \(.*\): delete it to pack again"):
        open_store(store)
    (store / "store.json").unlink()
    with pytest.raises(LsganError, match="store is not a packed store"):
        open_store(store)


def test_the_digest_changes_with_every_part():
    others = [
        Recipe("x", "f", RECIPE.fit),
        Recipe("test", "g", RECIPE.fit),
        Recipe("test", "f", Fit(9, 3, crop=False)),
        Recipe("test", "f", Fit(8, 1, crop=False)),
        Recipe("test", "f", Fit(8, 3, crop=True)),
    ]
    assert len({recipe.digest() for recipe in [RECIPE, *others]}) == 6


def test_a_setting_that_came_later_names_a_store_only_where_it_is_set():
    """What is packed already keeps its name."""
    assert RECIPE.digest() == "57a264df5c8e"
    assert "bits" not in RECIPE.settings()
    twelve = Recipe("test", "f", Fit(8, 3, crop=False, bits=12))
    assert twelve.settings()["bits"] == 12
    assert differences(RECIPE.settings(), twelve.settings()) == "bits=None, not 12"
    assert differences(twelve.settings(), RECIPE.settings()) == "bits=12, not None"


def test_fingerprints_are_told_in_words():
    def told(made_by, wanted):
        return differences({"fingerprint": made_by}, {"fingerprint": wanted})

    assert told("ab", "cd") == told("ab+3", "cd+3") == "an older state (the files have changed)"
    assert told("ab", "ab+3") == told("ab+3", "ab") == "other kinds of files than can be read now"


def test_differences_are_named(store):
    made_by = json.loads((store / "store.json").read_text())["recipe"]
    assert differences(made_by, RECIPE.settings()) == ""
    wanted = Recipe("test", "f", Fit(16, 3, crop=True)).settings()
    assert differences(made_by, wanted) == "resolution=8, not 16; crop=False, not True"
    del made_by["format_version"]
    assert differences(made_by, RECIPE.settings()) == "format_version=None, not 2"


def test_labels_that_do_not_fit_are_refused(tmp_path):
    source = OneColour()
    source.classes = ["a"]
    source.items = lambda: (Item(str(i), lambda: Image.new("RGB", (8, 8)), 0) for i in range(10))
    pack(lambda scratch: nullcontext(source), RECIPE, tmp_path / "store")
    path = tmp_path / "store" / "labels.npy"
    assert open_store(tmp_path / "store").labels.tolist() == [0] * 10
    np.save(path, np.zeros(9, np.int64))
    with pytest.raises(
        LsganError, match=r"labels.npy is damaged \(it holds int64\[9\], not int64\[10\]\): delete .*store"
    ):
        open_store(tmp_path / "store")
    for size in (100, 0):
        os.truncate(path, size)
        with pytest.raises(LsganError, match=r"labels.npy is damaged \(.*\): delete .*store to pack again"):
            open_store(tmp_path / "store")
    path.unlink()
    with pytest.raises(LsganError, match=r"labels.npy is damaged \(.*No such file"):
        open_store(tmp_path / "store")


@pytest.mark.parametrize("change", [{"shape": ["a", 2]}, {"shape": [10, 8, 8]}, {"recipe": None}])
def test_a_description_that_says_nothing(store, change):
    meta = json.loads((store / "store.json").read_text())
    (store / "store.json").write_text(json.dumps({**meta, **change}))
    with pytest.raises(LsganError, match=r"store is not a packed store \(.*\): delete it to pack again"):
        open_store(store)
