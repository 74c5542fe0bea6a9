"""Splits of a data set: folders or files called train, val, test and the like. They are no classes."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lsgan.errors import LsganError

_DECIDING = ("train", "val", "test")
_KINDS = (*_DECIDING, "unlabeled", "extra", "pred", None)  # the later ones are splits only beside train
ALL = ("all",)  # what is asked for to have every split

_SPLIT = re.compile(
    r"(?P<prefix>.+[ _-])??"
    r"(?:(?P<train>train|training)|(?P<val>val|valid|validation|dev|eval|evaluation)|(?P<test>test|testing)"
    r"|(?P<unlabeled>unlabell?ed)|(?P<extra>extra)|(?P<pred>pred|predictions?))"
    r"(?:[ _-]?(?:set|split|data|images|[AB]))?(?:[ _-]?\d+)?"
    r"(?P<suffix>[ _-].+)?",
    re.IGNORECASE,
)  # training_set, train2017, test_0 and CycleGAN's trainA are splits too; seg_train, DIV2K_train_HR beside their like
_Added = tuple[str, str]  # to a name, before and behind
_PLAIN: _Added = ("", "")
_MOST = 0.9  # of the files; the rest may lie astray


class Splits(NamedTuple):
    """The names of those that a place has, and of those that are taken; none where it has no splits."""

    there: Sequence[str] = ()
    taken: Sequence[str] = ()

    @property
    def all_taken(self) -> bool:
        return len(self.there) == len(self.taken)


def are_splits(names: Iterable[str]) -> bool:
    """Whether folders (or whatever has these names) beside each other are splits: all are called so, or two that differ
    are. A class may be called train, beside bus and car. What is added to the name must be the same for two that differ
    (seg_train, seg_test; but bullet_train and crash_test are classes); unlabeled, extra, pred count beside train."""
    return bool(_splits_among(names))


def split_named(words: Iterable[str]) -> str | None:
    """The first of the words in a file's name that is called like a split."""
    named = [word for word in words if _kind(word)]
    return next((word for word in named if _kind(word) in _DECIDING), next(iter(named), None))


def split_depth(folders: Iterable[str]) -> int | None:
    """How many folders deep the splits are, 0 for the top; None if there are none. Nearly all files must lie in folders
    that are split, and no more beside the splits than in them: where one class of several is split, that is its own
    affair. Where the folders of several depths are called so, those that differ count first, then those nearer the top.

    Args:
        folders: of each file, "/" between them; "" for the top.
    """
    files = Counter(tuple(folder.split("/")) if folder else () for folder in folders)
    found = {}
    for depth in range(max(map(len, files), default=0)):
        splits = _splits_among({folder[depth] for folder in files if len(folder) > depth})
        if splits and _holds_most(files, depth, splits):
            found[depth] = _num_kinds(splits)
    return min(found, key=lambda depth: (found[depth] < 2, depth), default=None)


def _holds_most(files: Counter[tuple[str, ...]], depth: int, splits: set[str]) -> bool:
    inside = [folder for folder in files if len(folder) > depth and folder[depth] in splits]
    above = {folder[:i] for folder in inside for i in range(depth + 1)}
    num_inside = sum(files[folder] for folder in inside)
    num_near = sum(num for folder, num in files.items() if folder[:depth] in above)
    return num_near >= _MOST * files.total() and 2 * num_inside >= num_near


def _splits_among(names: Iterable[str]) -> set[str]:
    """Those that are called like splits; none unless they show that they are meant so (`are_splits`)."""
    names = set(names)
    with_train = any(_kind(name) == "train" for name in names)
    kinds: dict[_Added, set[str]] = defaultdict(set)  # by what is added to them
    splits = set()
    for name in names:
        kind, added = _called_like(name)
        if kind and (with_train or kind in _DECIDING):
            splits.add(name)
            kinds[added].add(kind)
    two_differ = any(len(group.intersection(_DECIDING)) > 1 for group in kinds.values())
    meant = not kinds[_PLAIN].isdisjoint(_DECIDING) or any(len(group) > 1 for group in kinds.values())
    return splits if two_differ or (meant and splits == names) else set()


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
    kind, added = _called_like(wanted)
    of_its_kind = [name for name in there if kind and added == _PLAIN and _kind(name) == kind]
    if not (exactly or of_its_kind):
        raise LsganError(
            f"dataset.split={wanted}: {where} has "
            + (f"no such split: choose of {', '.join(there)}, all" if there else "no splits: leave dataset.split out")
        )
    return exactly or of_its_kind


def _kind(name: str) -> str | None:
    """train, val, test, unlabeled, extra or pred; None if the name is not of a split."""
    return _called_like(name)[0]


def _called_like(name: str) -> tuple[str | None, _Added]:
    """Its kind, and what is added before and behind."""
    match = _SPLIT.fullmatch(name)
    if match is None:
        return None, _PLAIN
    kind = next(kind for kind in _KINDS if kind and match[kind])
    return kind, ((match["prefix"] or "").casefold(), (match["suffix"] or "").casefold())


def _num_kinds(names: Iterable[str]) -> int:
    return len({_kind(name) for name in names} - {None})
