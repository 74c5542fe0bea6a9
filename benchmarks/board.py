"""How large the board of a study is, and how long it takes to write: synthetic studies, printed as a table.

    python benchmarks/board.py [runs …]     (9 50 200)

Each run has 2,000 rows of 28 numbers and 100 grids of 64 digits, 32×32 each, in noise that fades as a training would
have it. Runs are of ten seeds at most; settings are learning rates.
"""

import json
import math
import re
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_digits

from lsgan.board.write import write

ROWS, GRIDS, COLUMNS = 2_000, 100, 24


def main() -> None:
    """Prints the table, a line as it is known."""
    sizes = [int(word) for word in sys.argv[1:]] or [9, 50, 200]
    print("| runs | rows | grids | seconds | MB | what the page says of the grids |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        grids = _grids()
        for num in sizes:
            study = folder / f"study-{num}"
            for i in range(num):
                _run(study / f"run-{i:03d}", i, num, grids)
            start = time.perf_counter()
            written = write(study, folder / "board.html")
            seconds = time.perf_counter() - start
            (told,) = re.findall(r'"told":"([^"]*grids[^"]*)"', written.path.read_text())
            cells = (num, f"{num * ROWS:,}", f"{num * GRIDS:,}", f"{seconds:.0f}", f"{written.megabytes:.1f}", told)
            print("|", " | ".join(map(str, cells)), "|", flush=True)


def _grids() -> list[npt.NDArray[np.uint8]]:
    """Of one run: [256, 256] each."""
    generator = np.random.default_rng(0)
    digits = np.repeat(np.repeat(load_digits().images / 16, 4, axis=1), 4, axis=2)  # [N, 32, 32] in [0, 1]
    found = []
    for k in range(GRIDS):
        share = k / GRIDS
        chosen = digits[generator.integers(len(digits), size=64)].reshape(8, 8, 32, 32)
        image = chosen.transpose(0, 2, 1, 3).reshape(256, 256)
        noisy = share * image + (1 - share) * generator.random(image.shape)
        found.append((noisy * 255).astype(np.uint8))
    return found


def _run(folder: Path, number: int, num: int, grids: list[npt.NDArray[np.uint8]]) -> None:
    (folder / "samples").mkdir(parents=True)
    seed, rate = number % min(10, max(3, num // 3)), 1e-4 * 2 ** (number // min(10, max(3, num // 3)))
    generator = np.random.default_rng(number)
    config = {"steps": ROWS * 10, "seed": seed, "optimizer": {"lr": rate}, "best_metric": "metric/mind"}
    config |= {"loss": {"_target_": "lsgan.losses.LeastSquares", "a": -1, "b": 1, "c": 0}}
    (folder / "config.yaml").write_text(json.dumps(config))
    (folder / "status.json").write_text(json.dumps({"status": "finished", "step": ROWS * 10, "reason": None}))
    start = {
        "event": "start",
        "time": "2026-01-01T00:00:00+00:00",
        "overrides": [f"seed={seed}", f"optimizer.lr={rate}"],
    }
    (folder / "history.jsonl").write_text(json.dumps(start) + "\n")
    walks = generator.normal(size=(ROWS, COLUMNS)).cumsum(axis=0) / math.sqrt(ROWS)
    with open(folder / "metrics.jsonl", "w") as file:
        for k, values in enumerate(walks, start=1):
            row = {"step": 10 * k} | {f"number/{i:02d}": float(value) for i, value in enumerate(values)}
            if k % 20 == 0:
                row |= {f"metric/{name}": abs(float(values[0])) for name in ("mind", "fid", "precision", "recall")}
            file.write(json.dumps(row) + "\n")
    for k, grid in enumerate(grids, start=1):
        other = np.roll(grid, number + 1, axis=1)  # pictures that runs share stand in a page once
        Image.fromarray(other).save(folder / "samples" / f"{k * ROWS * 10 // GRIDS:06d}.jpg", quality=90)
    Image.fromarray(grids[-1]).save(folder / "samples" / "real.jpg", quality=90)


if __name__ == "__main__":
    main()
