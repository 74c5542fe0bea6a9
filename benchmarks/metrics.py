"""What the metrics of many samples cost: time and memory, by blocks and directly.

    python benchmarks/metrics.py [--num 50000] [--dim 2048] [--metrics precision_recall_density_coverage fid mind kid]

Precision, recall, density and coverage are first compared with the direct computation, which keeps all distances.
The features are Gaussian, the generated ones a little wider. `peak` is that of the process so far, features included.
"""

import argparse
import platform
import resource
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import torch
from torch import Tensor

from lsgan.evaluation import distances
from lsgan.evaluation.neighbours import Manifold, precision_recall_density_coverage
from lsgan.streams import stream

METRICS: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "precision_recall_density_coverage": precision_recall_density_coverage,
    "fid": distances.fid,
    "mind": distances.mind,
    "kid": distances.kid,
}
SMALL = 4000
EXACT = "donot_use_mm_for_euclid_dist"


def main() -> None:
    """Prints a line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--metrics", nargs="+", default=["precision_recall_density_coverage"], choices=METRICS)
    options = parser.parse_args()
    print(
        f"{date.today()}, {platform.machine()}, torch {torch.__version__}, CPU, {torch.get_num_threads()} threads; "
        f"{options.num} x {options.num} x {options.dim}"
    )
    print(f"before: peak {peak_gb():.2f} GB")
    real, fake = features(options.num, options.dim)
    print(f"features: peak {peak_gb():.2f} GB")
    for name in options.metrics:
        measured(name, METRICS[name], real, fake)
    small_real, small_fake = real[:SMALL], fake[:SMALL]
    print(f"{len(small_real)} x {len(small_fake)} x {options.dim}, by blocks and directly")
    one = measured("by blocks", precision_recall_density_coverage, small_real, small_fake)
    other = measured("directly", directly, small_real, small_fake)
    print("the same" if one == other else "NOT THE SAME")


def features(num: int, dim: int) -> tuple[Tensor, Tensor]:
    """Two times float32 [num, dim], drawn without a copy."""
    real, fake = (torch.empty(num, dim).normal_(generator=stream(0, side)) for side in ("real", "fake"))
    return real, fake.mul_(1.01)


def measured(name: str, metric: Callable[[Tensor, Tensor], Any], real: Tensor, fake: Tensor) -> Any:
    """The metric, and a line of what it took."""
    start = time.perf_counter()
    found = metric(real, fake)
    print(f"{name}: {time.perf_counter() - start:.1f} s, peak {peak_gb():.2f} GB, {found}", flush=True)
    return found


def directly(real: Tensor, fake: Tensor, k: int = 3, density_k: int = 5) -> Manifold:
    """Whole matrices of distances, float64, from the differences."""
    real, fake = real.double(), fake.double()
    of_reals, of_fakes, across = (
        torch.cdist(*pair, compute_mode=EXACT) for pair in ((real,) * 2, (fake,) * 2, (real, fake))
    )
    of_real, dense, of_fake = (
        matrix.kthvalue(neighbours + 1, dim=1).values
        for matrix, neighbours in ((of_reals, k), (of_reals, density_k), (of_fakes, k))
    )
    close = across <= dense[:, None]
    return Manifold(
        int((across <= of_real[:, None]).any(dim=0).sum()) / len(fake),
        int((across <= of_fake).any(dim=1).sum()) / len(real),
        int(close.sum()) / (density_k * len(fake)),
        int(close.any(dim=1).sum()) / len(real),
    )


def peak_gb() -> float:
    """Resident memory of this process at its largest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
