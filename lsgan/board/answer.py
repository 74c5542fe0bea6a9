"""The answer of a study, for each metric that it may be asked by: sentences, and what a figure of it shows."""

from collections.abc import Iterable, Mapping
from typing import Any

from lsgan.board.collect import BoardRun, Collected, is_metric, number, of_side, title
from lsgan.errors import LsganError
from lsgan.evaluation.catalogue import GROUPS, METRICS, better
from lsgan.review.answer import FINISHED, Answer, Contrast, Setting, answer
from lsgan.review.study import Study

_AT = ("last", "best")
_FIRST = ("mind", "fid", "modes")  # what is asked by if the runs name no best_metric of their own
_NO_METRIC = (
    "The runs have no metric to compare by, and the losses of different losses mean different things. "
    "'observe=[default,metrics]' has runs measure themselves; python -m lsgan.evaluate measures their checkpoints."
)


def answers(collected: Collected) -> dict[str, Any]:
    """All answers, as JSON keeps them.

    Returns:
        `metrics` (column, title, mode, label), the one asked by first; `answers`, by column and `last` or `best`;
        `none`, a sentence where there is no metric; `troubles`, what failed, collapsed or had D winning, and when.
    """
    study = collected.study
    found: dict[str, dict[str, Any]] = {}
    asked = []
    for column in _columns(collected):
        mode = _mode(study, column)
        try:
            found[column] = {at: _content(study, answer(study, column, mode, at)) for at in _AT}
        except LsganError:  # no run has a finite value of it
            continue
        labels = {run.label for run in collected.runs if column in run.last}
        label = ", ".join(word for word in (*labels, of_side(column)) if word) if len(labels) == 1 else ""
        asked.append({"column": column, "title": title(column), "mode": mode, "label": label})
    return {
        "metrics": asked,
        "answers": found,
        "none": "" if asked else _NO_METRIC,
        "troubles": [trouble for run in collected.runs for trouble in _troubles(run)],
    }


def _columns(collected: Collected) -> list[str]:
    """Those by which settings compare: the runs' own `best_metric` first, then the catalogue's."""
    there = {column for run in collected.runs for column, value in run.last.items() if value is not None}
    own = collected.study.own("best_metric")
    order = [*dict.fromkeys((*_FIRST, *METRICS))]
    metrics = sorted(
        (column for column in there if is_metric(column) and not column.startswith("raw/")),
        key=lambda column: (GROUPS.index(column.partition("/")[0]), order.index(column.rpartition("/")[2])),
    )
    return list(dict.fromkeys([*([own] if own in there else []), *metrics]))


def _mode(study: Study, column: str) -> str:
    told = study.own("best_mode") if column == study.own("best_metric") else None
    return told if told in ("min", "max") else better(column)


def _content(study: Study, found: Answer) -> dict[str, Any]:
    values = study.values(found.metric, found.mode, found.at)
    good = values[(values["status"] == FINISHED) & values["value"].notna()]
    points: dict[str, list[list[Any]]] = {}
    for row in good.itertuples():
        points.setdefault(row.setting, []).append([row.run, number(row.value)])
    return {
        "sentences": found.sentences,
        "compares": found.compares,
        "settings": [_setting(setting, points.get(setting.name, [])) for setting in found.settings],
        "contrasts": {contrast.other: _contrast(contrast) for contrast in found.contrasts if contrast.paired},
    }


def _setting(setting: Setting, points: list[list[Any]]) -> dict[str, Any]:
    return {
        "name": setting.name,
        "mean": number(setting.mean),
        "low": number(setting.interval.low),
        "high": number(setting.interval.high),
        "seeds": len(setting.seeds),
        "points": points,
        "ended": ", ".join(
            [setting.told(list(setting.ended)), *([f"{setting.going_on} running"] if setting.going_on else [])]
        ).strip(", "),
    }


def _contrast(contrast: Contrast) -> dict[str, Any]:
    """Of the best setting against this one, as the sentences have it: best minus other."""
    assert contrast.paired is not None
    return {
        "seeds": contrast.paired.num,
        "mean": number(contrast.paired.mean),
        "low": number(contrast.paired.interval.low),
        "high": number(contrast.paired.interval.high),
        "p": number(contrast.corrected_p),
    }


def _troubles(run: BoardRun) -> Iterable[Mapping[str, Any]]:
    """What people should know of a run before they believe its numbers."""
    if run.status not in (FINISHED, "running"):
        yield {"run": run.name, "what": run.status, "step": run.step, "reason": run.reason}
    for warned in run.warnings:
        if not (warned.flag == run.status and run.reason):
            what = warned.flag.replace("_", " ").replace("discriminator won", "D has won")
            yield {"run": run.name, "what": what, "step": warned.step, "reason": warned.reason}
    for told in run.troubles:
        yield {"run": run.name, "what": "damaged", "step": run.step, "reason": told}
