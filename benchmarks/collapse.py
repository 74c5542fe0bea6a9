"""Does the watch for collapse cry wolf, and does it sleep? Healthy runs, and runs made to collapse or to let D win.

    python benchmarks/collapse.py [--seeds 10] [--jobs 2] [--folder runs-collapse] [case …]

Each run is what `python train.py` does, with one thread; a run that is in the folder already is not trained again.
The watch is then shown the rows of metrics.jsonl, as on a resume, so another setting can be tried on the same runs.
"""

import argparse
import json
import platform
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from runs import train_all, train_once

from lsgan import config
from lsgan.observe.collapse import COLLAPSED, CollapseWatch
from lsgan.observe.collapse import DISCRIMINATOR_WON as WON


class Case(NamedTuple):
    """What is typed behind `python train.py`, and the flag that the watch should raise; None: neither."""

    overrides: Sequence[str]
    flag: str | None


_SHORT = "steps=800"
_OTHER_RING = ("dataset=gaussian_ring", "loss=lsgan_b1c0a-1", "optimizer=adam", "latent=normal")  # than its own recipe
CASES = {
    "digits": Case(("steps=1500",), None),
    "digits-whole": Case((), None),
    "digits-b1c1a0": Case(("loss=lsgan_b1c1a0", "steps=1500"), None),
    "digits-nsgan": Case(("loss=nsgan", "steps=1500"), None),
    "ring": Case(("dataset=gaussian_ring",), None),
    "ring-other": Case((*_OTHER_RING, "steps=3000"), None),
    "digits-d-wins": Case(("optimizer.discriminator.lr=1.0e-3", "optimizer.generator.lr=1.0e-6", _SHORT), WON),
    "digits-one-sample": Case(
        ("architecture.generator_batch_norm=false", "optimizer.discriminator.lr=1.0e-5", _SHORT), COLLAPSED
    ),
    "ring-d-wins": Case((*_OTHER_RING, "optimizer.generator.lr=0.5", "steps=4000"), WON),
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
    train_all(train, ((options.folder, *run) for run in runs), options.jobs)
    print(f"{date.today()}, {platform.machine()}, torch {torch.__version__}, CPU, one thread a run")
    Console(width=120).print(table(options.folder, options.cases, options.seeds))


def train(folder: Path, case: str, seed: int) -> None:
    """One run at folder/case/seed, if it is not there."""
    train_once(folder, case, str(seed), (*CASES[case].overrides, f"seed={seed}"))


def alarm_steps(run: Path) -> dict[str, int]:
    """The step at which the watch, as set in the run's config, raises each flag that it raises."""
    settings = config.check(config.load(run))
    watch = CollapseWatch(settings.on_collapse, settings.collapse_steps, settings.collapse_diversity)
    reference, found = config.build(settings, "loss").reference, {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        found |= dict.fromkeys(watch.read(row, reference), row["step"])
    return found


def table(folder: Path, cases: Sequence[str], seeds: int) -> Table:
    """One row a case: its seeds, alarms of another kind than wanted, misses, and the steps of the wanted alarms."""
    shown = Table("case", "train.py …", "seeds", "false alarms", "misses", "step of the alarm")
    for name in cases:
        case, found = CASES[name], [alarm_steps(folder / name / str(seed)) for seed in range(seeds)]
        raised = sorted(steps[case.flag] for steps in found if case.flag in steps)
        shown.add_row(
            name,
            " ".join(case.overrides),
            str(seeds),
            ", ".join(f"{num} {flag}" for flag, num in others(found, case.flag).items()) or "0",
            "" if case.flag is None else str(seeds - len(raised)),
            f"{raised[0]} to {raised[-1]}" if raised else "none",
        )
    return shown


def others(found: Sequence[dict[str, int]], wanted: str | None) -> Counter[str]:
    """How many runs raised which flag that they should not. Where G makes one sample D may well have won, too."""
    excused = {None: set(), WON: {WON}, COLLAPSED: {COLLAPSED, WON}}[wanted]
    return Counter(flag for steps in found for flag in steps if flag not in excused)


if __name__ == "__main__":
    main()
