"""Splits of a data set: folders or files called train, val, test and the like. They are no classes."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lsgan.errors import LsganError

_KINDS = ("train", "val", "test", None)
ALL = ("all",)  # what is asked for to have every split

_SPLIT = re.compile(
    r"(?:(train|training)|(val|valid|validation|dev|eval|evaluation)|(test|testing))"
    r"(?:[ _-]?(?:set|split|data|images|[AB]))?(?:[ _-]?(?:19|20)\d\d)?",
    re.IGNORECASE,
)  # training_set, train2017 and CycleGAN's trainA are splits too


class Splits(NamedTuple):
    """The names of those that a place has, and of those that are taken; none where it has no splits."""

    there: Sequence[str] = ()
    taken: Sequence[str] = ()

    @property
    def all_taken(self) -> bool:
        return len(self.there) == len(self.taken)


def are_splits(names: Iterable[str]) -> bool:
    """Whether folders (or whatever has these names) beside each other are splits: all are called so, or two that differ
    are. A class may be called train, beside bus and car."""
    kinds = [_kind(name) for name in names]
    return len(kinds) > 0 and (None not in kinds or _num_kinds(kinds) > 1)


def split_named(words: Iterable[str]) -> str | None:
    """The first of the words in a file's name that is called like a split."""
    return next((word for word in words if _kind(word)), None)


def split_depth(folders: Iterable[str]) -> int | None:
    """How many folders deep the splits are, 0 for the top; None if there are none. Where the folders of several depths
    are called so, those that differ count first, then those nearer the top.

    Args:
        folders: that hold files, "/" between them; "" for the top.
    """
    levels: list[set[str]] = []
    for folder in folders:
        for depth, name in enumerate(folder.split("/") if folder else ()):
            if depth == len(levels):
                levels.append(set())
            levels[depth].add(name)
    found = [depth for depth, names in enumerate(levels) if are_splits(names)]
    return min(found, key=lambda depth: (_num_kinds(map(_kind, levels[depth])) < 2, depth), default=None)


def choose(where: object, there: Iterable[str], asked: Sequence[str] | None) -> Splits:
    """The splits that are taken.

    Args:
        where: the place, for messages.
        there: the names of its splits.
        asked: names, of which each stands for others of its kind where it is not there itself (val for validation), or
            `ALL`; None: train, where it is beside others, else all.

    Raises:
        LsganError: a split that is asked for is not there.
    """
    there = sorted(there, key=lambda name: (_KINDS.index(_kind(name)), name))
    if asked is None:
        train = [name for name in there if _kind(name) == "train"]
        return Splits(there, train or there)
    if tuple(asked) == ALL:
        return Splits(there, there)
    taken = {name for wanted in asked for name in _called(where, there, wanted)}
    return Splits(there, [name for name in there if name in taken])


def _called(where: object, there: Sequence[str], wanted: str) -> Sequence[str]:
    exactly = [name for name in there if name.casefold() == wanted.casefold()]
    of_its_kind = [name for name in there if _kind(name) == _kind(wanted) is not None]
    if not (exactly or of_its_kind):
        raise LsganError(
            f"dataset.split={wanted}: {where} has "
            + (f"no such split: choose of {', '.join(there)}, all" if there else "no splits: leave dataset.split out")
        )
    return exactly or of_its_kind


def _kind(name: str) -> str | None:
    """train, val or test; None if the name is not of a split."""
    match = _SPLIT.fullmatch(name)
    return None if match is None else _KINDS[(match.lastindex or 0) - 1]


def _num_kinds(kinds: Iterable[str | None]) -> int:
    return len(set(kinds) - {None})
