"""Evaluations as tables for people, one for each label, and as JSON files in the run folder."""

import hashlib
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsgan.errors import LsganError
from lsgan.evaluate.judge import Evaluation, Measured
from lsgan.evaluation.catalogue import METRICS, in_order, is_biased
from lsgan.evaluation.label import Label
from lsgan.files import write_atomically

_ENDLESS = 10_000  # characters: where nobody looks at a terminal, lines are as long as they need be


def output() -> Console:
    """Where tables go."""
    return Console(width=None if sys.stdout.isatty() else _ENDLESS)


def show(console: Console, evaluations: Sequence[Evaluation]) -> None:
    """Prints a table for each label: numbers with different labels do not compare."""
    by_label: dict[Label, list[Evaluation]] = {}
    for evaluation in evaluations:
        by_label.setdefault(evaluation.label, []).append(evaluation)
    for label, those in by_label.items():
        console.print(Text(label.told()), soft_wrap=True)
        console.print(_table(those))
        for note in _notes(those[0]):
            console.print(Text(note), soft_wrap=True)
        console.print()


def _table(those: Sequence[Evaluation]) -> Table:
    first = those[0]
    names = in_order(first.results, first.num, first.dim)
    mark = "*" if is_biased(first.num, first.dim) else ""
    titles = [METRICS[name].title + (mark if name == "fid" else "") for name in names]
    table = Table("run", "checkpoint", "weights", box=None, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for title in titles:
        table.add_column(title, no_wrap=True)
    for evaluation in those:
        told = f"{evaluation.checkpoint.stem} (step {evaluation.step})"
        cells = [_cell(evaluation.results[name]) for name in names]
        table.add_row(*map(Text, (evaluation.run.name, told, evaluation.weights, *cells)))
    if first.perfect:
        num = first.label.num_real // 2
        cells = [_cell(first.perfect[name]) if name in first.perfect else "" for name in names]
        table.add_row(
            *map(Text, ("real, half against half", f"{num:,} and {first.label.num_real - num:,}", "", *cells))
        )
    return table


def _cell(measured: Measured) -> str:
    """The value, half of its interval, and the standard error of one draw where the metric tells it."""
    low, high = measured.interval
    half = "" if math.isnan(low) or low == high else f" ±{(high - low) / 2:.2g}"
    return f"{measured.value:.4g}{half}" + ("" if measured.error is None else f" (s.e. {measured.error:.2g})")


def _notes(evaluation: Evaluation) -> Iterable[str]:
    num, seeds = evaluation.num, len(evaluation.seeds)
    if seeds > 1:
        yield (
            f"±: half of a 95% interval of the mean over {seeds} draws of z (Student's t); it tells how much the draw "
            "matters, not how much a training of another seed would."
        )
    if any(measured.error is not None for measured in evaluation.results.values()):
        yield "s.e.: a metric's own standard error, of one draw: what other samples, real ones too, would change."
    if not evaluation.perfect:
        yield f"{evaluation.label.num_real} real samples are too few to tell what one half scores against the other."
    if is_biased(num, evaluation.dim):
        yield (
            f"* FID of {num:,} samples in {evaluation.dim:,} dimensions is biased, differently for each model: below "
            f"{10 * evaluation.dim:,} samples go by MIND and KID."
        )


def write(evaluation: Evaluation) -> Path:
    """The evaluation as <run>/evaluation/<what>.json; one of the same is replaced.

    Raises:
        LsganError: the folder cannot be written.
    """
    label = evaluation.label
    words = (label.extractor, evaluation.checkpoint.stem, evaluation.weights, label.reference, _mark(evaluation))
    name = "-".join(words)
    path = evaluation.run / "evaluation" / f"{name}.json"
    try:
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, json.dumps(content(evaluation), indent=1) + "\n")
    except OSError as error:
        raise LsganError(f"{path} cannot be written ({error.strerror or error})") from error
    return path


def _mark(evaluation: Evaluation) -> str:
    """Of the label and the seeds: what differs in them is another file."""
    told = json.dumps([evaluation.label.content(), list(evaluation.seeds)], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def content(evaluation: Evaluation) -> dict[str, object]:
    """Plain values."""
    return {
        "label": evaluation.label.content(),
        "checkpoint": evaluation.checkpoint.name,
        "step": evaluation.step,
        "weights": evaluation.weights,
        "seeds": list(evaluation.seeds),
        "fid_is_biased": is_biased(evaluation.num, evaluation.dim),
        "results": _results(evaluation.results, evaluation.label.reference),
        "real_half_against_half": _results(evaluation.perfect, evaluation.label.reference),
    }


def _results(results: Mapping[str, Measured], against: str) -> list[dict[str, object]]:
    return [
        {
            "metric": name,
            "value": measured.value,
            "error": measured.error,
            "interval": None if math.isnan(measured.interval.low) else list(measured.interval),
            "values": list(measured.values),
            "against": against,
        }
        for name, measured in results.items()
    ]
