"""What images show, as far as a list of labels or their folders tell."""

import csv
import io
import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, takewhile
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from lsgan.errors import LsganError

OUR_LISTS = ("labels.json", "labels.csv")
OTHER_LISTS = ("dataset.json", "metadata.jsonl", "metadata.csv")  # StyleGAN's; Hugging Face's of an imagefolder

_RULE = "one whole number or one text for each image is wanted"


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


def are_numbers(folders: Iterable[str]) -> bool:
    """Whether folders are called 00000, 00001, …: numbers of one width, four digits or more."""
    folders = list(folders)
    return all(re.fullmatch(r"\d{4,}", name, re.ASCII) for name in folders) and len(set(map(len, folders))) == 1


def are_parts(names: Sequence[str]) -> bool:
    """Whether the folders that hold these images only number the parts of a whole, as tools do that write so many
    into each: numbers (`are_numbers`), and

    - each is the thousand of its images' numbers: 00001/img00001234.png (StyleGAN), 01000/01234.png (FFHQ), or
    - they count 0, 1, 2, … or 0, n, 2n, …, each but the last holds n > 1 images, and the images are numbered on from
      one folder to the next, or have no numbers and each its own name.

    All else that is called by numbers (years, persons, species) is classes.

    Args:
        names: as `class_folders` takes them.
    """
    skip = len(common_folder(names))
    parts: dict[str, list[str]] = {}  # the images' names without suffix
    for name in sorted(names):
        folder, _, file = name[skip:].partition("/")
        parts.setdefault(folder, []).append(PurePosixPath(file).stem)
    return len(parts) > 1 and are_numbers(parts) and (_are_thousands(parts) or (_are_equal(parts) and _run_on(parts)))


