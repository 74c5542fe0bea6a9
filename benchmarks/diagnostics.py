"""What the diagnostics of a run cost, and what they show.

    python benchmarks/diagnostics.py cost [--rounds 9]                     a table, in Markdown
    python benchmarks/diagnostics.py calibration                           what is read of two Gaussians
    python benchmarks/diagnostics.py picture <study folder> <picture>      trains four losses on digits, and draws

Cost: in turns some steps and one look of all diagnostics; the ratio is that of a look to the steps between two looks at
the default pace, in CPU seconds of the process, so that others on the machine disturb less. A tenth of the images is
held out: else there is less to look at. The picture's runs are of one seed; to call it again goes on with them.
"""

import argparse
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lsgan import config
from lsgan.evaluation.calibration import divergences
from lsgan.observe.observer import Finding, Look, Observers, Row
from lsgan.theory.divergences import triangular
from lsgan.theory.pairs import Array, OnLine
from lsgan.tracking.run_record import RunRecord
from lsgan.training.gan import Data, Gan
from lsgan.training.view import Clock, looking

ROOT = Path(__file__).resolve().parents[1]
DIAGNOSTICS = ("theory", "divergence", "overfit", "gradients", "outputs")
CASES = {
    "digits 32×32, batch 32 (the default)": ("dataset.held_out=0.1",),
    "DCGAN 64×64, batch 64": (
        "dataset.held_out=0.1",
        "dataset.resolution=64",
        "dataset.channels=3",
        "architecture=dcgan",
        "batch_size=64",
    ),
    "mixture MLP, batch 512": ("dataset=gaussian_ring",),
}
LOSSES = ("lsgan_b1c0a-1", "lsgan_b1c1a0", "nsgan", "minimax")
TARGETS = {"lsgan_b1c0a-1": (-1, 1), "lsgan_b1c1a0": (0, 1)}
QUANTILES = ("q05", "q25", "q50", "q75", "q95")
TOLD = ("divergence/triangular", "overfit/gap", "gradient/fake_median", "gradient/fake_vanishing")
STYLES = ("-", "--", "-.", ":")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # told apart by the colour-blind (Okabe and Ito)


def main() -> None:
    """Prints the table, or draws the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("cost").add_argument("--rounds", type=int, default=9)
    commands.add_parser("calibration").add_argument("--repetitions", type=int, default=100)
    picture = commands.add_parser("picture")
    picture.add_argument("study", type=Path)
    picture.add_argument("path", type=Path)
    picture.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    if options.command == "cost":
        cost(options.rounds)
    elif options.command == "calibration":
        calibration(options.repetitions)
    else:
        runs = {loss: trained(loss, options.study, options.steps) for loss in LOSSES}
        draw(runs).savefig(options.path, dpi=90)
        print(*table(runs), sep="\n")


def cost(rounds: int) -> None:
    """A row for each case: a step, a look, and the share of the latter at the default pace."""
    print(f"{date.today()}, CPU, {torch.get_num_threads()} thread, torch {torch.__version__}, {rounds} rounds\n")
    print("| run | precision | step, ms | look, ms | every | share of the run's time |\n|---|---|---|---|---|---|")
    for case, overrides in CASES.items():
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            experiment = config.assemble(compose("train", [*overrides, "tracker=none"]))
        settings, precision = experiment.settings, experiment.machine.precision.name
        steps, looks = zip(*turns(experiment, rounds), strict=True)
        every = settings.observe["divergence"]["every"]
        low, middle, high = statistics.quantiles((a / b / every for a, b in zip(looks, steps, strict=True)), n=4)
        times = " | ".join(f"{1000 * statistics.median(times):.1f}" for times in (steps, looks))
        share = f"{100 * middle:.1f}% ({100 * low:.1f} to {100 * high:.1f})"
        print(f"| {case} | {precision} | {times} | {every} | {share} |", flush=True)


def calibration(repetitions: int) -> None:
    """A row for each distance of two Gaussians: Δ, and what is read of it with so many samples of each side."""
    sizes, rng = (256, 512, 2048), np.random.default_rng(0)
    print(f"| true Δ | {' | '.join(f'read with {size} (spread; error told)' for size in sizes)} |\n|---|---|---|---|")
    for distance in (0.0, 1.0, 2.0, 4.0):
        pair = OnLine(density(distance / 2), density(-distance / 2), (-distance / 2, 0, distance / 2))
        cells = []
        for size in sizes:
            sides = (rng.normal([[distance / 2], [-distance / 2]], 1, (2, size)) for _ in range(repetitions))
            found = [divergences(real, fake) for real, fake in sides]  # the optimal D rises with x
            values = [one.triangular for one in found]
            error = statistics.mean(one.triangular_stderr for one in found)
            cells.append(f"{statistics.mean(values):.3f} ({statistics.stdev(values):.3f}; {error:.3f})")
        print(f"| {triangular(pair):.3f} | {' | '.join(cells)} |")


def density(mean: float) -> Callable[[Array], Array]:
    """The logarithm of a Gaussian's of width 1."""
    return lambda x: -((x - mean) ** 2) / 2 - math.log(2 * math.pi) / 2


