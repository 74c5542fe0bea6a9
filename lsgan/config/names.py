"""Names of runs that last: the same command is the same run."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from lsgan.config.identity import digest
from lsgan.config.places import is_group
from lsgan.config.settings import RULES, Role

_LENGTH = 60  # of the readable part
_ROLES = (Role.IDENTITY, Role.FREE)  # what makes the run another one is told first
_TOLD_ALREADY = ("loss", "seed", "dataset")  # by the name's beginning, or the study


def typed(cfg: DictConfig, overrides: Iterable[str]) -> dict[str, Any]:
    """What was typed, as far as it makes the run what it is or tells how it is run: key -> value as composed.

    Where things lie or are shown, and what concerns one command alone, is left out.
    """
    found = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key = override.key_or_group
        if _role(key) in _ROLES:
            value = override.value() if is_group(key) or override.is_delete() else OmegaConf.select(cfg, key)
            found[key] = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    return found


def told(overrides: Iterable[str]) -> list[str]:
    """Those overrides that `typed` takes, as they were typed."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [override.input_line or "" for override in parsed if _role(override.key_or_group) in _ROLES]


def keys(overrides: Iterable[str]) -> set[str]:
    """The keys that were typed."""
    return {override.key_or_group for override in OverridesParser.create().parse_overrides(list(overrides))}


def run_name(loss: str, seed: int, typed: dict[str, Any]) -> str:
    """Loss and seed, what else was typed, shortened, and a digest of all that was: letters, digits, '.', '_', '-'."""
    told = sorted((_ROLES.index(_role(key)), key) for key in typed if key not in _TOLD_ALREADY)
    name = f"{loss}-s{seed}"
    for word in (_word(key, typed[key]) for _, key in told):
        if len(name) + len(word) < _LENGTH:
            name += f"-{word}"
    return f"{name}-{mark(typed)}"


def mark(typed: dict[str, Any]) -> str:
    """The digest at the end of the name, of all that was typed: 6 hexadecimal digits."""
    return digest(sorted(typed.items()))[:6]


def last_begun(study: Path, seed: int, typed: dict[str, Any]) -> Path | None:
    """The folder of a run that was named after the same command; of several, the one that was begun last."""
    pattern = re.compile(rf".+-s{seed}-(?:.+-)?{mark(typed)}(?:-(\d+))?")
    begun = {}
    for path in study.iterdir() if study.is_dir() else ():
        name = pattern.fullmatch(path.name)
        if name is not None and (path / "config.yaml").exists():
            begun[int(name[1] or 1)] = path
    return begun[max(begun)] if begun else None


def _role(key: str) -> Role:
    if key == "sweep":  # whose job it was
        return Role.COMMAND
    rule = RULES.get(key.partition(".")[0])  # `experiment` has none
    return Role.IDENTITY if rule is None else rule.role


def _word(key: str, value: Any) -> str:
    """`optimizer.lr=0.001` is `lr0.001`, `penalty=r1` is `r1`."""
    last = "" if is_group(key) else key.rpartition(".")[2]
    text = f"{value:g}" if isinstance(value, float) else str(value)
    joined = f"{last}_{text}" if last and text[:1].isalpha() else f"{last}{text}"
    return re.sub(r"[^\w.]+", "_", joined, flags=re.ASCII).strip("_")
