"""What the images of a folder or archive show, as far as file names or a list of labels tell."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from lsgan.errors import LsganError

LABEL_FILES = ("labels.json", "labels.csv")


class Labels(NamedTuple):
    """Class names, and the label of each image by name; an image that is not in it has none."""

    classes: Sequence[str]
    by_name: Mapping[str, int]


def common_folder(names: Sequence[str]) -> str:
    """The longest folder that holds all of these files, with its last "/"; "" if there is none."""
    folders = [name.split("/")[:-1] for name in names]
    ends = zip(min(folders, default=[]), max(folders, default=[]), strict=False)  # what these share, all share
    return "".join(f"{folder}/" for folder, _ in takewhile(lambda pair: pair[0] == pair[1], ends))


def class_folders(names: Sequence[str]) -> Labels | None:
    """Labels by the folders that hold the images; None unless each image is in one of at least two.

    Args:
        names: of the images, relative, with "/" between folders. Folders that hold them all are ignored.
    """
    skip = len(common_folder(names))
    folders = [name[skip:].partition("/") for name in names]
    if not folders or not all(slash for _, slash, _ in folders):
        return None
    return _numbered(zip(names, (folder for folder, _, _ in folders), strict=True))


def read_labels(where: str, content: bytes) -> Labels:
    """Labels from labels.json, {"image.jpg": "cat", …} or [["image.jpg", 3], …], or labels.csv, one image,label a line
    (a first line that names no file is a header).

    Whole numbers are ordered as numbers, all else as text; label k is the k-th of them.

    Raises:
        LsganError: it is neither.
    """
    try:
        text = content.decode("utf-8-sig")
        if where.endswith(".json"):
            pairs = _json_pairs(json.loads(text))
        else:
            pairs = [(name, label) for name, label in csv.reader(io.StringIO(text), strict=True)]
            pairs = pairs[1:] if pairs and "." not in str(pairs[0][0]) else pairs  # a header
        return _numbered((str(name), str(label)) for name, label in pairs)
    except (ValueError, TypeError, csv.Error) as error:
        raise LsganError(
            f'{where} cannot be read ({error}): it must hold {{"image.jpg": "label", …}} as JSON, '
            "or lines image.jpg,label as CSV"
        ) from error


def _json_pairs(content: object) -> Iterable[tuple[object, object]]:
    if isinstance(content, dict) and isinstance(content.get("labels"), list):
        content = content["labels"]  # as StyleGAN's dataset.json has it
    pairs = list(content.items()) if isinstance(content, dict) else content
    if not isinstance(pairs, list):
        raise ValueError("neither an object nor a list")
    return [(name, label) for name, label in pairs]


def _numbered(pairs: Iterable[tuple[str, str]]) -> Labels:
    by_name = dict(pairs)
    classes = sorted(set(by_name.values()), key=_order)
    number = {name: i for i, name in enumerate(classes)}
    return Labels(classes, {name: number[label] for name, label in by_name.items()})


def _order(label: str) -> tuple[bool, int, str]:
    is_number = label.isascii() and label.isdigit()
    return (not is_number, int(label) if is_number else 0, label)
