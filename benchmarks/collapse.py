"""Does the collapse watch cry wolf, and does it sleep? Healthy runs and runs made to collapse, several seeds each.

    python benchmarks/collapse.py [--seeds 10] [--jobs 2] [--folder runs-collapse] [case …]

Each run is `python train.py` with one thread; a run that is in the folder already is not trained again. The watch
is then shown the rows of metrics.jsonl, as on a resume, so another setting can be tried on the same runs.
"""

import argparse
import json
import platform
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from runs import train_once

from lsgan import config


class Case(NamedTuple):
    """What is typed behind `python train.py`, and whether the watch should speak."""

    overrides: Sequence[str]
    collapses: bool


_SHORT = "steps=800"
CASES = {
    "digits": Case(("steps=1500",), False),
    "digits-whole": Case((), False),
    "digits-b1c1a0": Case(("loss=lsgan_b1c1a0", "steps=1500"), False),
    "digits-nsgan": Case(("loss=nsgan", "steps=1500"), False),
    "ring": Case(("dataset=gaussian_ring", "steps=3000"), False),
    "digits-d-wins": Case(("optimizer.discriminator.lr=1.0e-3", "optimizer.generator.lr=1.0e-6", _SHORT), True),
    "digits-one-sample": Case(
        ("architecture.generator_batch_norm=false", "optimizer.discriminator.lr=1.0e-5", _SHORT), True
    ),
    "ring-d-wins": Case(("dataset=gaussian_ring", "optimizer.generator.lr=0.5", "steps=4000"), True),
}


def main() -> None:
    """Trains what is not there yet, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="case", help=", ".join(CASES))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("runs-collapse"))
    options = parser.parse_args()
    runs = [(name, seed) for seed in range(options.seeds) for name in options.cases]
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda run: train(options.folder, *run), runs))
    print(f"{date.today()}, {platform.machine()}, torch {torch.__version__}, CPU, one thread a run")
    Console(width=120).print(table(options.folder, options.cases, options.seeds))


def train(folder: Path, case: str, seed: int) -> None:
    """One run at folder/case/seed, if it is not there."""
    train_once(folder, case, str(seed), (*CASES[case].overrides, f"seed={seed}"))


def alarm_step(run: Path) -> int | None:
    """The step at which the watch, as set in the run's config, raises its alarm."""
    watch = config.assemble(config.load(run)).collapse_watch([])
    for line in (run / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        if watch.see(row) is not None:
            return row["step"]
    return None


def table(folder: Path, cases: Sequence[str], seeds: int) -> Table:
    """One row a case: its seeds, false alarms or misses, and the steps of the alarms."""
    shown = Table("case", "train.py …", "seeds", "false alarms", "misses", "step of the alarm")
    for name in cases:
        steps = [alarm_step(folder / name / str(seed)) for seed in range(seeds)]
        raised = sorted(step for step in steps if step is not None)
        case = CASES[name]
        shown.add_row(
            name,
            " ".join(case.overrides),
            str(seeds),
            "" if case.collapses else str(len(raised)),
            str(seeds - len(raised)) if case.collapses else "",
            f"{raised[0]} to {raised[-1]}" if raised else "none",
        )
    return shown


if __name__ == "__main__":
    main()
