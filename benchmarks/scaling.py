"""How time and memory of a training step grow: with resolution, batch size, width, and the number of stored images.

    python benchmarks/scaling.py [--device cpu|cuda] [--rounds 5] [--seconds 2]

A DCGAN of 4×4 kernels in the runtime that train.py picks, each size in a process of its own, all in turns. Real
batches lie ready in memory. The last rows train nothing: they read batches from stores of different sizes.
"""

import argparse
import os
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from train_step import Loop, processor

from lsgan.data.feeding import StoreBatches
from lsgan.data.store import Store

BASE = {"dataset.resolution": 64, "batch_size": 64, "architecture.width": 64}
SWEEPS = {
    "dataset.resolution": (16, 32, 64, 128),
    "batch_size": (8, 16, 32, 64, 128),
    "architecture.width": (16, 32, 64, 128),
}
STORES = (1_000, 10_000, 100_000)


def main() -> None:
    """Measures, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each size in each round")
    options = parser.parse_args()
    device = torch.device(options.device)
    print(
        f"{date.today()}, {processor(device)}, {os.cpu_count()} cores, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads; medians of {options.rounds} rounds of {options.seconds:g} s"
    )
    shown = Table("", "size", "ms a step", "ms an image", "memory, GB")
    for key, sizes in SWEEPS.items():
        add_rows(key, sizes, options.device, options.rounds, options.seconds, shown)
    for num in STORES:
        milliseconds = statistics.median(reading(num, device) for _ in range(options.rounds))
        shown.add_row("images in the store", f"{num:,}", f"{milliseconds:.2f}", f"{milliseconds / 64:.4f}", "")
    Console(width=100).print(shown)


def add_rows(key: str, sizes: tuple[int, ...], device: str, rounds: int, seconds: float, shown: Table) -> None:
    """One row for each size of one key, the others as in BASE."""
    loops = {}
    for size in sizes:
        settings = {**BASE, key: size}
        fixed = ("dataset=celeba", "architecture=dcgan", "architecture.kernel_size=4", f"runtime.device={device}")
        overrides = (*fixed, *(f"{name}={value}" for name, value in settings.items()))
        loops[size] = Loop("ours, auto", overrides), settings["batch_size"]
    steps: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size, (loop, _) in loops.items():
            steps[size].append(1000 / loop.steps_per_second(seconds))
    for size, (loop, batch_size) in loops.items():
        milliseconds, measured = statistics.median(steps[size]), loop.end()
        peak = None if measured is None else measured.peak_bytes
        memory = "?" if peak is None else f"{peak / 1e9:.2f}"
        shown.add_row(key, str(size), f"{milliseconds:.1f}", f"{milliseconds / batch_size:.2f}", memory)


def reading(num_images: int, device: torch.device, num_batches: int = 200) -> float:
    """Milliseconds for a batch of 64 mirrored 64×64 images out of a store of so many, in the order of training."""
    with tempfile.TemporaryDirectory() as folder:
        path, shape = Path(folder) / "images.bin", (num_images, 64, 64, 3)
        block = np.random.default_rng(0).integers(0, 256, (1000, *shape[1:]), np.uint8).tobytes()
        with open(path, "wb") as file:
            for _ in range(num_images // 1000):
                file.write(block)
        store = Store(Path(folder), np.memmap(path, np.uint8, "r", shape=shape), None, None, "")
        batches = StoreBatches(store, 64, seed=0, flip=True)
        for index in range(num_images // 64):  # a whole epoch: every page is mapped
            batches.batch(index, device)
        start = time.perf_counter()
        for index in range(num_batches):
            batches.batch(num_images // 64 + index, device)
        return 1000 * (time.perf_counter() - start) / num_batches


if __name__ == "__main__":
    main()
