"""Does bf16 train as well as fp32? Paired seeds: the same data, noise and first weights in either precision.

    python benchmarks/precision.py [--seeds 5] [--jobs 2] [--folder runs-precision] [case …]

Each run is what `python train.py` does, with one thread; a run that is in the folder already is not trained again.
Samples are drawn in fp32 from the average of G's weights, with the same noise for all runs.
"""

import argparse
import json
import platform
import statistics
from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table
from runs import train_all, train_once
from sklearn.decomposition import PCA
from sklearn.svm import SVC

from lsgan import config
from lsgan.data.sets.digits import Digits
from lsgan.evaluation.distances import fid
from lsgan.evaluation.mixtures import coverage
from lsgan.streams import stream
from lsgan.training.checkpoints import latest_checkpoint, load

PRECISIONS = ("fp32", "bf16")
NUM_SAMPLES = 1797  # as many as there are digits

Scores = dict[str, float]
Points = npt.NDArray[np.float64]  # [N, features]


class Case(NamedTuple):
    """What is typed behind `python train.py`, and how the samples are judged."""

    overrides: Sequence[str]
    judge: Callable[[config.Experiment, torch.Tensor, Path], Scores]


def main() -> None:
    """Trains what is not there yet, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="case", help=", ".join(CASES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("runs-precision"))
    options = parser.parse_args()
    runs = [
        (case, precision, seed) for case in options.cases for seed in range(options.seeds) for precision in PRECISIONS
    ]
    train_all(train, ((options.folder, *run) for run in runs), options.jobs)
    print(f"{date.today()}, {platform.machine()}, torch {torch.__version__}, CPU, one thread a run")
    shown = Table(
        "case", "metric", *(f"seed {seed}, fp32 → bf16" for seed in range(options.seeds)), "fp32: mean (spread)", "bf16"
    )
    for case in options.cases:
        add_rows(options.folder, case, options.seeds, shown)
    Console(width=150).print(shown)


def train(folder: Path, case: str, precision: str, seed: int) -> None:
    """One run at folder/case/precision-seed, if it is not there."""
    overrides = (*CASES[case].overrides, f"runtime.precision={precision}", f"seed={seed}", "log_every=100")
    train_once(folder, case, f"{precision}-{seed}", overrides)


def scores(run: Path, case: str) -> Scores:
    """Of the last checkpoint of a run."""
    experiment = config.assemble(config.load(run))
    checkpoint = latest_checkpoint(run / "checkpoints")
    assert checkpoint is not None  # a finished run has one
    load(checkpoint, experiment.state)
    z = experiment.recipe.latent.sample(NUM_SAMPLES, stream(0, "judged"))
    samples = torch.cat([experiment.state.generator_ema.module(part) for part in z.split(256)])
    return CASES[case].judge(experiment, samples, run)


def judge_points(experiment: config.Experiment, samples: torch.Tensor, run: Path) -> Scores:
    """How they cover the ring."""
    found = coverage(samples, experiment.dataset)
    return {"modes covered": found.modes, "within 3 std, %": 100 * found.quality, **losses(run)}


def judge_digits(experiment: config.Experiment, samples: torch.Tensor, run: Path) -> Scores:
    """Fréchet distance to the real digits in their 50 principal components; entropy of the classes an SVM sees."""
    real, components, svm = real_digits(experiment.dataset, experiment.settings.data_dir)
    fake = components.transform(samples.flatten(1).double().numpy())
    shares = np.bincount(svm.predict(fake), minlength=10) / len(fake)
    entropy = -sum(share * np.log(share) for share in shares if share > 0)
    distance = fid(torch.from_numpy(real), torch.from_numpy(fake))
    return {"Fréchet distance": distance, "entropy of the classes": entropy, **losses(run)}


def losses(run: Path) -> Scores:
    """Means over the last tenth of the run."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    last = rows[-max(1, len(rows) // 10) :]
    return {name: statistics.mean(row[name] for row in last) for name in ("loss/discriminator", "loss/generator")}


@cache
def real_digits(dataset: Digits, data_dir: Path) -> tuple[Points, PCA, SVC]:
    """The digits in their principal components, the components, and a classifier of them."""
    store = dataset.prepare(data_dir)
    pixels = np.asarray(store.images, np.float64).reshape(len(store.images), -1) / 127.5 - 1
    components = PCA(50, random_state=0).fit(pixels)
    real = components.transform(pixels)
    return real, components, SVC().fit(real, store.labels)


def add_rows(folder: Path, case: str, seeds: int, shown: Table) -> None:
    """One row a metric: each pair of runs, and mean and spread from seed to seed of either precision."""
    found = {name: [scores(folder / case / f"{name}-{seed}", case) for seed in range(seeds)] for name in PRECISIONS}
    for metric in found["fp32"][0]:
        fp32, bf16 = ([values[metric] for values in found[name]] for name in PRECISIONS)
        pairs = [f"{full:.4g} → {half:.4g}" for full, half in zip(fp32, bf16, strict=True)]
        spread = f"{statistics.mean(fp32):.4g} ({min(fp32):.4g} to {max(fp32):.4g})"
        shown.add_row(case, metric, *pairs, spread, f"{statistics.mean(bf16):.4g} ({min(bf16):.4g} to {max(bf16):.4g})")


CASES = {
    "digits": Case((), judge_digits),
    "mixture": Case(("dataset=gaussian_ring", "steps=3000"), judge_points),
}


if __name__ == "__main__":
    main()
