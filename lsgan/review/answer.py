"""Which setting won, by how much, how sure: in tables and sentences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from lsgan.review.statistics import Interval, Paired, holm, mean_interval, paired, share_interval
from lsgan.review.study import Study

FINISHED = "finished"
_SIGNIFICANT = 0.05


class Setting(NamedTuple):
    """How one setting did.

    Args:
        name: what was chosen.
        num: runs that have ended, one way or another.
        finished: how many of them ended well.
        ended: status -> how many ended so.
        share: of runs that do not finish, exact interval.
        mean: of the metric over the seeds that finished; nan if none did.
        interval: of that mean.
        going_on: runs that are still trained.
    """

    name: str
    num: int
    finished: int
    ended: dict[str, int]
    share: Interval | None
    mean: float
    interval: Interval
    going_on: int


class Contrast(NamedTuple):
    """The best setting against another one, over the seeds that both finished.

    `corrected_p` is corrected for the number of contrasts (Holm).
    """

    other: str
    seeds: Sequence[int]
    paired: Paired | None
    corrected_p: float


@dataclass(frozen=True)
class Answer:
    """What a study says about one metric."""

    metric: str
    mode: str
    at: str
    settings: Sequence[Setting]  # the best one first
    contrasts: Sequence[Contrast]

    @property
    def sentences(self) -> list[str]:
        """For people: which won, by how much, how sure, and what may not be read from it."""
        told = [self._winner()]
        told += [_against(self.settings[0].name, contrast) for contrast in self.contrasts]
        seeds = min((len(contrast.seeds) for contrast in self.contrasts), default=0)
        if seeds and 2.0 ** (1 - seeds) >= _SIGNIFICANT:
            told.append(
                f"With {seeds} seeds the exact test cannot give p < .05: the smallest possible p is "
                f"{_p(2.0 ** (1 - seeds))}. Six seeds can."
            )
        if len(self.contrasts) > 1:
            told.append(
                f"{len(self.contrasts)} comparisons were made, and the best of {len(self.settings)} settings was "
                "chosen by the same numbers: p is corrected for that number (Holm)."
            )
        failing = [setting for setting in self.settings if setting.finished < setting.num]
        if failing:
            names = "; ".join(f"{_failures(setting)} of {setting.name}" for setting in failing)
            told.append(f"Not finished: {names}. Means and differences are of the runs that finished.")
        going_on = sum(setting.going_on for setting in self.settings)
        if going_on:
            told.append(f"{going_on} runs are still trained, and left out.")
        return told

    def _winner(self) -> str:
        best = self.settings[0]
        what = f"{self.at} {self.metric}, {self.mode} is best"
        if math.isnan(best.mean):
            return f"No run has finished with a {self.metric} ({what})."
        return f"{best.name}: {best.mean:.4g} over {best.finished} seeds, the best mean ({what})."


def answer(study: Study, metric: str, mode: str = "min", at: str = "last") -> Answer:
    """Compares all settings of the study by a column of metrics.jsonl.

    Args:
        study: of runs.
        metric: the column.
        mode: what is best, min or max.
        at: the value of a run is that of its `last` row, or its `best`.

    Raises:
        LsganError: no run has such a column.
    """
    values = study.values(metric, mode, at)
    settings = [_setting(name, values[values["setting"] == name]) for name in study.settings]
    worst = math.inf
    settings.sort(key=lambda found: worst if math.isnan(found.mean) else found.mean * (1 if mode == "min" else -1))
    best, others = settings[0], settings[1:]
    pairs = [_pairs(values, best.name, other.name) for other in others]
    corrected = iter(holm([pair.p for _, pair in pairs if pair is not None]))
    contrasts = [
        Contrast(other.name, seeds, pair, next(corrected) if pair is not None else math.nan)
        for other, (seeds, pair) in zip(others, pairs, strict=True)
    ]
    return Answer(metric, mode, at, settings, contrasts)


def _setting(name: str, values: pd.DataFrame) -> Setting:
    ended = values[values["status"] != "running"]
    good = ended[(ended["status"] == FINISHED) & ended["value"].notna()]["value"].to_numpy(float)
    num, finished = len(ended), int((ended["status"] == FINISHED).sum())
    return Setting(
        name=name,
        num=num,
        finished=finished,
        ended={str(status): int(count) for status, count in ended["status"].value_counts().items()},
        share=share_interval(num - finished, num) if num else None,
        mean=float(good.mean()) if len(good) else math.nan,
        interval=mean_interval(good),
        going_on=len(values) - num,
    )


def _pairs(values: pd.DataFrame, first: str, second: str) -> tuple[list[int], Paired | None]:
    """Of the seeds that both finished; of several runs with one seed, which `new=true` makes, their mean."""
    good = values[(values["status"] == FINISHED) & values["value"].notna() & values["seed"].notna()]
    table = good.pivot_table(index="seed", columns="setting", values="value", aggfunc="mean")
    if not {first, second} <= set(table.columns):
        return [], None
    both = table[[first, second]].dropna()
    if both.empty:
        return [], None
    return [int(seed) for seed in both.index], paired(list(both[first]), list(both[second]))


def _against(best: str, contrast: Contrast) -> str:
    if contrast.paired is None:
        return f"Against {contrast.other}: no seed that both finished."
    num, mean, interval, p, _ = contrast.paired
    if num == 1:
        return f"Against {contrast.other}: {mean:+.4g} with one seed, which tells nothing of the spread."
    verdict = "" if contrast.corrected_p < _SIGNIFICANT else "; the difference may be chance"
    corrected = "" if contrast.corrected_p == p else f", corrected {_p(contrast.corrected_p)}"
    return (
        f"Against {contrast.other}: {mean:+.4g} over {num} paired seeds, 95% interval "
        f"{interval.low:+.4g} to {interval.high:+.4g}, p = {_p(p)}{corrected}{verdict}."
    )


def _failures(setting: Setting) -> str:
    kinds = ", ".join(f"{count} {status}" for status, count in setting.ended.items() if status != FINISHED)
    assert setting.share is not None
    share = f"95% interval of the share {setting.share.low:.0%} to {setting.share.high:.0%}"
    return f"{setting.num - setting.finished} of {setting.num} runs ({kinds}; {share})"


def _p(value: float) -> str:
    return f"{value:.3g}".removeprefix("0")
