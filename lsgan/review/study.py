"""A study as tables: every run and every logged number, by setting and seed. Read while it is trained, too."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from lsgan.comparison import Compared, compared
from lsgan.config.settings import RULES, Role, role
from lsgan.errors import LsganError

_SEED = "seed"  # is no part of a setting: several runs of one differ in it
_FREE_PARTS = ("steps", "runtime.precision")  # may differ when a run goes on, and make another setting all the same


@dataclass(frozen=True)
class Run:
    """One run of a study.

    Args:
        compared: all that its folder tells.
        setting: what was chosen, seed and what all runs share left out; the same text for the same choice.
        seed: of it; None if its config does not tell.
    """

    compared: Compared
    setting: str
    seed: int | None

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.compared.record.path.name

    @property
    def status(self) -> str:
        """As `python -m lsgan.runs` has it."""
        return self.compared.status


@dataclass(frozen=True)
class Study:
    """Runs that are compared with each other."""

    path: Path
    runs: Sequence[Run]

    @property
    def settings(self) -> list[str]:
        """In the order in which they were begun."""
        return list(dict.fromkeys(run.setting for run in self.runs))

    def own(self, key: str) -> str | None:
        """What all runs whose config can be read say of themselves; None where they differ or say nothing."""
        configs = [run.compared.record.config for run in self.runs]
        told: list[object] = list({str(config.get(key)) for config in configs if config})
        return str(told[0]) if len(told) == 1 and told[0] != "None" else None

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Every logged number, a row each: run, setting, seed, status, a column for each key in which the runs differ,
        step, metric, value."""
        return pd.DataFrame([row for run in self.runs for row in _long(run)])

    def values(self, metric: str, mode: str, at: str) -> pd.DataFrame:
        """One row a run: run, setting, seed, status, step, and the value of the metric at its last row or its best.

        Args:
            metric: a column of metrics.jsonl.
            mode: what is best, min or max.
            at: `last` or `best`.

        Raises:
            LsganError: no run has such a column.
        """
        found = []
        for run in self.runs:
            told = [(row["step"], row[metric]) for row in run.compared.record.rows if _is_number(row.get(metric))]
            best = min if mode == "min" else max
            step, value = (told[-1] if at == "last" else best(told, key=lambda pair: pair[1])) if told else (None, None)
            found.append((run.name, run.setting, run.seed, run.status, step, value))
        table = pd.DataFrame(found, columns=["run", "setting", "seed", "status", "step", "value"])
        if table["value"].isna().all():
            known = sorted(
                {key for run in self.runs for row in run.compared.record.rows[-1:] for key in row} - {"step"}
            )
            raise LsganError(f"metric={metric} is in no run of {self.path}: choose one of {', '.join(known) or 'none'}")
        return table


def read_study(path: Path) -> Study:
    """The runs of one study folder.

    Raises:
        LsganError: it holds none, or several studies: their runs differ in more than what was chosen.
    """
    runs = compared(path)
    studies = sorted({str(run.record.path.parent) for run in runs})
    if len(studies) > 1:
        raise LsganError(f"{path} holds the runs of {len(studies)} studies: name one of {', '.join(studies)}")
    keys = list(dict.fromkeys(key for run in runs for key in run.differing if _makes_a_setting(key)))
    labels: dict[str, str] = {}  # what differs -> how it was typed first
    found = []
    for run in runs:
        config, label = run.record.config, _typed(run, runs)
        if config:
            chosen = repr([run.differing.get(key) for key in keys])
            if chosen not in labels:
                labels[chosen] = label if label and label not in labels.values() else _told(run, keys)
            label = labels[chosen]
        seed = config.get(_SEED)
        found.append(Run(run, label or "not known", seed if isinstance(seed, int) else None))
    return Study(path, found)


def _makes_a_setting(key: str) -> bool:
    return key in _FREE_PARTS or (key != _SEED and key.partition(".")[0] in RULES and role(key) is Role.IDENTITY)


def overrides(run: Compared) -> list[str]:
    """What was typed when the run was begun; empty if it does not tell."""
    told = next((entry.get("overrides") for entry in run.record.history if entry.get("event") == "start"), None)
    return [str(word) for word in told] if isinstance(told, list) else []


def _typed(run: Compared, runs: Sequence[Compared]) -> str:
    """What was typed for this run and not for all, without the seed and what is about one command alone."""
    shared = set(overrides(runs[0])).intersection(*map(overrides, runs))
    return " ".join(word for word in overrides(run) if word not in shared and is_told(word))


def is_told(override: str) -> bool:
    """Whether it makes a setting: no seed, and nothing that is about one command alone."""
    root = override.lstrip("+~").partition("=")[0].partition(".")[0]
    rule = RULES.get(root)
    return root not in (_SEED, "sweep") and (rule is None or rule.role in (Role.IDENTITY, Role.FREE))


def _told(run: Compared, keys: Sequence[str]) -> str:
    return " ".join(f"{key}={run.differing[key]}" for key in keys if key in run.differing) or "the one setting"


def _long(run: Run) -> list[dict[str, Any]]:
    same = {"run": run.name, "setting": run.setting, "seed": run.seed, "status": run.status}
    same |= {key: value for key, value in run.compared.differing.items() if key not in same}
    return [
        {**same, "step": row["step"], "metric": metric, "value": float(value)}
        for row in run.compared.record.rows
        for metric, value in row.items()
        if metric != "step" and _is_number(value)
    ]


def _is_number(value: Any) -> bool:
    """One that a float holds: JSON has integers of any length."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not abs(value) > sys.float_info.max
