"""What was chosen for the runs of a study: the overrides in which they differ, and what each run has for them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lsgan.review.study import Run, is_told, overrides

_SEED = "seed"
_LONGEST = 120  # characters
_MOST = 12  # keys, where no command line tells which ones matter


@dataclass(frozen=True)
class Choice:
    """An override in which runs differ.

    Args:
        key: as it is typed.
        values: a text for each run; empty where the run has nothing for it.
    """

    key: str
    values: Sequence[str]

    @property
    def is_numeric(self) -> bool:
        """Whether it is a number of several values, which can be an axis; the seed is none."""
        told = {value for value in self.values if value}
        return self.key != _SEED and len(told) > 1 and all(map(_is_number, told))


def choices(runs: Sequence[Run]) -> list[Choice]:
    """Those that were typed for some runs and differ, in the order of typing, the seed last.

    Of a run for which a key was not typed, its config tells the value. Where no command line is known, as of runs of
    version 0.1, they are the config's keys that differ.
    """
    typed = [_typed(run) for run in runs]
    keys = dict.fromkeys(key for words in typed for key in words)
    found = _differing(Choice(key, _values(key, runs, typed)) for key in keys)
    if not found:
        keys = dict.fromkeys(key for run in runs for key in run.compared.differing)
        short = dict.fromkeys(key.removesuffix("._target_") for key in keys)
        found = _differing(Choice(key, _values(key, runs, typed)) for key in short)[:_MOST]
    return sorted(found, key=lambda choice: choice.key == _SEED)


def _differing(found: Iterable[Choice]) -> list[Choice]:
    return [choice for choice in found if len(set(choice.values)) > 1]


def _typed(run: Run) -> dict[str, str]:
    """Key -> what was typed for it; of a key taken out with ~, `left out`."""
    found = {}
    for word in overrides(run.compared):
        key, is_value, value = word.lstrip("+").partition("=")
        if key.lstrip("~") == _SEED or is_told(word):
            found[key.lstrip("~")] = value if is_value and not key.startswith("~") else "left out"
    return found


def _values(key: str, runs: Sequence[Run], typed: Sequence[Mapping[str, str]]) -> list[str]:
    nodes = [_node(run.compared.record.config, key) for run in runs]
    names: dict[str, str] = {}  # content of a component -> how it was typed first
    for node, words in zip(nodes, typed, strict=True):
        if key in words and isinstance(node, dict):
            names.setdefault(repr(node), words[key])
    return [_value(node, words.get(key), names) for node, words in zip(nodes, typed, strict=True)]


def _value(node: Any, word: str | None, names: Mapping[str, str]) -> str:
    if isinstance(node, dict):
        told = names.get(repr(node)) or str(node.get("_target_", "several")).rpartition(".")[2]
    elif node is None:
        told = word or ""
    else:
        told = str(node)
    return told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…"


def _node(config: Mapping[str, Any], key: str) -> Any:
    node: Any = config
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False
