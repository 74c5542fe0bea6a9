"""What the images of a folder or archive show, as far as file names or a list of labels tell."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import PurePosixPath
from typing import NamedTuple

from lsgan.errors import LsganError

LABEL_FILES = ("labels.json", "labels.csv")


class Labels(NamedTuple):
    """Class names, and the label of each image; None for one that the list does not name."""

    classes: Sequence[str]
    of: Sequence[int | None]


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
    if not names or not all("/" in name[skip:] for name in names):
        return None
    return _numbered([sys.intern(name[skip:].partition("/")[0]) for name in names])


def read_labels(where: str, content: bytes, names: Sequence[str]) -> Labels:
    """Labels from labels.json, {"image.jpg": "cat", …} or [["image.jpg", 3], …], or labels.csv, one image,label a line
    (a first line that names no file is a header).

    Whole numbers are ordered as numbers, all else as text; label k is the k-th of those that occur in the list. An
    image without a label, or with an empty one, has none.

    Args:
        where: the name of the list, for messages.
        content: of it.
        names: of the images, as the list has them.

    Raises:
        LsganError: it is neither.
    """
    try:
        text = content.decode("utf-8-sig")
        pairs = _json_pairs(json.loads(text)) if where.endswith(".json") else _csv_pairs(text)
        listed = {str(PurePosixPath(str(name))): "" if label is None else str(label).strip() for name, label in pairs}
    except (ValueError, TypeError, csv.Error, RecursionError) as error:
        raise LsganError(
            f'{where} cannot be read ({error}): it must hold {{"image.jpg": "label", …}} as JSON, '
            "or lines image.jpg,label as CSV"
        ) from error
    return _numbered(
        [listed.get(name) or None for name in names], classes={label for label in listed.values() if label}
    )


def _csv_pairs(text: str) -> Iterable[tuple[object, object]]:
    reader = csv.reader(io.StringIO(text), strict=True)
    for row in reader:
        if len(row) not in (0, 2):
            raise ValueError(f"line {reader.line_num} has {len(row)} columns, not 2")
        if row and (reader.line_num > 1 or "." in row[0]):  # else a header
            yield row[0].strip(), row[1]


def _json_pairs(content: object) -> Iterable[tuple[object, object]]:
    if isinstance(content, dict) and isinstance(content.get("labels"), list):
        content = content["labels"]  # as StyleGAN's dataset.json has it
    pairs = list(content.items()) if isinstance(content, dict) else content
    if not isinstance(pairs, list):
        raise ValueError("neither an object nor a list")
    return [(name, label) for name, label in pairs]


def _numbered(labels: Sequence[str | None], classes: Iterable[str] | None = None) -> Labels:
    ordered = sorted({label for label in labels if label} if classes is None else classes, key=_order)
    number = {label: i for i, label in enumerate(ordered)}
    return Labels(ordered, [None if label is None else number[label] for label in labels])


def _order(label: str) -> tuple[bool, int, str]:
    is_number = label.isascii() and label.isdigit()
    return (not is_number, int(label) if is_number else 0, label)
