"""How fast images reach the network: the usual loader against the packed store, in one run on one machine.

    python benchmarks/data.py [--num-images 4000] [--rounds 5] [--batch-size 64]

The images are 256-pixel JPEGs cut from two photographs. Every row is measured once a round, one after the other,
and the table shows medians, so that a disturbance of the machine meets all alike.
"""

import argparse
import logging
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_sample_images
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder as TorchvisionFolder

from lsgan.data.feeding import StoreBatches
from lsgan.data.sets.image_folder import ImageFolder

CPU = torch.device("cpu")
SIDE = 256  # of the images, as LSUN's
RESOLUTIONS = (64, 112)

Measure = Callable[[], float]  # images per second


def main() -> None:
    """Makes the images, measures, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num-images", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64)
    options = parser.parse_args()
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images"
        kilobytes = write_jpegs(images / "all", options.num_images) / 1000
        rows = dict(measures(images, Path(folder), options.batch_size))
        results: dict[str, list[float]] = {name: [] for name in rows}
        for _ in range(options.rounds):
            for name, measure in rows.items():
                results[name].append(measure())
    print(
        f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads; {options.num_images} JPEGs of {SIDE} pixels, {kilobytes:.0f} kB each; "
        f"batch {options.batch_size}; medians of {options.rounds} rounds"
    )
    Console(width=110).print(table(results))


def write_jpegs(folder: Path, num: int) -> float:
    """`num` random squares of scikit-learn's two photographs; returns their mean size in bytes."""
    folder.mkdir(parents=True)
    photographs = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    draw = np.random.default_rng(0)
    for i in range(num):
        photograph = photographs[i % 2]
        side = int(draw.integers(SIDE // 2, min(photograph.size)))
        left, top = (int(draw.integers(0, length - side + 1)) for length in photograph.size)
        square = photograph.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        square.save(folder / f"{i:06d}.jpg", quality=90)
    return statistics.mean(path.stat().st_size for path in folder.iterdir())


def measures(images: Path, folder: Path, batch_size: int) -> Iterator[tuple[str, Measure]]:
    """The rows of the table."""
    for resolution in RESOLUTIONS:
        yield f"usual loader, {resolution}", usual_loader(images, resolution, batch_size)
        yield f"packing, {resolution}", packing(images, folder, resolution)
        data = ImageFolder(name="bench", root=images, resolution=resolution, channels=3)
        store = data.prepare(folder / "prepared")
        for flip in (False, True):
            batches = StoreBatches(store, batch_size, seed=0, flip=flip)
            yield f"store, {resolution}{', flips' if flip else ''}", reading(batches, batch_size)
        yield f"limit, {resolution}: copy and convert", memory_limit(store.images, batch_size)


def usual_loader(images: Path, resolution: int, batch_size: int) -> Measure:
    """ImageFolder, transforms and a DataLoader with a worker for each core: one epoch, workers already running."""
    steps = [transforms.Resize((resolution, resolution)), transforms.ToTensor(), transforms.Normalize(0.5, 0.5)]
    loader = DataLoader(
        TorchvisionFolder(str(images), transforms.Compose(steps)),
        batch_size,
        shuffle=True,
        num_workers=os.cpu_count() or 1,
        persistent_workers=True,
    )

    def measure() -> float:
        epoch = iter(loader)
        next(epoch)
        start, num_images = time.perf_counter(), 0
        for samples, _ in epoch:
            num_images += len(samples)
        return num_images / (time.perf_counter() - start)

    return measure


def packing(images: Path, folder: Path, resolution: int) -> Measure:
    """From the JPEGs to a whole store on disk."""

    def measure() -> float:
        with tempfile.TemporaryDirectory(dir=folder) as data_dir:
            start = time.perf_counter()
            data = ImageFolder(name="bench", root=images, resolution=resolution, channels=3)
            store = data.prepare(Path(data_dir))
            return len(store.images) / (time.perf_counter() - start)

    return measure


def reading(batches: StoreBatches, batch_size: int, num_batches: int = 1000) -> Measure:
    """Batches in their order, ready for the network."""

    def measure() -> float:
        batches.batch(0, CPU)
        start = time.perf_counter()
        for index in range(1, num_batches + 1):
            batches.batch(index, CPU)
        return num_batches * batch_size / (time.perf_counter() - start)

    return measure


def memory_limit(images: npt.NDArray[np.uint8], batch_size: int, num_batches: int = 1000) -> Measure:
    """What a batch costs at least: its bytes copied once, in a row, and converted; from as much memory as the store."""
    pixels = torch.from_numpy(np.array(images))

    def measure() -> float:
        start = time.perf_counter()
        for i in range(num_batches):
            first = i * batch_size % (len(pixels) - batch_size)
            pixels[first : first + batch_size].clone().float().div_(127.5).sub_(1)
        return num_batches * batch_size / (time.perf_counter() - start)

    return measure


def table(results: dict[str, list[float]]) -> Table:
    """Images per second, and as multiples of the usual loader's and of the limit's, round by round."""
    shown = Table("images", "images/s", "× usual loader", "% of the limit")
    for name, values in results.items():
        resolution = name.split(", ")[1].split(":")[0]
        usual, limit = results[f"usual loader, {resolution}"], results[f"limit, {resolution}: copy and convert"]
        shown.add_row(
            name,
            f"{statistics.median(values):,.0f}",
            f"{statistics.median(v / u for v, u in zip(values, usual, strict=True)):.2f}",
            f"{100 * statistics.median(v / u for v, u in zip(values, limit, strict=True)):.0f}",
        )
    return shown


if __name__ == "__main__":
    main()
