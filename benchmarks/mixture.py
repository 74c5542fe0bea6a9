"""The Gaussian mixture: which recipe and which loss cover the ring? Paired seeds: same data, noise and first weights.

    python benchmarks/mixture.py [--seeds 10] [--steps 6000] [--jobs 1] [--folder runs-mixture] [--picture mixture.jpg]

A run that is in the folder already is not trained again. With --seeds 0 nothing is trained: the tables and the picture
show the runs that are there. Each number is a mean over the last checkpoints of a run.
"""

import argparse
import math
import platform
import statistics
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.table import Table
from runs import is_finished, train_all, train_once
from scipy import stats
from torch import Tensor

from lsgan import config
from lsgan.data.sets.gaussian_ring import GaussianRing
from lsgan.evaluation.mixtures import coverage
from lsgan.streams import stream
from lsgan.training.checkpoints import load

RECIPES: dict[str, Sequence[str]] = {  # what is typed behind experiment=paper_gaussian_mixture
    "authors": (
        "updates=simultaneous",
        "dataset.weights=[1,1,2,1,1,1,1,1]",
        "architecture.init=uniform",
        "optimizer.eps=3.90625e-11",  # their loss is 256 times ours: to Adam the same as an eps of 1e-8 / 256
    ),
    "ours": (),
    "d1e-3": ("optimizer.discriminator.lr=1.0e-3",),
}
LOSSES = ("lsgan_b1c1a0", "nsgan", "lsgan_b1c0a-1", "minimax")
EVALUATIONS = 5  # checkpoints, of the last fifth: G hops between modes, and one moment says little
NUM_SAMPLES = 5120
BANDWIDTH = 0.14  # of the density in the authors' figure: 14 std of a mode
AXIS = torch.linspace(-1.5, 1.5, 121)

Cell = tuple[str, str]  # recipe, loss
Scores = dict[str, float]
MEASURES = ("modes", "modes, averaged G", "within 3 std, %", "within 3 std, averaged G, %", "places")


