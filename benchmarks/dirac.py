"""Does R1 do to networks what DiracGAN says? R1 × (a, b, c), paired seeds: same data, noise and first weights.

    python benchmarks/dirac.py [digits mixture] [--seeds 10] [--steps N] [--jobs 1] [--folder runs-dirac]

By DiracGAN (docs/dirac.md) R1 helps where c is above the middle of a and b, and slows where it is at the middle. Each
run is what `python train.py` does, with one thread; a run that is in the folder already is not trained again, and with
--seeds 0 the tables show what is there. Errors and unrest are compared by ratios, seed by seed.
"""

import argparse
import math
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from runs import is_finished, train_all, train_once

from lsgan.review.statistics import Paired, paired
from lsgan.tracking.run_record import RunRecord

LOSSES = {"above": (0.0, 1.0, 1.0), "at": (-1.0, 1.0, 0.0), "below": (-1.0, 1.0, -0.5)}  # where c is


class Part(NamedTuple):
    """A data set on which it is tried.

    Args:
        overrides: what is typed behind `python train.py`.
        steps: unless --steps says otherwise.
        r1_gamma: R1's weight, of the runs that have it.
        columns: those of metrics.jsonl that are errors: smaller is better, above 0.
        others: more columns of the last row, shown for each cell.
    """

    overrides: Sequence[str]
    steps: int
    r1_gamma: float
    columns: Sequence[str]
    others: Sequence[str]


PARTS = {
    "digits": Part(
        ("dataset=digits", "dataset.resolution=16"), 1200, 10.0, ("metric/mind", "raw/mind"), ("metric/recall",)
    ),
    "mixture": Part(
        ("dataset=gaussian_ring", "dataset.std=0.1", "batch_size=256"),
        3000,
        0.1,
        ("metric/mind", "raw/mind"),
        ("metric/modes", "raw/modes"),
    ),
}
UNREST = "unrest"

Values = dict[int, dict[str, float]]  # seed -> column -> value


def main() -> None:
    """Trains what is not there yet, prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="part", help=", ".join(PARTS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("runs-dirac"))
    options = parser.parse_args()
    print(f"{date.today()}, {platform.machine()}, torch {torch.__version__}, CPU, one thread a run")
    for name in options.parts:
        steps = options.steps or PARTS[name].steps
        study = f"{name}-{steps}"
        cells = [(where, has_r1) for where in LOSSES for has_r1 in (False, True)]
        runs = [(options.folder, study, name, steps, *cell, seed) for seed in range(options.seeds) for cell in cells]
        train_all(train, runs, options.jobs)
        found = {cell: read(options.folder / study, PARTS[name], *cell) for cell in cells}
        print(f"\n{name}: {' '.join(PARTS[name].overrides)}, {steps} steps, R1 with gamma {PARTS[name].r1_gamma:g}")
        for table in (summary(found, PARTS[name]), ratios(found, PARTS[name])):
            Console(width=200).print(table)


def train(folder: Path, study: str, part: str, steps: int, where: str, has_r1: bool, seed: int) -> None:
    """One run at folder/study/<where>-<penalty>-s<seed>, if it is not there."""
    a, b, c = LOSSES[where]
    loss = ("loss=lsgan", f"loss.a={a}", f"loss.b={b}", f"loss.c={c}")
    penalty = ("penalty=r1", f"penalty.r1_gamma={PARTS[part].r1_gamma}") if has_r1 else ("penalty=none",)
    pace = (f"steps={steps}", "log_every=10", "observe=[numbers,metrics]", f"seed={seed}")
    train_once(folder, study, _name(where, has_r1, seed), (*PARTS[part].overrides, *loss, *penalty, *pace))


def _name(where: str, has_r1: bool, seed: int | str) -> str:
    return f"{where}-{'r1' if has_r1 else 'none'}-s{seed}"


def read(study: Path, part: Part, where: str, has_r1: bool) -> Values:
    """Of the finished runs of a cell."""
    found = {}
    for run in study.glob(_name(where, has_r1, "*")):
        if is_finished(run):
            rows, (a, b, _) = RunRecord(run).rows, LOSSES[where]
            last = {column: rows[-1][column] for column in (*part.columns, *part.others)}
            found[int(run.name.rpartition("-s")[2])] = last | {UNREST: unrest(rows, b - a)}
    return dict(sorted(found.items()))


def unrest(rows: Sequence[Mapping[str, float]], scale: float) -> float:
    """The standard deviation of D's mean output on fakes over the second half of a run, in units of b - a."""
    means = [row["logits/fake_mean"] for row in rows[len(rows) // 2 :]]
    return statistics.pstdev(means) / scale


# What is shown


def summary(found: Mapping[tuple[str, bool], Values], part: Part) -> Table:
    """One row a cell: geometric means of errors and unrest, means of the others, smallest to largest of the seeds."""
    columns = (*part.columns, UNREST, *part.others)
    shown = Table("(a, b, c)", "R1", "seeds", *columns, box=box.MARKDOWN)
    for (where, has_r1), by_seed in found.items():
        if by_seed:
            cells = (
                _spread([value[c] for value in by_seed.values()], _mean if c in part.others else _geometric)
                for c in columns
            )
            shown.add_row(_triple(where), "yes" if has_r1 else "no", str(len(by_seed)), *cells)
    return shown


def ratios(found: Mapping[tuple[str, bool], Values], part: Part) -> Table:
    """With R1 over without it, of each loss, and each loss's ratio over that of the Pearson triple; 95% intervals."""
    shown = Table("column", "ratio", "pairs", "geometric mean (95%)", "p", box=box.MARKDOWN)
    for column in (*part.columns, UNREST):
        effects = {where: _effects(found, where, column) for where in LOSSES}
        for where, effect in effects.items():
            if len(effect) > 1:
                compared = paired(list(effect.values()), [0.0] * len(effect))
                shown.add_row(column, f"R1 / none, {_triple(where)}", *_told(compared))
        for where in ("above", "below"):
            seeds = sorted(effects[where].keys() & effects["at"].keys())
            if len(seeds) > 1:
                compared = paired([effects[where][seed] for seed in seeds], [effects["at"][seed] for seed in seeds])
                shown.add_row(column, f"that of {_triple(where)} / that of {_triple('at')}", *_told(compared))
    return shown


def _effects(found: Mapping[tuple[str, bool], Values], where: str, column: str) -> dict[int, float]:
    """Seed -> logarithm of the value with R1 over the value without it."""
    without, with_r1 = found[where, False], found[where, True]
    seeds = sorted(without.keys() & with_r1.keys())
    return {seed: math.log(with_r1[seed][column] / without[seed][column]) for seed in seeds}


def _told(compared: Paired) -> tuple[str, str, str]:
    low, high = compared.interval
    return (
        str(compared.num),
        f"{math.exp(compared.mean):.2f} ({math.exp(low):.2f} to {math.exp(high):.2f})",
        f"{compared.p:.2g}",
    )


def _triple(where: str) -> str:
    return "({:g}, {:g}, {:g})".format(*LOSSES[where])


def _spread(values: Sequence[float], middle: Callable[[Sequence[float]], float]) -> str:
    return f"{middle(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values)


def _geometric(values: Sequence[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


if __name__ == "__main__":
    main()
