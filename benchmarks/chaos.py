"""Kills trainings at random moments, resumes them by the same command, and compares them with undisturbed ones.

    python benchmarks/chaos.py [--kills 100] [--steps 400] [--seed 0]

The kills are shared out among experiments of all kinds. Each of them is trained once in one go, then once with a
SIGKILL at random moments: while it starts, while it trains, while it writes a checkpoint.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 5.0  # about, from the command to the first step
SMALL = ("dataset=digits", "architecture.width=8", "batch_size=16")
EXPERIMENTS = {
    "lsgan_b1c0a-1": SMALL,
    "lsgan_b1c1a0, r1": (*SMALL, "loss=lsgan_b1c1a0", "penalty=r1"),
    "nsgan, lsgan_gp": (*SMALL, "loss=nsgan", "penalty=lsgan_gp"),
    "wgan, wgan_gp": (*SMALL, "loss=wgan", "discriminator_steps=2"),
    "hinge, rmsprop": (*SMALL, "loss=hinge", "optimizer=rmsprop"),
    "conditional, flips": (*SMALL, "architecture=dcgan_small_conditional", "dataset.flip=true"),
    "points, minimax": ("dataset=gaussian_ring", "loss=minimax", "batch_size=64"),
}


@dataclass
class Result:
    """What happened to one experiment."""

    kills: int = 0
    in_a_checkpoint: int = 0
    in_the_start: int = 0
    steps_lost: int = 0
    same_weights: bool = False
    same_rows: bool = False


def main() -> None:
    """Runs everything and prints the table; exits with 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    shares = [options.kills * (i + 1) // len(EXPERIMENTS) for i in range(len(EXPERIMENTS))]
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for (name, overrides), before, after in zip(EXPERIMENTS.items(), [0, *shares], shares, strict=False):
            results[name] = torment(overrides, Path(folder) / str(before), after - before, options.steps, draw)
            print(f"{name}: {results[name]}", flush=True)
    Console(width=110).print(table(results))
    sys.exit(not all(result.same_weights and result.same_rows for result in results.values()))


def torment(overrides: tuple[str, ...], folder: Path, kills: int, steps: int, draw: random.Random) -> Result:
    """One experiment: undisturbed, then with `kills` kills."""
    folder.mkdir()
    fixed = (f"steps={steps}", "log_every=1", f"sample_every={steps // 4}", "checkpoint_every=10", "tracker=none")
    command = [sys.executable, str(ROOT / "train.py"), *overrides, *fixed, "study=chaos"]
    whole, killed = (folder / "runs" / "chaos" / name for name in ("whole", "killed"))
    start = time.perf_counter()
    subprocess.run([*command, "run=whole"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    result = Result()
    while result.kills < kills:
        begun = log_size(killed)
        process = subprocess.Popen([*command, "run=killed"], cwd=folder, stdout=subprocess.DEVNULL)
        if draw.random() < 0.9:  # the others are killed anywhere in the start, too
            while process.poll() is None and log_size(killed) == begun:
                time.sleep(0.005)
            longest = max(0.5, (seconds - START_SECONDS) / 2)
        else:
            longest = START_SECONDS
        try:
            process.wait(draw.uniform(0, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            note_kill(result, killed, in_the_start=log_size(killed) == begun)
        if process.returncode == 0:  # it had ended: once more from the start
            check(whole, killed, result)
            shutil.rmtree(killed)
    subprocess.run([*command, "run=killed"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    check(whole, killed, result)
    return result


def log_size(run: Path) -> int:
    """Of train.log, which grows when the training begins."""
    path = run / "train.log"
    return path.stat().st_size if path.exists() else 0


def note_kill(result: Result, run: Path, in_the_start: bool) -> None:
    """What the kill has cost."""
    result.kills += 1
    result.in_a_checkpoint += any((run / "checkpoints").glob("*.part")) if (run / "checkpoints").exists() else 0
    result.in_the_start += in_the_start
    if not in_the_start:
        result.steps_lost += last_step(run) - last_checkpoint(run)


def last_step(run: Path) -> int:
    """Of the last whole row of metrics.jsonl."""
    path = run / "metrics.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return json.loads(lines[-1])["step"] if lines else 0


def last_checkpoint(run: Path) -> int:
    """Its step; 0 if there is none."""
    return max((int(path.stem[5:]) for path in (run / "checkpoints").glob("step-*.pt")), default=0)


def check(whole: Path, killed: Path, result: Result) -> None:
    """Compares the last checkpoints bit for bit, and the rows but for the speed."""
    name = f"checkpoints/step-{last_checkpoint(whole):06d}.pt"
    result.same_weights = same(*(torch.load(run / name, weights_only=True) for run in (whole, killed)))
    result.same_rows = rows(whole) == rows(killed)
    if not (result.same_weights and result.same_rows):
        sys.exit(f"{killed} differs from {whole}")


def rows(run: Path) -> list[dict[str, Any]]:
    """The metrics without the speed."""
    parsed = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "images_per_second"} for row in parsed]


def same(one: Any, other: Any) -> bool:
    """Equal bit for bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def table(results: dict[str, Result]) -> Table:
    """One row an experiment, and their sum."""
    shown = Table("experiment", "kills", "in a checkpoint", "in the start", "steps done again", "weights", "rows")
    for name, result in results.items():
        shown.add_row(
            name,
            str(result.kills),
            str(result.in_a_checkpoint),
            str(result.in_the_start),
            str(result.steps_lost),
            "equal" if result.same_weights else "DIFFERENT",
            "equal" if result.same_rows else "DIFFERENT",
        )
    shown.add_row("all", str(sum(result.kills for result in results.values())))
    return shown


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
