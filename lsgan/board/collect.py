"""A study as plain values, as the page's scripts take them: runs, what was chosen, every logged number.

Reads run folders through `RunRecord`: nothing that a folder names is run, and what cannot be read is told.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from lsgan.board.choices import Choice, choices
from lsgan.evaluation.catalogue import GROUPS, METRICS, better
from lsgan.review.study import Run, Study
from lsgan.tracking.run_record import Row

POINTS = 400  # of a curve at most
_ALL_POINTS = 600_000  # of all curves, about 4 MB
_LONGEST = 2_000  # characters of a text: what somebody's run says must not fill the page
_EXACT = 2**53  # steps that JavaScript's numbers tell apart
_SIDES = {"metric": "against training samples", "held_out": "against held-out samples", "raw": "of G's raw weights"}


@dataclass(frozen=True)
class Event:
    """A start or an end of a run: when (ISO 8601), and what was true then, in words."""

    time: str
    told: str


@dataclass(frozen=True)
class Warned:
    """What a run has noticed about itself, and at which step."""

    flag: str
    step: int
    reason: str


@dataclass(frozen=True)
class BoardRun:
    """One run, ready to be shown.

    Args:
        name: of its folder.
        setting: what was chosen, the seed left out.
        seed: None if its config does not tell.
        status: as `python -m lsgan.runs` has it.
        reason: why it did not finish.
        step: G updates so far.
        steps: how many it is to have; None if its config does not tell.
        choices: key -> text, of the overrides in which runs differ.
        last: column -> the last value.
        best: column -> the best value and its step, of those that have a best one.
        label: what its metrics were taken from.
        seconds: of all its starts that have an end; None if there is none.
        images_per_second: median of its rows.
        command: what began it.
        folder: as the study was named.
        history: the oldest first.
        warnings: of the run about itself.
        troubles: what could not be read.
    """

    name: str
    setting: str
    seed: int | None
    status: str
    reason: str
    step: int
    steps: int | None
    choices: Mapping[str, str]
    last: Mapping[str, float | None]
    best: Mapping[str, tuple[float, int]]
    label: str
    seconds: float | None
    images_per_second: float | None
    command: str
    folder: str
    history: Sequence[Event]
    warnings: Sequence[Warned]
    troubles: Sequence[str]


@dataclass(frozen=True)
class Curves:
    """Every logged number, thinned.

    Args:
        steps: the series of steps that curves have; many curves share one.
        columns: column -> number of the run -> number of its steps, and its values (one if they are all the same).
        points: how many a curve has at most.
        is_thinned: whether a curve has had more: its points are then means of neighbouring rows.
    """

    steps: Sequence[Sequence[int]]
    columns: Mapping[str, Mapping[int, tuple[int, Sequence[float] | float]]]
    points: int
    is_thinned: bool


@dataclass(frozen=True)
class Collected:
    """A study, ready to be shown."""

    study: Study

    @cached_property
    def runs(self) -> list[BoardRun]:
        """In the order of their names."""
        told = [{choice.key: choice.values[i] for choice in self.choices} for i in range(len(self.study.runs))]
        return [_run(run, chosen) for run, chosen in zip(self.study.runs, told, strict=True)]

    @cached_property
    def choices(self) -> list[Choice]:
        """The overrides in which runs differ."""
        return choices(self.study.runs)

    @cached_property
    def curves(self) -> Curves:
        """Of all runs."""
        return _curves([run.compared.record.rows for run in self.study.runs])

    def content(self) -> dict[str, Any]:
        """All but the curves, as JSON keeps it."""
        columns = dict.fromkeys(column for run in self.runs for column in run.last)
        return {
            "name": shortened(self.study.path.resolve().name),
            "choices": [{"key": c.key, "is_numeric": c.is_numeric} for c in self.choices],
            "columns": {column: {"title": title(column), "better": better(column)} for column in columns},
            "runs": [asdict(run) for run in self.runs],
        }


def title(column: str) -> str:
    """What people call a column: `MIND`, `MIND (held out)`, or the column itself."""
    group, _, name = column.partition("/")
    if group not in GROUPS or name not in METRICS:
        return column
    side = {"metric": "", "held_out": " (held out)", "raw": " (raw weights)"}[group]
    return f"{METRICS[name].title}{side}"


def is_metric(column: str) -> bool:
    """Whether it is one of the catalogue, against training or held-out samples."""
    group, _, name = column.partition("/")
    return group in GROUPS and name in METRICS


def shortened(told: object) -> str:
    """As a text of bounded length."""
    text = "" if told is None else str(told)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def number(value: object) -> float | None:
    """A finite number as such, anything else as None: JSON has neither NaN nor numbers without end."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer of hundreds of digits
        return None