def main() -> None:
    """Trains what is not there yet, prints the tables, draws the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("runs-mixture"))
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=RECIPES)
    parser.add_argument("--losses", nargs="+", default=list(LOSSES), choices=LOSSES)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    folder = options.folder / f"steps-{options.steps}"
    cells = [(recipe, loss) for recipe in options.recipes for loss in options.losses]
    runs = [(folder, options.steps, *cell, seed) for seed in range(options.seeds) for cell in cells]
    train_all(train, runs, options.jobs)
    found = {cell: {seed: scores(run) for seed, run in finished(folder, cell).items()} for cell in cells}
    print(f"{date.today()}, {platform.machine()}, torch {torch.__version__}, CPU, one thread; {options.steps} steps")
    for table in (summary(found), contrasts(found)):
        Console(width=200).print(table)
    if options.picture:
        draw(folder, cells, options.picture)


def train(folder: Path, steps: int, recipe: str, loss: str, seed: int) -> None:
    """One run at folder/<recipe>-<loss>-s<seed>, if it is not there."""
    pace = (f"steps={steps}", f"checkpoint_every={steps // 20}", f"keep_checkpoints={EVALUATIONS}", "log_every=100")
    what = ("experiment=paper_gaussian_mixture", f"loss={loss}", f"seed={seed}", "runtime.precision=fp32")
    train_once(folder.parent, folder.name, f"{recipe}-{loss}-s{seed}", (*what, *RECIPES[recipe], *pace))


def finished(folder: Path, cell: Cell) -> dict[int, Path]:
    """Seed -> run."""
    runs = {int(run.name.rpartition("-s")[2]): run for run in folder.glob(f"{'-'.join(cell)}-s*")}
    return {seed: run for seed, run in sorted(runs.items()) if is_finished(run)}


# How a run is judged


@cache
def scores(run: Path) -> Scores:
    """Means over the evaluations; `covers` is whether the median one has all modes, by the averaged G."""
    ring, evaluations = samples_of(run)
    raw, averaged = ([coverage(samples, ring) for samples in column] for column in zip(*evaluations, strict=True))
    return {
        "modes": statistics.mean(score.modes for score in raw),
        "modes, averaged G": statistics.mean(score.modes for score in averaged),
        "within 3 std, %": 100 * statistics.mean(score.quality for score in raw),
        "within 3 std, averaged G, %": 100 * statistics.mean(score.quality for score in averaged),
        "places": statistics.mean(places(ring, samples) for samples, _ in evaluations),
        "covers": statistics.median(score.modes for score in averaged) == ring.modes,
    }


def samples_of(run: Path) -> tuple[GaussianRing, list[tuple[Tensor, Tensor]]]:
    """The ring, and [NUM_SAMPLES, 2] of G and of its average at each checkpoint, with the same noise for all runs."""
    experiment = config.assemble(config.load(run))
    z = experiment.recipe.latent.sample(NUM_SAMPLES, stream(0, "judged"))
    found = []
    for path in sorted((run / "checkpoints").glob("step-*.pt"))[-EVALUATIONS:]:
        load(path, experiment.state)
        with torch.no_grad():
            found.append((experiment.state.generator(z), experiment.state.generator_ema.module(z)))
    return experiment.dataset, found


def density(samples: Tensor) -> Tensor:
    """Of points [N, 2], estimated with Gaussian kernels of BANDWIDTH: [x, y] on a grid of AXIS by AXIS."""
    across, along = (torch.exp(-((AXIS[:, None] - part) ** 2) / (2 * BANDWIDTH**2)) for part in samples.T)
    return across @ along.T / (2 * math.pi * BANDWIDTH**2 * len(samples))


def places(ring: GaussianRing, samples: Tensor) -> int:
    """The modes of which the authors' figure shows something.

    That is a local maximum of the density no further from the mode than the bandwidth, and at least a quarter as high
    as that of the real points there.
    """
    values = density(samples)
    highest = torch.nn.functional.max_pool2d(values[None], 3, stride=1, padding=1)[0]
    peaks = (values == highest).nonzero()
    near = torch.cdist(AXIS[peaks], ring.centres) <= BANDWIDTH  # [peaks, modes]
    wanted = ring.shares / (2 * math.pi * (BANDWIDTH**2 + ring.std**2)) / 4
    high = values[tuple(peaks.T)][:, None] >= wanted
    return int((near & high).any(dim=0).sum())


# What is shown


def summary(found: dict[Cell, dict[int, Scores]]) -> Table:
    """One row a cell: mean, and smallest to largest over the seeds."""
    shown = Table("recipe", "loss", "seeds", "cover all", *MEASURES, box=box.MARKDOWN)
    for (recipe, loss), by_seed in found.items():
        if by_seed:
            columns = ([score[measure] for score in by_seed.values()] for measure in MEASURES)
            spreads = (f"{statistics.mean(c):.1f} ({min(c):.1f} to {max(c):.1f})" for c in columns)
            covering = sum(score["covers"] for score in by_seed.values())
            shown.add_row(recipe, loss, str(len(by_seed)), f"{covering:.0f}", *spreads)
    return shown


def contrasts(found: dict[Cell, dict[int, Scores]]) -> Table:
    """Of pairs of cells, differences seed by seed: mean, Student's 95% interval, and an exact sign test."""
    shown = Table(
        "first", "second", "measure", "pairs", "first - second (95%)", "larger, smaller", "p", box=box.MARKDOWN
    )
    first_loss = LOSSES[0]
    pairs = [((recipe, first_loss), (recipe, loss)) for recipe in RECIPES for loss in LOSSES[1:]]
    pairs += [(("d1e-3", loss), ("ours", loss)) for loss in LOSSES]
    pairs += [(("authors", loss), ("ours", loss)) for loss in LOSSES]
    for first, second in pairs:
        one, other = found.get(first, {}), found.get(second, {})
        seeds = sorted(one.keys() & other.keys())
        for measure in ("modes", "within 3 std, %", "places") if len(seeds) > 1 else ():
            differences = [one[seed][measure] - other[seed][measure] for seed in seeds]
            shown.add_row(" ".join(first), " ".join(second), measure, str(len(seeds)), *compared(differences))
    return shown


def compared(differences: Sequence[float]) -> tuple[str, str, str]:
    """Mean and interval, how many are above and below 0, and how likely that is if neither side were better."""
    mean, num = statistics.mean(differences), len(differences)
    half = stats.t.ppf(0.975, num - 1) * statistics.stdev(differences) / math.sqrt(num)
    above, below = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    p = stats.binomtest(above, above + below).pvalue if above + below else 1.0
    return f"{mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f})", f"{above}, {below}", f"{p:.2g}"


def draw(folder: Path, cells: Sequence[Cell], path: Path, seed: int = 0) -> None:
    """A column a recipe, a row a loss: the raw G's points at the end of one seed, their density, and the modes."""
    recipes, losses = (list(dict.fromkeys(column)) for column in zip(*cells, strict=True))
    size = (2.6 * len(recipes), 2.75 * len(losses))
    canvas = FigureCanvasAgg(Figure(figsize=size, dpi=100, layout="constrained"))
    grid = canvas.figure.subplots(len(losses), len(recipes), squeeze=False)
    for recipe, loss in cells:
        axes = grid[losses.index(loss), recipes.index(recipe)]
        axes.set(xticks=[], yticks=[], xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal")
        axes.set_title(f"{recipe}, {loss}", fontsize=8)
        run = finished(folder, (recipe, loss)).get(seed)
        if run is not None:
            ring, evaluations = samples_of(run)
            points, extent = evaluations[-1][0], (AXIS[0], AXIS[-1]) * 2
            axes.imshow(density(points).T, origin="lower", extent=extent, cmap="Greens", aspect="equal")
            axes.scatter(*points[:1000].T, s=1.5, linewidths=0, color="black")
            axes.scatter(*ring.centres.T, s=40, facecolors="none", edgecolors="tab:red", linewidths=0.7)
    canvas.figure.savefig(path)


if __name__ == "__main__":
    main()
