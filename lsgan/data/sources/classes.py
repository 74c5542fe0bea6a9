"""Which image files are taken, by their splits, and what for their classes: a list beside them, else their folders."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from lsgan.data.sources.labels import (
    OTHER_LISTS,
    OUR_LISTS,
    Labels,
    are_numbers,
    are_parts,
    class_folders,
    common_folder,
    listed_labels,
    listed_name,
    read_list,
)
from lsgan.data.sources.splits import Splits, choose, split_depth
from lsgan.errors import LsganError

_NAMED = 5  # classes that a line names


class Place(NamedTuple):
    """Files of one place, for messages and to look into."""

    where: object
    files: Sequence[str]  # names, "/" between folders
    read: Callable[[str], bytes]  # the content of one, by its name


def names_of(classes: Sequence[str]) -> str:
    """The first few, for people."""
    return ", ".join(classes[:_NAMED]) + (", …" if len(classes) > _NAMED else "")


def of_splits(images: Sequence[str], place: Place, asked: Sequence[str] | None) -> tuple[Sequence[str], Splits, str]:
    """The images of the splits that are asked for (`splits.choose`), which those are, and that for people."""
    depth = split_depth(map(_folder, images))
    if depth is None:
        return images, choose(place.where, [], asked), ""
    split = [_part(name, depth) for name in images]
    splits = choose(place.where, {name for name in split if name}, asked)
    if splits.all_taken:
        return images, splits, f" (all of {', '.join(splits.there)})" if len(splits.there) > 1 else ""
    taken = [image for image, name in zip(images, split, strict=True) if name in splits.taken]
    told, beside = f"{'/, '.join(splits.taken)}/ of {', '.join(splits.there)}", split.count("")
    return taken, splits, f" ({told}; in none of them and left out: {beside:,})" if beside else f" ({told})"


def find_labels(images: Sequence[str], everything: Sequence[str], place: Place) -> tuple[Labels | None, str]:
    """The labels of images, None if they have none, and what was taken for them, for people.

    Args:
        images: that want labels.
        everything: the images of all splits, which a list may name.
        place: that holds them.

    Raises:
        LsganError: there are two lists of labels, or one that cannot be read or names none of the images.
    """
    lists = _lists(common_folder(images), place)
    for path, listed in lists.items():
        if listed:
            return _by_list(path, listed, images, everything, place)
    empty = [path for path, listed in lists.items() if listed is not None]
    if empty:
        return None, f"none ({empty[0]} says that there are no labels)"
    return _by_folders(images, everything, is_stylegans=any(path.endswith("dataset.json") for path in lists))


def _lists(common: str, place: Place) -> dict[str, dict[str, str] | None]:
    """What lists of labels say, by path: those at the top, or in a folder that holds all images."""
    above = [common[:i] for i in range(len(common) + 1) if i == 0 or common[i - 1] == "/"]
    present = set(place.files)
    for kinds in (OUR_LISTS, OTHER_LISTS):  # ours is written for us
        paths = [f"{folder}{name}" for folder in above for name in kinds if f"{folder}{name}" in present]
        lists = {path: _read(path, place) for path in paths}
        telling = sorted(
            path for path, listed in lists.items() if listed or (listed is not None and kinds is OUR_LISTS)
        )
        if len(telling) > 1:
            raise LsganError(f"{place.where} holds {' and '.join(telling)}: keep one of them")
        if telling or (paths and kinds is OTHER_LISTS):
            return lists
    return {}


def _read(path: str, place: Place) -> dict[str, str] | None:
    try:
        content = place.read(path)
    except (ValueError, OSError) as error:
        raise LsganError(f"{place.where}: the list of labels {path} cannot be read: {error}") from error
    return read_list(f"{place.where}/{path}", content)


def _by_list(
    path: str, listed: dict[str, str], images: Sequence[str], everything: Sequence[str], place: Place
) -> tuple[Labels, str]:
    beside = len(_folder(path)) + 1 if "/" in path else 0
    labels = listed_labels(listed, (name[beside:] for name in images))
    without = [name for name, label in zip(images, labels.of, strict=True) if label is None]
    if len(without) == len(images):
        raise LsganError(
            f"{place.where}/{path} names none of the {len(images):,} images: it names {next(iter(listed))!r}, and the "
            f"first image is called {images[0][beside:]!r} from where it lies"
        )
    below = (name[beside:] for name in everything if name.startswith(path[:beside]))
    gone = listed.keys() - set(map(listed_name, below))
    told = f"{len(labels.classes)} of {path}: {names_of(labels.classes)}"
    told += f"; without a label there and left out: {len(without):,}, first {without[0]}" if without else ""
    return labels, told + (f"; named there and missing: {len(gone):,}, first {min(gone)}" if gone else "")


def _by_folders(images: Sequence[str], everything: Sequence[str], is_stylegans: bool) -> tuple[Labels | None, str]:
    names = images
    while (depth := split_depth(map(_folder, everything))) is not None:  # seg_train alone would be no split
        names, everything = ([_without(name, depth) for name in those] for those in (names, everything))
    skip = len(common_folder(names))
    folders = sorted({name[skip:].partition("/")[0] for name in names if "/" in name[skip:]})
    if not folders:
        return None, "none (all images are in one folder)"
    beside = [image for image, name in zip(images, names, strict=True) if "/" not in name[skip:]]
    if beside:
        outside = f"{len(beside):,} of {len(names):,} images, first {beside[0]}"
        return None, f"none (outside of the folders {names_of(folders)}: {outside})"
    if are_numbers(folders) and (is_stylegans or are_parts(names)):
        return None, f"none (the {len(folders)} folders {names_of(folders)} only number parts of the whole)"
    return class_folders(names), f"the {len(folders)} folders {names_of(folders)}{_alike(folders)}"


def _alike(folders: Iterable[str]) -> str:
    seen: dict[str, str] = {}
    for name in folders:
        key = unicodedata.normalize("NFC", name).casefold()
        if seen.setdefault(key, name) != name:
            return f"; {seen[key]} and {name} are taken for two: rename one if they are the same"
    return ""


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _part(name: str, depth: int) -> str:
    """The folder at a depth; "" if the file lies above."""
    parts = name.split("/")
    return parts[depth] if len(parts) > depth + 1 else ""


def _without(name: str, depth: int) -> str:
    parts = name.split("/")
    return "/".join(parts[:depth] + parts[depth + 1 :]) if len(parts) > depth + 1 else name
