"""Does R1 do to networks what DiracGAN says? R1 × (a, b, c), paired seeds: same data, noise and first weights.

    python benchmarks/dirac.py [digits mixture] [--seeds 6] [--steps N] [--jobs 1] [--folder runs-dirac]

By DiracGAN (docs/dirac.md) R1 helps where c is above the middle of a and b, and slows where it is at the middle. Each
run is what `python train.py` does, with one thread; a run that is in the folder already is not trained again, and with
--seeds 0 the tables show what is there. Errors and unrest are compared by ratios, seed by seed. Below the middle, with
R1, it says what D answers in the end: c to fakes, a + b - c to real samples, and a penalty of (m - c)(c - a).
"""

import argparse
import itertools
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
        gammas: R1's weights; 0, the first, is no penalty.
        errors: columns of metrics.jsonl of which smaller is better; above 0.
        others: more columns of the last row, shown for each cell.
    """

    overrides: Sequence[str]
    steps: int
    gammas: Sequence[float]
    errors: Sequence[str]
    others: Sequence[str]


ERRORS = ("metric/mind", "raw/mind")
PARTS = {
    "digits": Part(("dataset=digits", "dataset.resolution=16"), 1200, (0.0, 1.0, 10.0), ERRORS, ("metric/recall",)),
    "mixture": Part(
        ("dataset=gaussian_ring", "dataset.std=0.1", "batch_size=256"), 1000, (0.0, 0.1), ERRORS, ("metric/modes",)
    ),
}
UNREST = "unrest"
SETTLED = {"D(real)": "logits/real_mean", "D(fake)": "logits/fake_mean", "penalty": "loss/penalty"}

Cell = tuple[str, float]  # where c is, R1's weight
Values = dict[int, dict[str, float]]  # seed -> column -> value


def main() -> None:
    """Trains what is not there yet, prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="part", help=", ".join(PARTS))
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("runs-dirac"))
    options = parser.parse_args()
    print(f"{date.today()}, {platform.machine()}, torch {torch.__version__}, CPU, one thread a run")
    for name in options.parts:
        steps = options.steps or PARTS[name].steps
        study = f"{name}-{steps}"
        cells = [(where, gamma) for gamma in PARTS[name].gammas for where in LOSSES]
        runs = [(options.folder, study, name, steps, *cell, seed) for seed in range(options.seeds) for cell in cells]
        train_all(train, runs, options.jobs)
        found = {cell: read(options.folder / study, PARTS[name], cell) for cell in cells}
        print(f"\n{name}: {' '.join(PARTS[name].overrides)}, {steps} steps")
        for table in (summary(found, PARTS[name]), ratios(found, PARTS[name])):
            Console(width=240).print(table)


def train(folder: Path, study: str, part: str, steps: int, where: str, gamma: float, seed: int) -> None:
    """One run at folder/study/<where>-<gamma>-s<seed>, if it is not there."""
    a, b, c = LOSSES[where]
    loss = ("loss=lsgan", f"loss.a={a}", f"loss.b={b}", f"loss.c={c}")
    penalty = ("penalty=r1", f"penalty.r1_gamma={gamma}") if gamma else ("penalty=none",)
    pace = (f"steps={steps}", "log_every=10", "observe=[numbers,metrics]", f"seed={seed}")
    train_once(folder, study, _name((where, gamma), seed), (*PARTS[part].overrides, *loss, *penalty, *pace))


def _name(cell: Cell, seed: int | str) -> str:
    return f"{cell[0]}-{cell[1]:g}-s{seed}"


def read(study: Path, part: Part, cell: Cell) -> Values:
    """Of the finished runs of a cell."""
    found = {}
    for run in study.glob(_name(cell, "*")):
        if is_finished(run):
            rows, (a, b, _) = RunRecord(run).rows, LOSSES[cell[0]]
            last = {column: rows[-1][column] for column in (*part.errors, *part.others)}
            half = rows[len(rows) // 2 :]
            settled = {name: statistics.fmean(row[column] for row in half) for name, column in SETTLED.items()}
            unrest = statistics.pstdev(row["logits/fake_mean"] for row in half) / (b - a)
            found[int(run.name.rpartition("-s")[2])] = last | settled | {UNREST: unrest}
    return dict(sorted(found.items()))


# What is shown


def summary(found: Mapping[Cell, Values], part: Part) -> Table:
    """One row a cell: geometric means of errors and unrest, means of the rest, smallest to largest of the seeds.

    Unrest is the standard deviation of D's mean output on fakes over the second half of a run, in units of b - a; D's
    mean outputs and the penalty are means over that half.
    """
    geometric, plain = (*part.errors, UNREST), (*part.others, *SETTLED)
    shown = Table("(a, b, c)", "R1", "seeds", *geometric, *plain, box=box.MARKDOWN)
    for (where, gamma), by_seed in found.items():
        if by_seed:
            cells = [_spread([value[name] for value in by_seed.values()], _geometric) for name in geometric]
            cells += [_spread([value[name] for value in by_seed.values()], statistics.fmean) for name in plain]
            shown.add_row(_triple(where), f"{gamma:g}", str(len(by_seed)), *cells)
    return shown


def ratios(found: Mapping[Cell, Values], part: Part) -> Table:
    """With R1 over without it, of each loss, and each loss's ratio over that of the Pearson triple; 95% intervals."""
    shown = Table("column", "R1", "ratio", "pairs", "geometric mean (95%)", "p", box=box.MARKDOWN)
    for column, gamma in itertools.product((*part.errors, UNREST), part.gammas[1:]):
        effects = {where: _effects(found, where, gamma, column) for where in LOSSES}
        for where, effect in effects.items():
            if len(effect) > 1:
                compared = paired(list(effect.values()), [0.0] * len(effect))
                shown.add_row(column, f"{gamma:g}", f"R1 / none, {_triple(where)}", *_told(compared))
        for where in ("above", "below"):
            seeds = sorted(effects[where].keys() & effects["at"].keys())
            if len(seeds) > 1:
                compared = paired([effects[where][seed] for seed in seeds], [effects["at"][seed] for seed in seeds])
                name = f"that of {_triple(where)} / that of {_triple('at')}"
                shown.add_row(column, f"{gamma:g}", name, *_told(compared))
    return shown


def _effects(found: Mapping[Cell, Values], where: str, gamma: float, column: str) -> dict[int, float]:
    """Seed -> logarithm of the value with R1 over the value without it."""
    without, with_r1 = found[where, 0.0], found[where, gamma]
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


def _geometric(values: Sequence[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


if __name__ == "__main__":
    main()
