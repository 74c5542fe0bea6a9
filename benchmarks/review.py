"""Do the intervals and the test of lsgan.review hold for a handful of seeds? A simulation with known truth.

    python benchmarks/review.py [--repetitions 10000] [--resamples 2000]

Paired differences of mean 0 are drawn, normal ones and skewed ones (exponential, shifted): how often does a 95%
interval hold the true mean, Student's t and the percentile bootstrap, and how often does the exact test say p < .05?
"""

import argparse
from collections.abc import Callable
from datetime import date

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from lsgan.review.statistics import Interval, mean_interval, sign_flip_p

Draws = Callable[[np.random.Generator, int], npt.NDArray[np.float64]]
DIFFERENCES: dict[str, Draws] = {
    "normal": lambda rng, num: rng.normal(0, 1, num),
    "skewed": lambda rng, num: rng.exponential(1, num) - 1,
}
SEEDS = (3, 5, 10)


def main() -> None:
    """Simulates, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=10_000)
    parser.add_argument("--resamples", type=int, default=2_000, help="of each bootstrap")
    options = parser.parse_args()
    print(f"{date.today()}, {options.repetitions:,} repetitions, {options.resamples:,} resamples of each bootstrap")
    shown = Table("differences", "seeds", "Student's t covers", "bootstrap covers", "p < .05 for a true null")
    for name, draw in DIFFERENCES.items():
        for num in SEEDS:
            rates = simulated(draw, num, options.repetitions, options.resamples)
            shown.add_row(name, str(num), *(f"{rate:.1%}" for rate in rates))
    Console(width=100).print(shown)


def simulated(draw: Draws, num: int, repetitions: int, resamples: int) -> tuple[float, float, float]:
    """Shares of repetitions in which Student's t and the bootstrap cover, and in which the test rejects."""
    rng = np.random.default_rng(num)
    by_t = by_bootstrap = rejected = 0
    for _ in range(repetitions):
        differences = draw(rng, num)
        by_t += _covers(mean_interval(differences))
        by_bootstrap += _covers(bootstrapped(differences, rng, resamples))
        rejected += sign_flip_p(differences) < 0.05
    return by_t / repetitions, by_bootstrap / repetitions, rejected / repetitions


def bootstrapped(differences: npt.NDArray[np.float64], rng: np.random.Generator, resamples: int) -> Interval:
    """The percentile bootstrap's 95% interval of the mean."""
    means = rng.choice(differences, (resamples, len(differences))).mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return Interval(float(low), float(high))


def _covers(interval: Interval) -> bool:
    return interval.low <= 0 <= interval.high


if __name__ == "__main__":
    main()
