"""How long a command takes to answer, and where the time goes from `python train.py` to the first training step.

    python benchmarks/startup.py [--rounds 5]

Wall-clock seconds of whole processes; a first round, which fills the caches, is not counted.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from train_step import processor

TRAIN = Path(__file__).resolve().parents[1] / "train.py"
COMMANDS = (
    ("--help",),
    ("--cfg", "job"),
    ("loss=lsgn",),
    ("optimizer.lrr=1",),
    ("steps=many",),
    ("loss.a=one",),
    ("dataset.resolution=30",),
    ("steps=1", "tracker=none"),
    ("steps=1",),
)
COMPLETION = ("-sc", "query=bash")
LIBRARIES = ("hydra", "torch", "torch._dynamo", "torchvision", "wandb")


def main() -> None:
    """Measures, prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(
        f"{date.today()}, {processor(torch.device('cpu'))}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, "
        f"torch {torch.__version__}; medians of {options.rounds} rounds"
    )
    shown = Table("python train.py …", "seconds")
    for command in (*COMMANDS, COMPLETION):
        times = [seconds(command) for _ in range(options.rounds + 1)][1:]
        name = "tab completion" if command == COMPLETION else " ".join(command)
        shown.add_row(name, f"{statistics.median(times):.2f}")
    Console().print(shown)
    rounds = [imports(("steps=1",)) for _ in range(options.rounds)]
    shown = Table("imported, with what it imports", "seconds")
    for library in LIBRARIES:
        shown.add_row(library, f"{statistics.median(found.get(library, 0.0) for found in rounds):.2f}")
    Console().print(shown)


def seconds(arguments: Sequence[str]) -> float:
    """From the start of the process to its end."""
    start = time.perf_counter()
    run(arguments)
    return time.perf_counter() - start


def imports(arguments: Sequence[str]) -> dict[str, float]:
    """Seconds that importing each module took, with whatever it imported for the first time."""
    lines = run(arguments, "-X", "importtime").splitlines()
    found = (re.match(r"import time: +\d+ \| +(\d+) \| +(\S+)$", line) for line in lines)
    return {match[2]: int(match[1]) / 1e6 for match in found if match}


def run(arguments: Sequence[str], *options: str) -> str:
    """What `python train.py` wrote to stderr."""
    with tempfile.TemporaryDirectory() as folder:
        line = "python train.py loss=lsgan_b"
        environment = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line)), "WANDB_MODE": "offline"}
        command = [sys.executable, *options, str(TRAIN), *arguments]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True).stderr


if __name__ == "__main__":
    main()
