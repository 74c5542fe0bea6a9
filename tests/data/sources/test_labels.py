import json
import math

import pytest

from lsgan.data.sources.labels import are_parts, class_folders, common_folder, listed_labels, read_list
from lsgan.errors import LsganError


def read_labels(where, content, names):
    return listed_labels(read_list(where, content), names)


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


def of(label):
    return json.dumps({"labels": [["00000/a.png", 1], ["00000/b.png", label]]}).encode()


@pytest.mark.parametrize("where", ["d/dataset.json", "d/labels.json"])
@pytest.mark.parametrize("label", [[0.5, 0.5], [0, 1], {"a": 1}, 1.5, True, math.nan])
def test_a_label_is_a_whole_number_or_a_text(where, label):
    with pytest.raises(LsganError, match=rf"^{where}: the label of 00000/b.png is .*: one whole number or one text"):
        read_list(where, of(label))


@pytest.mark.parametrize(
    ("where", "content", "shown"),
    [
        ("labels.csv", b"a.png,1\nb.png,0.25\n", "0.25"),
        ("labels.csv", b"a.png,nan\n", "NaN"),
        ("metadata.csv", b"file_name,label\na.png,1.5\n", "1.5"),
        ("metadata.jsonl", b'{"file_name": "a.png", "label": [1, 0]}', r"\[1, 0\]"),
        ("labels.json", b'{"a.png": [' + b"0.1, " * 500 + b"1]}", r"\[0.1, .* …"),
    ],
)
def test_every_list_is_judged_alike(where, content, shown):
    with pytest.raises(
        LsganError, match=rf"^{where}: the label of ..png is {shown}: one whole number or one text"
    ) as e:
        read_list(where, content)
    assert len(str(e.value)) < 200


@pytest.mark.parametrize(
    ("where", "content"),
    [
        ("dataset.json", b'{"labels": [["a.png", 1], ["./a.png", 2]]}'),
        ("labels.json", b'[["a.png", "1"], ["a.png", "2"]]'),
        ("labels.csv", b"a.png,1\na.png,2\n"),
    ],
)
def test_an_image_has_one_label(where, content):
    with pytest.raises(LsganError, match=rf"^{where}: .*a.png has two labels, '1' and '2': one whole number or"):
        read_list(where, content)
    assert read_list(where, content.replace(b"2", b"1")) == {"a.png": "1"}


def test_a_key_of_json_that_comes_twice():
    with pytest.raises(LsganError, match=r"^labels.json cannot be read \(a.png is there twice, as 1 and 2\)"):
        read_list("labels.json", b'{"a.png": 1, "a.png": 2}')


def test_lists_of_other_programs():
    assert read_list("x/dataset.json", of(2)) == {"00000/a.png": "1", "00000/b.png": "2"}
    assert read_list("x/dataset.json", b'{"labels": {"a.png": 3.0}, "more": [1]}') == {"a.png": "3"}
    assert read_list("x/dataset.json", b'{"labels": null}') == {}
    assert read_list("metadata.jsonl", b'{"file_name": "a.png", "label": "x"}\n') == {"a.png": "x"}
    assert read_list("metadata.csv", b"\xef\xbb\xbffile_name,text,label\r\na.png,hello,3\r\n") == {"a.png": "3"}


@pytest.mark.parametrize(
    ("where", "content"),
    [
        ("dataset.json", b'{"name": "cats"}'),
        ("dataset.json", b"[{}]"),
        ("metadata.jsonl", b'{"file_name": "a.png", "text": "a cat"}'),
        ("metadata.csv", b"id,label\n1,2\n"),
    ],
)
def test_a_list_of_something_else(where, content):
    assert read_list(where, content) is None


@pytest.mark.parametrize(
    ("where", "content", "rule"),
    [
        ("dataset.json", b'{"labels": [["a.png", 1], ["b.png"]]}', "entry 1 is .* it must hold {.labels"),
        ("dataset.json", b'{"labels": 3}', "neither an object nor a list.*: it must hold {.labels"),
        ("dataset.json", b'{"labels"', "it must hold {.labels"),
        ("metadata.jsonl", b'{"label": 1}', r"line 1 has no file_name\): it must have file_name and label"),
        ("labels.json", b'["ab"]', "entry 0 is 'ab', not an image and its label"),
    ],
)
def test_a_list_that_is_spoilt(where, content, rule):
    with pytest.raises(LsganError, match=rf"^{where} cannot be read \(.*{rule}"):
        read_list(where, content)


def test_names_are_the_same_however_they_are_written():
    content = json.dumps([["a\\u\u0308.png", 1], ["./b/c.png", 2], ["d//e.png", 3]]).encode()
    assert read_labels("labels.json", content, ["a/\u00fc.png", "b/c.png", "d/e.png"]).of == [0, 1, 2]
    assert read_labels("labels.json", content, ["a/u\u0308.png"]).of == [0]


def numbered(num, per_folder, width=5, name="{i:08d}.png"):
    return [f"{i // per_folder:0{width}d}/{name.format(i=i, j=i % per_folder)}" for i in range(num)]


@pytest.mark.parametrize(
    "names",
    [
        numbered(10, 3, name="img{i:08d}.png"),  # StyleGAN
        [f"{i // 3 * 3:05d}/{i:05d}.png" for i in range(10)],  # FFHQ
        numbered(4, 2, width=4, name="p_{i}.png"),
        ["x/00000/a.png", "x/00000/b.png", "x/00001/c.png"],
        [f"{i // 1000:05d}/img{i:08d}.png" for i in (0, 7, 1234, 2000, 2001, 2999)],  # some of StyleGAN's
        [f"{i // 1000 * 1000:05d}/{i:05d}.png" for i in (60001, 61000, 61999)],  # of FFHQ's
    ],
)
def test_folders_that_number_parts_of_a_whole(names):
    assert are_parts(names)


@pytest.mark.parametrize(
    "names",
    [
        numbered(20, 2, width=1),  # MNIST
        numbered(40, 2, width=2),
        numbered(10, 3, name="{i:05d}_{j:05d}.ppm"),  # GTSRB: numbered anew in each
        numbered(10, 3, name="{j}.png"),
        ["00000/a.png", "00001/a.png"],
        [f"000{i // 3 + 1}/{i}.png" for i in range(9)],  # one running counter
        [f"000{i // 3 + 1}/{i:06d}.png" for i in range(9)],
        [f"0000{c}/{i}.png" for c, those in enumerate((range(3), range(3, 9), range(9, 11))) for i in those],
        ["1999/0.png", "1999/1.png", "2000/2.png", "2000/3.png"],
        ["1999/1999-01.png", "1999/1999-02.png", "2000/2000-03.png"],
        [f"{year}/{year}{i}.png" for year in (1999, 2000) for i in range(3)],
        [f"0000{i}/{i}.png" for i in range(3)],  # persons with one image each
        [f"0000{i}/{name}.png" for i, name in enumerate("abc")],
        [f"{i}/face{i}.png" for i in (10043, 20317, 20318)],
        [f"{c}000/{c}00{j}.png" for c in (1, 2) for j in range(3)],
        [f"0000{i}/{i}00{j}.png" for i in (1, 2, 3) for j in range(2)],  # numbered by class
        ["00000/a.png", "00000/b.png", "00002/c.png", "00002/d.png", "00003/e.png"],
        ["0000/1.png", "00001/2.png"],
        ["cat/1.png", "00001/2.png"],
    ],
)
def test_classes_that_are_called_by_numbers(names):
    assert not are_parts(names)
    assert class_folders(names) is not None
