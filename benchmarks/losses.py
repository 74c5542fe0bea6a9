"""What G's exponent and the pairing of real and fake samples cost, and what becomes of the digits with them.

    python benchmarks/losses.py [--seeds 3] [--steps 300] [--jobs 1] [--folder runs-losses] [--rounds 15]

The cost is the processor time of a training step on one thread, a ratio in each of several rounds in which all take
turns: other work on the machine disturbs it little, and its load is told. The digits are those of
`train.py loss=… steps=…`; paired seeds: same images, noise and first weights. A run that is in the folder already is
not trained again; with --seeds 0 nothing is trained, with --rounds 0 nothing is timed.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from runs import is_finished, train_all, train_once
from train_step import CASES, experiment_of, our_step

from lsgan.tracking.run_record import RunRecord

LOSSES: dict[str, Sequence[str]] = {
    "k = 2": ("loss=lsgan_b1c0a-1",),
    "k = 1": ("loss=lsgan_b1c0a-1", "loss.k=1"),
    "k = 1.5": ("loss=lsgan_b1c0a-1", "loss.k=1.5"),
    "k = 3": ("loss=lsgan_b1c0a-1", "loss.k=3"),
    "Rp, c = 0": ("loss=lsgan_rp",),
    "Rp, c = 1": ("loss=lsgan_rp", "loss.c=1"),
    "Ra, c = 0": ("loss=lsgan_ra",),
    "Ra, c = 1": ("loss=lsgan_ra", "loss.c=1"),
}
PLAIN = "k = 2"
TIMED = (PLAIN, "k = 3", "Rp, c = 0", "Ra, c = 0")
CASE = "digits 32×32, batch 32"
TIMED_AS = (*CASES[CASE], "runtime.device=cpu", "runtime.threads=1")
STEPS = 20  # of each loss in each round
COLUMNS = ("metric/mind", "raw/mind", "metric/fid", "diversity/fake", "loss/discriminator", "loss/generator")


def main() -> None:
    """Times the steps, trains what is not there yet, prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("runs-losses"))
    parser.add_argument("--rounds", type=int, default=15, help="0, or at least 2")
    options = parser.parse_args()
    print(f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, CPU, one thread")
    if options.rounds:
        Console(width=120).print(cost(options.rounds, STEPS))
    folder = options.folder / f"steps-{options.steps}"
    runs = [(folder, options.steps, name, seed) for seed in range(options.seeds) for name in LOSSES]
    train_all(train, runs, options.jobs)
    Console(width=200).print(quality(folder))


def cost(rounds: int, steps: int) -> Table:
    """Processor time of a step, and the median (quartiles over the rounds) of its ratio to that of PLAIN."""
    times: dict[str, list[float]] = {name: [] for name in TIMED}
    with ExitStack() as stack:
        loops = {name: stack.enter_context(our_step(experiment_of([*TIMED_AS, *LOSSES[name]]))) for name in TIMED}
        for _ in range(rounds + 1):  # the first one warms up
            for name, step in loops.items():
                start = time.process_time()
                for _ in range(steps):
                    step()
                times[name].append((time.process_time() - start) / steps)
    load = os.getloadavg()[0]
    table = Table("loss", "ms a step", "× k = 2", title=f"{CASE}; {rounds} rounds of {steps} steps; load {load:.1f}")
    for name in TIMED:
        ratios = [own / plain for plain, own in zip(times[PLAIN][1:], times[name][1:], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        told = "" if name == PLAIN else f"{middle:.3f} ({low:.3f} to {high:.3f})"
        table.add_row(name, f"{1000 * statistics.median(times[name][1:]):.1f}", told)
    return table


def train(folder: Path, steps: int, name: str, seed: int) -> None:
    """One run on digits, judged at its end by all of them."""
    what = (f"steps={steps}", f"seed={seed}", "observe=[default,metrics]", f"observe.metrics.every={steps}")
    train_once(folder.parent, folder.name, run_name(name, seed), (*what, "log_every=50", *LOSSES[name]))


def run_name(name: str, seed: int) -> str:
    """Of a folder."""
    return f"{name.replace(', ', '-').replace(' = ', '')}-s{seed}"


def quality(folder: Path) -> Table:
    """Mean (least to most over the seeds) of what the last row of the runs says."""
    table = Table("loss", "seeds", *COLUMNS, title=f"digits, {folder.name}")
    for name in LOSSES:
        paths = [path for path in sorted(folder.glob(f"{run_name(name, 0)[:-1]}*")) if is_finished(path)]
        rows = [RunRecord(path).rows[-1] for path in paths]
        table.add_row(name, str(len(rows)), *(_spread([row[column] for row in rows]) for column in COLUMNS))
    return table


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    numbers = (statistics.mean(values), min(values), max(values))
    mean, least, most = (f"{number:,.0f}" if number >= 100 else f"{number:.2g}" for number in numbers)
    return f"{mean} ({least} to {most})"


if __name__ == "__main__":
    main()
