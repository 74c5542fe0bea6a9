"""What `python -m lsgan.evaluate` has written of a run, as far as it is about the weights that are exported."""

import json
import logging
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from lsgan.evaluation.label import Label

log = logging.getLogger(__name__)


class Result(NamedTuple):
    """A metric's number.

    Args:
        metric: its name.
        value: the mean over the draws of z.
        error: the typical standard error of the value of one draw, where the metric knows it.
        interval: of the mean over the draws, 95%; None for one draw.
    """

    metric: str
    value: float
    error: float | None
    interval: tuple[float, float] | None


class Evaluated(NamedTuple):
    """Numbers, and what they mean.

    Args:
        label: of all of them.
        draws: of z, over which they are means.
        results: one a metric.
    """

    label: Label
    draws: int
    results: list[Result]


def results(run: Path, step: int, weights: str) -> list[Evaluated]:
    """Of the weights, `average` or `raw`, of a step: for each label the newest file.

    A file of another shape is left out, and a warning names it.
    """
    found: dict[Label, tuple[int, Evaluated]] = {}
    for path in sorted((run / "evaluation").glob("*.json")):
        try:
            written, content = path.stat().st_mtime_ns, json.loads(path.read_text(encoding="utf-8"))
            if (content["step"], content["weights"]) != (step, weights):
                continue
            evaluated = _evaluated(content)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s is not what lsgan.evaluate writes (%s): it is left out of the card", path, error)
            continue
        if evaluated.label not in found or found[evaluated.label][0] <= written:
            found[evaluated.label] = written, evaluated
    return [evaluated for _, evaluated in found.values()]


def _evaluated(content: dict[str, Any]) -> Evaluated:
    label = Label(**content["label"])
    for field in fields(Label):
        if type(getattr(label, field.name)) is not field.type:
            raise TypeError(f"label.{field.name} is not {field.type}")
    return Evaluated(label, len(content["seeds"]), [_result(entry) for entry in content["results"]])


def _result(entry: dict[str, Any]) -> Result:
    error, interval = entry.get("error"), entry.get("interval")
    if interval is not None:
        low, high = interval
        interval = float(low), float(high)
    return Result(
        metric=str(entry["metric"]),
        value=float(entry["value"]),
        error=None if error is None else float(error),
        interval=interval,
    )