def _are_thousands(parts: dict[str, list[str]]) -> bool:
    """StyleGAN's count from 0; FFHQ's may be some of all, for hardly any classes are called 01000, 02000, …"""
    thousands = {folder: {_last_number(stem) // 1000 for stem in stems} for folder, stems in parts.items()}
    from_zero = any(int(folder) == 0 for folder in parts)
    return (from_zero and all(found == {int(folder)} for folder, found in thousands.items())) or all(
        len(folder) == 5 and found == {int(folder) / 1000} for folder, found in thousands.items()
    )


def _are_equal(parts: dict[str, list[str]]) -> bool:
    *full, last = map(len, parts.values())
    size, counted = full[0], [int(folder) for folder in parts]
    ours = [list(range(0, len(parts) * step, step)) for step in (1, size)]
    return counted in ours and size > 1 and set(full) == {size} and last <= size


def _run_on(parts: dict[str, list[str]]) -> bool:
    numbers = [[_last_number(stem) for stem in stems] for stems in parts.values()]
    if any(-1 in those for those in numbers):
        stems = [stem for those in parts.values() for stem in those]
        return len(set(stems)) == len(stems)
    return all(max(before) < min(after) for before, after in pairwise(numbers))


def listed_name(name: object) -> str:
    """The name of a file, however a list writes it: with "\\" or "./", composed or decomposed letters."""
    text = str(name).replace("\\", "/")
    if "./" in text or "//" in text or text.endswith("/"):  # there may be millions
        text = str(PurePosixPath(text))
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def read_list(where: str, content: bytes) -> dict[str, str] | None:
    """The label of each image that a list names (`listed_name`), "" for none; None if it is a list of something else.

        labels.json                  {"image.jpg": "cat", …} or [["image.jpg", 3], …]
        labels.csv                   one image,label a line; a first line that names no file is a header
        dataset.json                 {"labels": [["00000/img00000000.png", 3], …]}; "labels": null names none
        metadata.jsonl, metadata.csv objects or columns file_name and label

    Args:
        where: the name of the list, for messages.
        content: of it.

    Raises:
        LsganError: it is not written like that, or a label is neither a whole number nor a text, or an image has two.
    """
    name = where.rpartition("/")[2]
    how = 'hold {"image.jpg": "label", …} as JSON, or lines image.jpg,label as CSV'
    try:
        text = content.decode("utf-8-sig")
        if name in OTHER_LISTS:
            how = {"dataset.json": 'hold {"labels": [["image.png", 3], …]}'}.get(name, "have file_name and label")
            pairs = {"dataset.json": _stylegan, "metadata.jsonl": _json_lines, "metadata.csv": _csv_columns}[name](text)
        else:
            pairs = _json_pairs(_json(text)) if where.endswith(".json") else _csv_pairs(text)
        return None if pairs is None else _checked(where, pairs)
    except (ValueError, TypeError, csv.Error, RecursionError) as error:
        raise LsganError(f"{where} cannot be read ({error}): it must {how}") from error


def listed_labels(listed: dict[str, str], names: Iterable[str]) -> Labels:
    """Labels from a list, for images called as it calls them. Whole numbers are ordered as numbers, all else as text;
    label k is the k-th of those that occur in the list. An image without a label, or with an empty one, has none."""
    return _numbered([listed.get(listed_name(name)) or None for name in names], {lbl for lbl in listed.values() if lbl})


def _checked(where: str, pairs: Iterable[tuple[object, object]]) -> dict[str, str]:
    """The one place where labels are judged."""
    listed: dict[str, str] = {}
    for image, value in pairs:
        name, label = listed_name(image), _label(where, image, value)
        if listed.setdefault(name, label) != label:
            raise LsganError(f"{where}: {image} has two labels, {listed[name]!r} and {label!r}: {_RULE}")
    return listed


def _label(where: str, image: object, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    shown, vector = json.dumps(value, ensure_ascii=False), " (a vector tells no class)" if type(value) is list else ""
    shown = shown if len(shown) < 60 else f"{shown[:50]} …"
    raise LsganError(f"{where}: the label of {image} is {shown}: {_RULE}{vector}")


def _csv_pairs(text: str) -> Iterator[tuple[str, object]]:
    reader = csv.reader(io.StringIO(text), strict=True)
    for row in reader:
        if len(row) not in (0, 2):
            raise ValueError(f"line {reader.line_num} has {len(row)} columns, not 2")
        if row and (reader.line_num > 1 or "." in row[0]):  # else a header
            yield row[0].strip(), _cell(row[1])


def _csv_columns(text: str) -> Iterator[tuple[str, object]] | None:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    if not {"file_name", "label"} <= set(reader.fieldnames or ()):
        return None
    return ((row["file_name"], _cell(row["label"] or "")) for row in reader)


def _cell(text: str) -> object:
    """CSV knows no numbers: 0.25 and nan are no texts, and so no names of classes."""
    try:
        return text if float(text).is_integer() else float(text)
    except ValueError:
        return text


def _json_lines(text: str) -> list[tuple[object, object]] | None:
    rows = [_json(line) for line in text.splitlines() if line.strip()]
    if not any(isinstance(row, dict) and "label" in row for row in rows):
        return None
    for i, row in enumerate(rows, 1):
        if not isinstance(row, dict) or "file_name" not in row:
            raise ValueError(f"line {i} has no file_name")
    return [(row["file_name"], row.get("label")) for row in rows]


def _stylegan(text: str) -> list[tuple[object, object]] | None:
    content = _json(text)
    if not isinstance(content, dict) or "labels" not in content:
        return None  # somebody else's
    return [] if content["labels"] is None else _json_pairs(content["labels"])


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a key come twice, and Python would take the last."""
    values: dict[str, Any] = {}
    for key, value in pairs:
        if values.setdefault(key, value) != value:
            raise ValueError(f"{key} is there twice, as {values[key]!r} and {value!r}")
    return values


def _json_pairs(content: Any) -> list[tuple[object, object]]:
    if isinstance(content, dict) and isinstance(content.get("labels"), list):
        content = content["labels"]  # as StyleGAN's dataset.json has it
    pairs = list(content.items()) if isinstance(content, dict) else content
    if not isinstance(pairs, list):
        raise ValueError("neither an object nor a list")
    for i, pair in enumerate(pairs):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(f"entry {i} is {str(pair)[:50]!r}, not an image and its label")
    return [(name, label) for name, label in pairs]


def _numbered(labels: Sequence[str | None], classes: Iterable[str] | None = None) -> Labels:
    ordered = sorted({label for label in labels if label} if classes is None else classes, key=_order)
    number = {label: i for i, label in enumerate(ordered)}
    return Labels(ordered, [None if label is None else number[label] for label in labels])


def _order(label: str) -> tuple[bool, int, str]:
    is_number = label.isascii() and label.isdigit()
    return (not is_number, int(label) if is_number else 0, label)


def _last_number(stem: str) -> int:
    """-1 if there is none."""
    return int(([-1, *re.findall(r"\d+", stem, re.ASCII)])[-1])
