"""A run as its folder tells it: read-only, without torch, without locks, without running anything that it names.

The run may be going on, or damaged: what cannot be read is left out and named in `troubles`.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

Row = dict[str, Any]  # one JSON object of a .jsonl file


@dataclass(frozen=True)
class Status:
    """How a run stands.

    Args:
        name: running, finished, failed, collapsed or interrupted; unknown where nothing is written down. A killed run
            stays `running`.
        step: G updates so far.
        reason: why it did not finish.
        warnings: flag -> {"step": …, "reason": …} of what people should know.
    """

    name: str = "unknown"
    step: int = 0
    reason: str | None = None
    warnings: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """Everything in a run folder, each part read when it is asked for, once; another `RunRecord` reads anew.

    Args:
        path: the run folder.
    """

    path: Path
    troubles: list[str] = field(default_factory=list, compare=False)  # what could not be read, a sentence each

    @cached_property
    def config(self) -> dict[str, Any]:
        """config.yaml as plain values, nothing of it built; empty if it is not there or no YAML."""
        text = self._read("config.yaml")
        try:
            content = yaml.safe_load(text or "")
        except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that is none
            self.troubles.append(f"{self.path / 'config.yaml'} is not readable YAML ({' '.join(str(error).split())})")
            return {}
        return content if isinstance(content, dict) else {}

    @cached_property
    def status(self) -> Status:
        """What status.json says."""
        text = self._read("status.json")
        content = self._parsed(text, "status.json") if text else None
        if content is None:
            return Status()
        several = content.get("warnings")
        warnings = (
            {flag: entry for flag, entry in several.items() if _is_warning(entry)} if isinstance(several, dict) else {}
        )
        if _is_warning(content.get("warning")):  # of version 0.1, which kept one without its flag
            told = content["warning"]
            flag = "discriminator_won" if str(told.get("reason")).startswith("D has won") else "collapsed"
            warnings = {flag: told, **warnings}
        step = content.get("step")
        return Status(
            str(content.get("status", "unknown")), step if isinstance(step, int) else 0, content.get("reason"), warnings
        )

    @cached_property
    def rows(self) -> list[Row]:
        """Those of metrics.jsonl, each with its `step`; in their order."""
        return [row for row in self._lines("metrics.jsonl") if isinstance(row.get("step"), int)]

    @cached_property
    def history(self) -> list[Row]:
        """One entry a start and one an end, the oldest first: `event`, `time`, `step`, and what was true then."""
        return self._lines("history.jsonl")

    @cached_property
    def checkpoints(self) -> dict[int, Path]:
        """Step -> file, the oldest first; their content is not looked at."""
        return self._numbered("checkpoints", "step-", ".pt")

    @property
    def best(self) -> Path | None:
        """The checkpoint where `best_metric` was best."""
        path = self.path / "checkpoints" / "best.pt"
        return path if path.exists() else None

    @cached_property
    def pictures(self) -> dict[int, Path]:
        """Step -> sample grid, the oldest first."""
        return self._numbered("samples", "", ".jpg")

    @property
    def real_picture(self) -> Path | None:
        """Real samples, for comparison."""
        path = self.path / "samples" / "real.jpg"
        return path if path.exists() else None

    @property
    def data(self) -> dict[str, Any]:
        """What the run's samples are (`Batches.identity`), of the last start that wrote it down; empty if none did."""
        return self._last_told("data")

    @property
    def code(self) -> dict[str, Any]:
        """The code of the last start that wrote it down (`provenance.code`); empty if none did."""
        return self._last_told("code")

    def _last_told(self, key: str) -> dict[str, Any]:
        told = (entry.get(key) for entry in reversed(self.history))
        return next((value for value in told if value and isinstance(value, dict)), {})

    def _numbered(self, folder: str, prefix: str, suffix: str) -> dict[int, Path]:
        found = {}
        for path in (self.path / folder).glob(f"{prefix}*{suffix}"):
            number = path.name.removeprefix(prefix).removesuffix(suffix)
            if number.isdecimal():
                found[int(number)] = path
        return dict(sorted(found.items()))

    def _lines(self, name: str) -> list[Row]:
        """The objects in a file of JSON lines; what a kill or a hand tore is left out and told."""
        found, torn = [], 0
        for line in (self._read(name) or "").splitlines():
            row = self._parsed(line, None)
            if row is None:
                torn += 1
            else:
                found.append(row)
        if torn:
            self.troubles.append(f"{self.path / name}: {torn} lines cannot be read and are left out")
        return found

    def _parsed(self, text: str, name: str | None) -> dict[str, Any] | None:
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            content = None
        if isinstance(content, dict):
            return content
        if name is not None:
            self.troubles.append(f"{self.path / name} is not what lsgan writes")
        return None

    def _read(self, name: str) -> str | None:
        path = self.path / name
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            self.troubles.append(f"{path} cannot be read ({error.strerror or error})")
            return None


def _is_warning(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("step", 0), int)