def turns(experiment: config.Experiment, rounds: int) -> Iterator[tuple[float, float]]:
    """CPU seconds of one step and of one look, in turns; the first round warms up."""
    settings, machine = experiment.settings, experiment.machine
    machine.apply()
    batches = experiment.dataset.open(settings.data_dir, settings.batch_size, settings.seed, settings.device_cache_gb)
    gan = Gan(experiment.state, experiment.recipe, Data(experiment.dataset, batches, experiment.conditional), machine)
    observers = config.build_observers(settings)
    for turn in range(rounds + 1):
        num = max(5, 200 // settings.batch_size)
        steps = seconds(lambda: [gan.step() for _ in range(num)]) / num  # noqa: B023
        seen = gan.step()
        look = looking(gan, Clock(gan), seen)
        looked = seconds(lambda: observe(observers, look))  # noqa: B023
        if turn:
            yield steps, looked


def observe(observers: Observers, look: Look) -> Finding:
    """What the diagnostics find."""
    return observers.see(look, [name for name in observers.due(0) if name in DIAGNOSTICS])


def seconds(work: Callable[[], object]) -> float:
    """Of this process's CPU time."""
    start = time.process_time()
    work()
    return time.process_time() - start


def trained(loss: str, study: Path, steps: int) -> list[Row]:
    """The rows of a run on digits, a tenth of them held out."""
    command = [sys.executable, str(ROOT / "train.py"), f"loss={loss}", f"run={loss}", f"study={study.name}"]
    command += [
        f"runs_dir={study.parent}",
        f"steps={steps}",
        "sample_every=100",
        "dataset.held_out=0.1",
        "tracker=none",
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [row for row in RunRecord(study / loss).rows if "divergence/triangular" in row]


def draw(runs: dict[str, list[Row]]) -> Figure:
    """Four panels over the steps."""
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    axes = figure.subplots(2, 2).flat
    panels = (
        ("Divergence of held-out images and fakes: Δ, at least", "divergence/triangular", band_of_errors),
        ("D's overfit gap: training minus held-out images", "overfit/gap", band_of_errors),
        ("Gradient that a fake gives G: median, 10 to 90%", "gradient/fake_median", band_of_percentiles),
    )
    for ax, (title, column, band) in zip(axes, panels, strict=False):
        for (loss, rows), style, colour in zip(runs.items(), STYLES, COLOURS, strict=True):
            steps = [row["step"] for row in rows]
            ax.plot(steps, [row.get(column) for row in rows], style, color=colour, label=loss)
            ax.fill_between(steps, *band(rows, column), color=colour, alpha=0.15, linewidth=0)
        ax.set(title=title, xlabel="step")
    axes = figure.axes
    axes[0].axhline(2, color="grey", linewidth=0.8)
    axes[0].axhline(0, color="grey", linewidth=0.8)
    axes[1].axhline(0, color="grey", linewidth=0.8)
    axes[2].set(yscale="log")
    axes[0].legend(loc="lower left")
    outputs(axes[3], runs)
    return figure


def band_of_errors(rows: list[Row], column: str) -> tuple[list[float], list[float]]:
    """Two standard errors on either side."""
    pairs = [(row[column] or 0.0, row[f"{column}_stderr"] or 0.0) for row in rows]
    return [value - 2 * error for value, error in pairs], [value + 2 * error for value, error in pairs]


def band_of_percentiles(rows: list[Row], column: str) -> tuple[list[float], list[float]]:
    """From the 10th to the 90th."""
    low, high = ([row[f"gradient/fake_{name}"] or 0.0 for row in rows] for name in ("p10", "p90"))
    return low, high


def outputs(ax: Axes, runs: dict[str, list[Row]]) -> None:
    """The last look's quantiles of D's outputs, of either side, a row for each loss; a and b where it has them."""
    for place, (loss, rows) in enumerate(runs.items()):
        for side, colour, up in (("real", COLOURS[0], 0.12), ("fake", COLOURS[1], -0.12)):
            low, quarter, middle, other, high = (rows[-1][f"outputs/{side}_{name}"] or 0.0 for name in QUANTILES)
            ax.plot([low, high], [place + up] * 2, color=colour, linewidth=1.5)
            ax.plot([quarter, other], [place + up] * 2, color=colour, linewidth=6, label=None if place else side)
            ax.plot([middle], [place + up], "o", color="white", markersize=4, markeredgecolor=colour)
        for target in TARGETS.get(loss, ()):
            ax.plot([target] * 2, [place - 0.35, place + 0.35], color="black", linewidth=1)
    ax.set(title="D's outputs at the last step; lines: a and b", xlabel="D's output")
    ax.set_xscale("symlog", linthresh=1)
    ax.set_xticks([-10, -3, -1, 0, 1, 3, 10], ["-10", "-3", "-1", "0", "1", "3", "10"])
    ax.set_yticks(range(len(runs)), list(runs))
    ax.invert_yaxis()
    ax.legend(loc="upper right")


def table(runs: dict[str, list[Row]]) -> Iterator[str]:
    """The looks of each run's second half, in Markdown: the median, and the lowest and the highest."""
    yield f"| loss | {' | '.join(f'`{column}`' for column in TOLD)} |"
    yield f"|{'---|' * (len(TOLD) + 1)}"
    for loss, rows in runs.items():
        later = rows[len(rows) // 2 :]
        columns = ([row[column] or 0.0 for row in later] for column in TOLD)
        told = (f"{statistics.median(values):.2g} ({min(values):.2g} to {max(values):.2g})" for values in columns)
        yield f"| `{loss}` | {' | '.join(told)} |"


if __name__ == "__main__":
    main()
