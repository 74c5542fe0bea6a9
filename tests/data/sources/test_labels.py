import pytest

from lsgan.data.sources.labels import class_folders, common_folder, read_labels
from lsgan.errors import LsganError


def test_the_common_folder():
    assert common_folder([]) == ""
    assert common_folder(["x.png"]) == ""
    assert common_folder(["a/x.png", "a/b/y.png"]) == "a/"
    assert common_folder(["a/b/x.png", "a/b/y.png"]) == "a/b/"
    assert common_folder(["ab/x.png", "ac/y.png"]) == ""  # whole names, not letters
    assert common_folder(["a/x.png", "/a/y.png"]) == ""


def test_class_folders():
    labels = class_folders(["cat/1.png", "cat/deep/2.png", "dog/1.png"])
    assert labels.classes == ["cat", "dog"]
    assert labels.of == [0, 0, 1]


def test_folders_that_hold_all_are_no_classes():
    assert class_folders(["all/train/cat/1.png", "all/train/dog/2.png"]).classes == ["cat", "dog"]
    assert class_folders(["cat/1.png", "cat/2.png"]) is None


def test_images_without_a_folder_make_no_classes():
    assert class_folders(["1.png", "cat/2.png", "dog/3.png"]) is None
    assert class_folders([]) is None


@pytest.mark.parametrize(
    ("where", "content"),
    [
        ("labels.json", '{"x.png": "b", "y.png": "a", "é.png": "b"}'),
        ("labels.json", '[["x.png", "b"], ["y.png", "a"], ["é.png", "b"]]'),
        ("labels.json", '{"labels": [["x.png", "b"], ["y.png", "a"], ["é.png", "b"]]}'),
        ("labels.csv", "x.png,b\ny.png,a\né.png,b\n"),
        ("labels.csv", '\ufeffx.png,b\r\n"y.png","a"\r\né.png,b\r\n'),
    ],
)
def test_lists_of_labels(where, content):
    labels = read_labels(where, content.encode(), ["x.png", "new.png", "y.png", "é.png"])
    assert labels.classes == ["a", "b"]
    assert labels.of == [1, None, 0, 1]


def test_numbers_are_ordered_as_numbers():
    labels = read_labels("labels.json", b'{"x": 10, "y": 9, "z": "other"}', [])
    assert labels.classes == ["9", "10", "other"]


def test_a_header_line_is_no_class():
    assert read_labels("labels.csv", b"file,label\nx.png,b\n", []).classes == ["b"]


@pytest.mark.parametrize(
    ("where", "content"),
    [
        ("d/labels.json", b"{"),
        ("d/labels.json", b"3"),
        ("d/labels.json", b'["x"]'),
        ("d/labels.csv", b"a,b,c\n"),
        ("d/labels.json", b"[" * 100_000),
    ],
)
def test_what_is_no_list_of_labels(where, content):
    with pytest.raises(LsganError, match=r"^d/labels\.(json|csv) cannot be read \(.*\): it must hold .* or lines"):
        read_labels(where, content, [])


def test_blanks_and_empty_labels():
    content = b"a.png, x\n\n b.png,x \n./c.png,\nd.png,y\n\n"
    labels = read_labels("labels.csv", content, ["a.png", "b.png", "c.png", "d.png"])
    assert (labels.classes, labels.of) == (["x", "y"], [0, 0, None, 1])
    assert read_labels("labels.json", b'{"a.png": null, "b.png": 0}', ["a.png", "b.png"]) == (["0"], [None, 0])


def test_the_line_of_a_mistake():
    with pytest.raises(LsganError, match=r"labels.csv cannot be read \(line 3 has 3 columns, not 2\)"):
        read_labels("labels.csv", b"a.png,x\n\nb.png,x,y\n", [])
