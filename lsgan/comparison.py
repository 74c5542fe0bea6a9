"""Runs beside each other: which there are, what differs between those of a study, and how each of them stands.

Reads without torch and without trust, also runs that are going on or damaged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsgan.config.moved import migrated
from lsgan.config.settings import RULES, Role
from lsgan.config.trees import flat
from lsgan.errors import LsganError
from lsgan.files import is_held
from lsgan.tracking.run_record import RunRecord

_TRACES = ("config.yaml", "status.json", "metrics.jsonl", "history.jsonl", "checkpoints")
_ENDED = ("finished", "failed", "collapsed", "interrupted")


@dataclass(frozen=True)
class Compared:
    """A run beside the others of its study.

    Args:
        record: all that its folder tells.
        differing: dotted key -> value, of the config's keys in which the runs of the study differ.
        status: as written down, but for `killed` (it says `running`, and no process holds it) and `damaged` (its config
            or its status cannot be read).
        steps: how many it is to have; None if the config does not tell.
    """

    record: RunRecord
    differing: dict[str, Any]
    status: str
    steps: int | None

    @property
    def losses(self) -> dict[str, float]:
        """The losses of the last row that has any, by name."""
        for row in reversed(self.record.rows):
            found = {key: value for key, value in row.items() if key.startswith("loss/") and value is not None}
            if found:
                return found
        return {}

    @property
    def last_picture(self) -> Path | None:
        """The newest sample grid."""
        pictures = self.record.pictures
        return pictures[max(pictures)] if pictures else None


def compared(folder: Path) -> list[Compared]:
    """The runs in a folder of studies, in a study, or the one that the folder is: by study, then by name.

    Raises:
        LsganError: there is none.
    """
    if not folder.is_dir():
        raise LsganError(f"{folder} is not a folder: name that of a study, or of all (runs_dir)")
    paths = [folder, *folder.glob("*"), *folder.glob("*/*")]  # a run, a study, or a folder of studies
    found = {path for path in paths if not _is_hidden(path.relative_to(folder)) and _is_run(path)}
    runs = sorted(path for path in found if found.isdisjoint(path.parents))  # what lies in a run is none
    if not runs:
        raise LsganError(f"{folder} holds no runs: they are at <runs_dir>/<study>/<run>")
    studies: dict[Path, list[RunRecord]] = {}
    for path in runs:
        studies.setdefault(path.parent, []).append(RunRecord(path))
    return [run for records in studies.values() for run in _study(records)]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_run(path: Path) -> bool:
    try:
        return path.is_dir() and any((path / name).exists() for name in _TRACES)
    except OSError:  # it may not be looked into: that is to be told
        return True


def _study(records: Sequence[RunRecord]) -> list[Compared]:
    configs = [_flat(record) for record in records]
    keys = _differing(configs)
    return [
        Compared(record, {key: config[key] for key in keys if key in config}, _status(record, config), _steps(config))
        for record, config in zip(records, configs, strict=True)
    ]


def _flat(record: RunRecord) -> dict[str, Any]:
    try:
        return flat(migrated(record.config))
    except RecursionError:  # YAML can hold itself
        record.troubles.append(f"{record.path / 'config.yaml'} is not the config of a run")
        return {}


def _differing(configs: Sequence[dict[str, Any]]) -> list[str]:
    """Keys that say different things where they say any, or that some lack although the component is the same."""
    configs = [config for config in configs if config]
    keys = dict.fromkeys(key for config in configs for key in config if _tells(key))
    found = []
    for key in keys:
        having = [config for config in configs if key in config]
        target = f"{key.rpartition('.')[0]}._target_"
        same_target = len({str(config.get(target)) for config in configs}) == 1
        if len({repr(config[key]) for config in having}) > 1 or (len(having) < len(configs) and same_target):
            found.append(key)
    return found


def _tells(key: str) -> bool:
    """Whether a difference in it is one between runs: names and places are not."""
    rule = RULES.get(key.partition(".")[0])
    return rule is None or (rule.role is not Role.COMMAND and key != "data_dir")


def _status(record: RunRecord, config: dict[str, Any]) -> str:
    if not config:
        return "damaged"
    name = record.status.name
    if name in _ENDED:
        return name
    held = is_held(record.path / ".lock")
    if name != "running":
        return "running" if held else "damaged"  # it is just being begun, or what it wrote down is lost
    return "killed" if held is False else name


def _steps(config: dict[str, Any]) -> int | None:
    steps = config.get("steps")
    return steps if isinstance(steps, int) else None
