"""Which setting of a study won, by how much, how sure.

    python -m lsgan.review <folder> [key=value …]

    <folder>  of a study, <runs_dir>/<study>; its runs may still be trained (study=<folder> is the same)
    metric    a column of metrics.jsonl to compare; the runs' own best_metric if not given
    mode      what is best, min or max; if not given the runs' own best_mode for their best_metric, else what suits it
    at        last: a run's value is that of its last row; best: the best of all its rows  (last)
    csv       write every logged number into this file, a row each

Settings are compared seed by seed: both have seen the same data and noise. What failed or collapsed is counted apart,
never dropped; what was interrupted or killed is not held against a setting.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING, OmegaConf

from lsgan import arguments, command
from lsgan.config.components import typed
from lsgan.errors import LsganError
from lsgan.evaluation.catalogue import better
from lsgan.review.answer import FINISHED, Answer, answer
from lsgan.review.statistics import Interval
from lsgan.review.study import Study, read_study


@dataclass
class ReviewSettings:
    """What the command line may say."""

    study: Path = MISSING
    metric: str | None = None
    mode: str | None = None
    at: str = "last"
    csv: Path | None = None


def main() -> None:
    """Reads the command line and prints the answer."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return
    wanted: ReviewSettings = typed(
        ReviewSettings, OmegaConf.create(arguments.texts(arguments.of_one_study(sys.argv[1:], "review")))
    )
    for name, choices in (("mode", ("min", "max")), ("at", ("last", "best"))):
        value = getattr(wanted, name)
        if value is not None and value not in choices:
            raise LsganError(f"{name}={value} must be {' or '.join(choices)}")
    study = read_study(wanted.study.expanduser())
    if wanted.csv is not None:
        _write(study, wanted.csv.expanduser())
    own = study.own("best_metric")
    metric = wanted.metric or own
    if metric is None:
        raise LsganError(
            "metric=<a column of metrics.jsonl> must be given: the runs name no best_metric of their own, or several "
            "(the losses of different losses mean different things, and do not compare)"
        )
    mode = wanted.mode or (study.own("best_mode") if metric == own else None) or better(metric)
    show(answer(study, metric, mode, wanted.at))


def show(found: Answer) -> None:
    """Prints the tables and the sentences."""
    from rich import get_console
    from rich.table import Table
    from rich.text import Text

    console = get_console()
    columns = ("setting", f"{found.at} {found.metric}", "95% interval", "seeds", "finished", "failed", "not finished")
    table = Table(*columns, box=None)
    for setting in found.settings:
        share = (
            setting.share and f"{setting.failed / (setting.failed + setting.finished):.0%} ({_percent(setting.share)})"
        )
        table.add_row(
            Text(setting.name),
            f"{setting.mean:.4g}",
            _interval(setting.interval),
            str(len(setting.seeds)),
            f"{setting.finished} of {setting.num}",
            share or "",
            Text(setting.told([status for status in setting.ended if status != FINISHED])),
        )
    console.print(table)
    for sentence in found.sentences:
        console.print(Text(sentence), soft_wrap=True)


def _interval(interval: Interval) -> str:
    return "not known" if interval.low != interval.low else f"{interval.low:.4g} to {interval.high:.4g}"


def _percent(share: Interval) -> str:
    return f"{share.low:.0%} to {share.high:.0%}"


def _write(study: Study, path: Path) -> None:
    try:
        study.rows.to_csv(path, index=False)
    except OSError as error:
        raise LsganError(f"csv={path} cannot be written ({error.strerror or error}): name another file") from error


if __name__ == "__main__":
    command.run(main)
