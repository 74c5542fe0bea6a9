"""A run as its folder tells it: read-only, without torch, without locks, without running anything that it names.

The run may be going on, or damaged: what cannot be read is left out and named in `troubles`.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lsgan.errors import counted

Row = dict[str, Any]  # one JSON object of a .jsonl file

EXPORTED = "model.safetensors"  # the weights in a folder that `python -m lsgan.export` has written

_PADDING = b"\0 \t\r"  # zeros: some file systems leave them behind a crash
_UNFINISHED = (".part", ".new")  # of a checkpoint and its checksum
_SAVE = ("finished", "interrupted", "collapsed")  # what a run calls itself that has saved its last step


class Metrics(NamedTuple):
    """What metrics.jsonl holds, sorted out.

    Args:
        rows: step -> line and its object, in the order of the steps; of several lines of a step the last.
        spoilt: lines that are no rows: torn, zeros, something else.
        replaced: rows of a step that has a later one.
    """

    rows: dict[int, tuple[bytes, Row]]
    spoilt: list[bytes]
    replaced: list[bytes]

    @classmethod
    def sorted_out(cls, content: bytes) -> "Metrics":
        """Of the bytes of the file."""
        rows: dict[int, tuple[bytes, Row]] = {}
        spoilt, replaced = [], []
        for line in _nonempty(content):
            row = _object(line)
            if row is None or not _is_row(row):
                spoilt.append(line)
                continue
            if row["step"] in rows:
                replaced.append(rows[row["step"]][0])
            rows[row["step"]] = line.strip(_PADDING), row
        return cls(dict(sorted(rows.items())), spoilt, replaced)


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
        """Those of metrics.jsonl, one a `step`, in their order; each of their values is a number or None."""
        metrics = Metrics.sorted_out(self._read_bytes("metrics.jsonl") or b"")
        if metrics.spoilt:
            self._leave_out("metrics.jsonl", len(metrics.spoilt))
        return [row for _, row in metrics.rows.values()]

    @cached_property
    def labels(self) -> dict[str, str]:
        """What a column's number means, in one line, by column: labels.json. Runs of earlier versions have none."""
        text = self._read("labels.json")
        content = self._parsed(text, "labels.json") if text else None
        return {column: label for column, label in (content or {}).items() if isinstance(label, str)}

    @cached_property
    def history(self) -> list[Row]:
        """One entry a start, one an end, and one for the first checkpoint, the oldest first.

        Each says `event` (start, end, saved), `time`, `step`, and what was true then.
        """
        lines = _nonempty(self._read_bytes("history.jsonl") or b"")
        found = [entry for entry in map(_object, lines) if entry is not None]
        if len(found) < len(lines):
            self._leave_out("history.jsonl", len(lines) - len(found))
        return found

    @property
    def has_saved(self) -> bool:
        """Whether the run has had a checkpoint, wherever it may be now."""
        if any(name.startswith(("step-", "best.")) and not name.endswith(_UNFINISHED) for name in self._checkpoints()):
            return True
        starts = [entry for entry in self.history if entry.get("event") == "start"]
        if any(entry.get("event") == "saved" for entry in self.history) or any(map(_has_steps, starts)):
            return True
        return not any("checkpoint" in entry for entry in starts) and self._may_have_saved()

    def _may_have_saved(self) -> bool:
        """The same of a run of earlier versions, which did not write it down."""
        ends = ({"status": self.status.name, "step": self.status.step}, *self.history)
        if any(entry.get("status") in _SAVE and _has_steps(entry) for entry in ends):
            return True
        every = self.config.get("checkpoint_every")
        return isinstance(every, int) and any(row["step"] >= every for row in self.rows)

    @cached_property
    def checkpoints(self) -> dict[int, Path]:
        """Step -> file, the oldest first; their content is not looked at."""
        return self._numbered("checkpoints", "step-", ".pt")

    @property
    def exported(self) -> Path | None:
        """The weights, where this is no run but what was exported of one."""
        path = self.path / EXPORTED
        return path if path.is_file() and not self.checkpoints else None

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

    def best_value(self, metric: str | None, mode: str) -> float | None:
        """The best value of a column, `min` or `max` by `mode`; None where no row has one."""
        values = [row[metric] for row in self.rows if metric and row.get(metric) is not None]
        return (min if mode == "min" else max)(values, default=None)

    @property
    def data(self) -> dict[str, Any]:
        """What the run's samples are (`Batches.identity`), of the last start that wrote it down; empty if none did."""
        return self._last_told("data")

    @property
    def code(self) -> dict[str, Any]:
        """The code of the last start that wrote it down (`provenance.code`); empty if none did."""
        return self._last_told("code")

    @property
    def wandb_id(self) -> str | None:
        """Of the run in W&B; None if it was never tracked there."""
        return (self._read("wandb/run-id") or "").strip() or None

    def _last_told(self, key: str) -> dict[str, Any]:
        told = (entry.get(key) for entry in reversed(self.history))
        return next((value for value in told if value and isinstance(value, dict)), {})

    def _checkpoints(self) -> list[str]:
        try:
            return [path.name for path in (self.path / "checkpoints").iterdir()]
        except OSError:
            return []

    def _numbered(self, folder: str, prefix: str, suffix: str) -> dict[int, Path]:
        found = {}
        for path in (self.path / folder).glob(f"{prefix}*{suffix}"):
            number = path.name.removeprefix(prefix).removesuffix(suffix)
            if number.isdecimal():
                found[int(number)] = path
        return dict(sorted(found.items()))

    def _leave_out(self, name: str, num: int) -> None:
        self.troubles.append(f"{self.path / name}: {counted(num, 'line')} left out that cannot be read")

    def _parsed(self, text: str, name: str) -> dict[str, Any] | None:
        content = _object(text.encode())
        if content is None:
            self.troubles.append(f"{self.path / name} is not what lsgan writes")
        return content

    def _read(self, name: str) -> str | None:
        content = self._read_bytes(name)
        return None if content is None else content.decode(errors="replace")

    def _read_bytes(self, name: str) -> bytes | None:
        path = self.path / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self.troubles.append(f"{path} cannot be read ({error.strerror or error})")
            return None


def _nonempty(content: bytes) -> list[bytes]:
    return [line for line in content.split(b"\n") if line.strip()]


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(line.strip(_PADDING))
    except (ValueError, RecursionError):  # ValueError: no JSON, or no UTF-8; RecursionError: brackets without end
        return None
    return content if isinstance(content, dict) else None


def _is_row(row: Row) -> bool:
    is_number = all(value is None or isinstance(value, int | float) for value in row.values())
    return is_number and type(row.get("step")) is int and row["step"] >= 0


def _has_steps(entry: Row) -> bool:
    step = entry.get("step")
    return isinstance(step, int) and step > 0


def _is_warning(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("step", 0), int)
