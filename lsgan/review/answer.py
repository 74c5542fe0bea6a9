"""Which setting won, by how much, how sure: in tables and sentences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from lsgan.errors import counted
from lsgan.evaluation.catalogue import GROUPS
from lsgan.review.statistics import Interval, Paired, holm, mean_interval, paired, share_interval
from lsgan.review.study import Study

FINISHED = "finished"
FAILURES = ("failed", "collapsed")  # of a setting; what was stopped, by whom ever, tells nothing against it
_UNFINISHED = ("interrupted", "killed")
_SIGNIFICANT = 0.05
# Keys that say what a metric means.
_OF_METRICS = frozenset(
    ("features._target_", "features.weights", "features.size", "observe.metrics.num_samples", "dataset.held_out")
)


class Setting(NamedTuple):
    """How one setting did.

    Args:
        name: what was chosen.
        ended: status -> how many runs ended so.
        seeds: those of which a finished run has the metric, each once.
        without: finished runs that have no value of the metric, or no seed.
        share: of failures in the runs that finished or failed, exact interval; None without any.
        mean: of the metric over the seeds; nan if there is none.
        interval: of that mean.
        going_on: runs that are still trained.
    """

    name: str
    ended: dict[str, int]
    seeds: Sequence[int]
    without: int
    share: Interval | None
    mean: float
    interval: Interval
    going_on: int

    @property
    def num(self) -> int:
        """Runs that have ended, one way or another."""
        return sum(self.ended.values())

    @property
    def finished(self) -> int:
        """How many of them ended well."""
        return self.ended.get(FINISHED, 0)

    @property
    def failed(self) -> int:
        """How many of them failed or collapsed."""
        return sum(self.ended.get(status, 0) for status in FAILURES)

    def told(self, statuses: Sequence[str]) -> str:
        """How many ended so, in words: `1 failed, 2 collapsed`."""
        return ", ".join(f"{count} {status}" for status, count in self.ended.items() if status in statuses)


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
    """What a study says about one metric.

    `settings` has the best one first. It `is_best` if over the seeds that both finished no other one has a better mean.
    The metric `compares` unless it is the value of a loss in which the runs differ, or of features in which they do.
    """

    metric: str
    mode: str
    at: str
    settings: Sequence[Setting]
    contrasts: Sequence[Contrast]
    is_best: bool
    compares: bool

    @property
    def sentences(self) -> list[str]:
        """For people: which won, by how much, how sure, and what may not be read from it."""
        told = [] if self.compares else [_no_comparison(self.metric)]
        told.append(self._winner())
        if len({tuple(setting.seeds) for setting in self.settings if setting.seeds}) > 1:
            told.append(
                "The settings have not all finished the same seeds: means of different seeds compare badly, so the "
                "best one was chosen by the differences over the seeds that both finished."
            )
        told += [_against(self.settings[0].name, contrast) for contrast in self.contrasts]
        told += _few_seeds(self.contrasts)
        num = sum(contrast.paired is not None for contrast in self.contrasts)
        if num > 1:
            told.append(
                f"{num} comparisons were made, and the best of {counted(len(self.settings), 'setting')} was "
                "chosen by the same numbers: p is corrected for that number (Holm)."
            )
        return told + _not_counted(self.settings, self.metric)

    def _winner(self) -> str:
        best = self.settings[0]
        what = f"{self.at} {self.metric}, {self.mode} is best"
        if not best.seeds:
            return f"No run has finished with a {self.metric} ({what})."
        mean = f"{best.mean:.4g} over {counted(len(best.seeds), 'seed')}"
        if not self.is_best:
            return (
                f"No setting is best ({what}): over the seeds that both finished, each is worse than another one. "
                f"Compared here: {best.name}, {mean}."
            )
        means = [setting.mean for setting in self.settings if setting.seeds]
        has_best_mean = best.mean == (min(means) if self.mode == "min" else max(means))
        why = "the best mean" if has_best_mean else "worse than no other one over the seeds that both finished"
        return f"{best.name}: {mean}, {why} ({what})."


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
    table = _by_seed(values)
    settings = [_setting(name, values[values["setting"] == name], table) for name in study.settings]
    sign = 1 if mode == "min" else -1
    beaten = {setting.name: _beaten(table, setting.name, sign) for setting in settings}
    settings.sort(
        key=lambda found: (not found.seeds, beaten[found.name], -len(found.seeds), found.mean * sign)  # nan is last
    )
    best, others = settings[0], settings[1:]
    pairs = [_pairs(table, best.name, other.name) for other in others]
    corrected = iter(holm([pair.p for _, pair in pairs if pair is not None]))
    contrasts = [
        Contrast(other.name, seeds, pair, next(corrected) if pair is not None else math.nan)
        for other, (seeds, pair) in zip(others, pairs, strict=True)
    ]
    return Answer(
        metric, mode, at, settings, contrasts, is_best=beaten[best.name] == 0, compares=_compares(study, metric)
    )


def _compares(study: Study, metric: str) -> bool:
    """Not the value of a loss (or penalty) in which the runs differ, nor a metric of features in which they do."""
    of = "features" if metric.partition("/")[0] in GROUPS else "penalty" if metric == "loss/penalty" else "loss"
    if of == "loss" and not metric.startswith("loss/"):
        return True
    keys = {key for run in study.runs for key in run.compared.differing}
    if of == "features":
        return keys.isdisjoint(_OF_METRICS)
    return not any(key.startswith(f"{of}.") for key in keys)


def _no_comparison(metric: str) -> str:
    if metric.partition("/")[0] in GROUPS:
        return (
            f"{metric} does not compare these runs: it was taken with other features, or of other numbers of samples. "
            "python -m lsgan.evaluate features=<one of them> takes it of all alike."
        )
    what = "penalties" if metric == "loss/penalty" else "losses"
    return (
        f"{metric} does not compare these runs: their {what} differ, and the values of different {what} mean different "
        "things. Choose another column: metric=metric/mind, say."
    )


def _by_seed(values: pd.DataFrame) -> pd.DataFrame:
    """Seed x setting of what finished; of several runs with one seed, which `new=true` makes, their mean."""
    good = values[(values["status"] == FINISHED) & values["value"].notna() & values["seed"].notna()]
    return good.pivot_table(index="seed", columns="setting", values="value", aggfunc="mean")


def _setting(name: str, values: pd.DataFrame, table: pd.DataFrame) -> Setting:
    ended = values[values["status"] != "running"]
    good = table[name].dropna() if name in table else pd.Series(dtype=float)
    counts = {str(status): int(count) for status, count in ended["status"].value_counts().items()}
    has_value = (ended["status"] == FINISHED) & ended["value"].notna() & ended["seed"].notna()
    failed = sum(counts.get(status, 0) for status in FAILURES)
    decided = failed + counts.get(FINISHED, 0)
    return Setting(
        name=name,
        ended=counts,
        seeds=[int(seed) for seed in good.index],
        without=counts.get(FINISHED, 0) - int(has_value.sum()),
        share=share_interval(failed, decided) if decided else None,
        mean=float(good.mean()),
        interval=mean_interval(good.to_numpy(float)),
        going_on=len(values) - len(ended),
    )


def _beaten(table: pd.DataFrame, name: str, sign: int) -> int:
    """How many settings have a better mean over the seeds that both finished; those of other seeds do not compare."""
    if name not in table:
        return 0
    return int((table.rsub(table[name], axis=0).mean() * sign > 0).sum())


def _pairs(table: pd.DataFrame, first: str, second: str) -> tuple[list[int], Paired | None]:
    """Of the seeds that both finished."""
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


def _few_seeds(contrasts: Sequence[Contrast]) -> list[str]:
    """What the exact test cannot find, were the differences as large as can be."""
    told = [contrast.paired for contrast in contrasts if contrast.paired is not None]
    smallest = holm([pair.smallest_p for pair in told])
    few = [(pair.num, p) for pair, p in zip(told, smallest, strict=True) if p >= _SIGNIFICANT]
    if not few:
        return []
    least, most = min(few)[0], max(few)[0]
    seeds = counted(most, "paired seed") if least == most else f"{least} to {most} paired seeds"
    corrected = f", corrected for {len(told)} comparisons" if len(told) > 1 else ""
    return [
        f"With {seeds} no difference however large gives p < {_p(_SIGNIFICANT)}: the smallest possible p is "
        f"{_p(min(p for _, p in few))}{corrected}. {seeds_needed(len(told))} paired seeds can."
    ]


def seeds_needed(num_comparisons: int) -> int:
    """The fewest paired seeds with which the exact test, corrected for so many comparisons, can give p < .05."""
    return 1 + math.ceil(math.log2(num_comparisons / _SIGNIFICANT))


def _not_counted(settings: Sequence[Setting], metric: str) -> list[str]:
    """Runs of which means and differences say nothing, and why."""
    told = []
    if failing := "; ".join(_failures(setting) for setting in settings if setting.failed):
        told.append(f"Failed: {failing}. Means and differences are of the runs that finished.")
    if unfinished := _ended(settings, _UNFINISHED):
        told.append(f"Unfinished: {unfinished}. They count neither way: the command that began them goes on with them.")
    others = {status for setting in settings for status in setting.ended} - {FINISHED, *FAILURES, *_UNFINISHED}
    if damaged := _ended(settings, sorted(others)):
        told.append(f"Left out: {damaged}. python -m lsgan.runs <folder> tells more of them.")
    if without := "; ".join(f"{found.without} of {found.name}" for found in settings if found.without):
        told.append(f"Finished without a {metric}, or without a seed, and left out: {without}.")
    if going_on := sum(setting.going_on for setting in settings):
        told.append(f"{counted(going_on, 'run')} {'is' if going_on == 1 else 'are'} still trained, and left out.")
    return told


def _ended(settings: Sequence[Setting], statuses: Sequence[str]) -> str:
    return "; ".join(f"{told} of {setting.name}" for setting in settings if (told := setting.told(statuses)))


def _failures(setting: Setting) -> str:
    assert setting.share is not None
    share = f"95% interval of the share {setting.share.low:.0%} to {setting.share.high:.0%}"
    decided = setting.failed + setting.finished
    return f"{setting.failed} of {counted(decided, 'run')} ({setting.told(FAILURES)}; {share}) of {setting.name}"


def _p(value: float) -> str:
    return f"{value:.3g}".removeprefix("0")