def _run(run: Run, chosen: Mapping[str, str]) -> BoardRun:
    record = run.compared.record
    rows, history = record.rows, record.history
    speeds = sorted(speed for row in rows if (speed := number(row.get("images_per_second"))) is not None)
    own = record.config.get("best_metric")
    return BoardRun(
        name=run.name,
        setting=shortened(run.setting),
        seed=run.seed,
        status=run.status,
        reason=shortened(record.status.reason),
        step=record.status.step,
        steps=run.compared.steps,
        choices=chosen,
        last=_last(rows),
        best=_best(rows, own if isinstance(own, str) else None, record.config.get("best_mode")),
        label=_label(record.config),
        seconds=_seconds(history),
        images_per_second=speeds[len(speeds) // 2] if speeds else None,
        command=_command(history),
        folder=str(record.path),
        history=[_event(entry) for entry in history],
        warnings=[
            Warned(shortened(flag), told.get("step", 0), shortened(told.get("reason")))
            for flag, told in record.status.warnings.items()
        ],
        troubles=[shortened(trouble) for trouble in record.troubles],
    )


def _last(rows: Iterable[Row]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for row in rows:
        found |= {key: number(value) for key, value in row.items() if key != "step" and value is not None}
    return found


def _best(rows: Iterable[Row], own: str | None, own_mode: object) -> dict[str, tuple[float, int]]:
    """Of metrics, and of the run's own `best_metric`."""
    found: dict[str, tuple[float, int]] = {}
    for row in rows:
        for key in row:
            value = number(row[key])
            if value is None or not (key == own or is_metric(key)):
                continue
            mode = own_mode if key == own else better(key)
            if key not in found or (value > found[key][0] if mode == "max" else value < found[key][0]):
                found[key] = value, row["step"]
    return found


def _label(config: Mapping[str, Any]) -> str:
    """What the run's metrics were taken from, as far as its config tells: numbers of other labels do not compare."""
    features, observe = config.get("features"), config.get("observe")
    looked = observe.get("metrics") if isinstance(observe, dict) else None
    if not (isinstance(features, dict) and isinstance(looked, dict)):
        return ""
    name = str(features.get("_target_", "")).rpartition(".")[2]
    weights = f" ({features['weights']})" if features.get("weights") else ""
    return shortened(f"features {name}{weights}, up to {looked.get('num_samples', '?')} samples of each side")


def of_side(column: str) -> str:
    """Against which samples a metric is taken, or of which weights."""
    return _SIDES.get(column.partition("/")[0], "")


def _command(history: Iterable[Row]) -> str:
    """What began the run."""
    import shlex

    start = next((entry for entry in history if entry.get("event") == "start"), {})
    told = start.get("overrides")
    return shortened(shlex.join(["python", "train.py", *map(str, told)])) if isinstance(told, list) else ""


def _event(entry: Row) -> Event:
    event, step = entry.get("event"), entry.get("step")
    code = entry.get("code")
    told = {
        "start": f"started from step {step}",
        "end": f"{entry.get('status')} at step {step}",
        "saved": f"first checkpoint, step {step}",
    }.get(str(event), str(event))
    if event == "start":
        commit = str(code["commit"])[:8] if isinstance(code, dict) and code.get("commit") else None
        where = [entry.get("host"), entry.get("runtime"), commit and f"commit {commit}"]
        told += "".join(f", {word}" for word in where if word)
    if entry.get("reason"):
        told += f": {entry['reason']}"
    return Event(shortened(entry.get("time")), shortened(told))


def _seconds(history: Iterable[Row]) -> float | None:
    """From starts to the ends that follow them."""
    total, began = None, None
    for entry in history:
        time = _time(entry.get("time"))
        if entry.get("event") == "start":
            began = time
        elif entry.get("event") == "end" and began is not None and time is not None:
            total = (total or 0.0) + max(0.0, (time - began).total_seconds())
            began = None
    return total


def _time(told: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(told))
    except ValueError:
        return None
    return time if time.tzinfo else None


# Curves


def _curves(runs: Sequence[Sequence[Row]]) -> Curves:
    found = {(column, i): points for i, rows in enumerate(runs) for column, points in _series(rows).items()}
    points = max(20, min(POINTS, _ALL_POINTS // max(1, len(found))))
    steps: dict[tuple[int, ...], int] = {}
    columns: dict[str, dict[int, tuple[int, Sequence[float] | float]]] = {}
    for (column, i), series in sorted(found.items()):
        where, values = thinned(series, points)
        place = steps.setdefault(tuple(where), len(steps))
        kept = [_digits(value) for value in values]
        columns.setdefault(column, {})[i] = place, kept[0] if len(set(kept)) == 1 else kept
    is_thinned = any(len(series) > points for series in found.values())
    return Curves(list(steps), columns, points, is_thinned)


def _series(rows: Iterable[Row]) -> dict[str, list[tuple[int, float]]]:
    """Column -> its finite values with their steps."""
    found: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for column, value in row.items():
            finite = number(value)
            if column != "step" and finite is not None and row["step"] < _EXACT:
                found.setdefault(column, []).append((row["step"], finite))
    return found


def thinned(series: Sequence[tuple[int, float]], points: int) -> tuple[list[int], list[float]]:
    """Steps and values, at most so many: each stands for as many neighbours, at the last one's step, by their mean.

    A mean keeps what noisy curves say on the whole; best values are told elsewhere, of all rows.
    """
    width = math.ceil(len(series) / points)
    parts = [series[i : i + width] for i in range(0, len(series), width)]
    return [part[-1][0] for part in parts], [sum(value / len(part) for _, value in part) for part in parts]


def _digits(value: float) -> float:
    """With as many digits as a picture shows."""
    return float(f"{value:.5g}")
