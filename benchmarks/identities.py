"""How exactly the identities of the theory hold: on a grid, by adaptive quadrature, and in two dimensions.

    python benchmarks/identities.py

Each line is the largest absolute error over the pairs of Gaussians and the targets that its column names.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from lsgan.theory import divergences, optimal
from lsgan.theory.optimal import Targets
from lsgan.theory.pairs import Array, InPlane, OnGrid, OnLine, Pair

GAUSSIANS = ((0.5, 1.0), (2.0, 1.0), (6.0, 1.0), (1.0, 0.5), (3.0, 2.0))  # mean and spread of q; p is N(0, 1)
IN_PLANE = ((0.5, 1.0), (2.0, 1.0))
PEARSON = (Targets(-1.0, 1.0, 0.0), Targets(0.0, 1.0, 0.5), Targets(2.0, -1.0, 0.5))
ANY = (*PEARSON, Targets(0.0, 1.0, 1.0), Targets(-1.0, 1.0, 2.5), Targets(0.3, -2.0, 0.7))


def gaussian(mean: float, std: float) -> Callable[[Array], Array]:
    """log N(x; mean, std²)."""
    return lambda x: -0.5 * ((x - mean) / std) ** 2 - math.log(std * math.sqrt(2 * math.pi))


def on_grid(mean: float, std: float) -> Pair:
    """By sums."""
    x = np.linspace(-30, 30, 6001)
    return OnGrid(gaussian(0, 1)(x), gaussian(mean, std)(x), float(x[1] - x[0]))


def on_line(mean: float, std: float) -> Pair:
    """By QUADPACK."""
    return OnLine(gaussian(0, 1), gaussian(mean, std), points=(0, mean / 2, mean))


def on_plane_grid(mean: float, std: float) -> Pair:
    """Two variables, by sums; the means differ along x."""
    x, y = np.meshgrid(np.linspace(-20, 20, 801), np.linspace(-20, 20, 801), indexing="ij")
    p = gaussian(0, 1)(x) + gaussian(0, 1)(y)
    return OnGrid(p, gaussian(mean, std)(x) + gaussian(0, std)(y), 0.05**2)


def in_plane(mean: float, std: float) -> Pair:
    """Two variables, by QUADPACK."""
    return InPlane(
        lambda x, y: gaussian(0, 1)(x) + gaussian(0, 1)(y),
        lambda x, y: gaussian(mean, std)(x) + gaussian(0, std)(y),
        (-10.0, 10.0 + mean),
        (-10.0, 10.0),
    )


WAYS: tuple[tuple[str, Callable[[float, float], Pair], Sequence[tuple[float, float]], Sequence[Targets]], ...] = (
    ("grid", on_grid, GAUSSIANS, ANY),
    ("quadrature", on_line, GAUSSIANS, ANY),
    ("2-D grid", on_plane_grid, GAUSSIANS, ANY),
    ("2-D quadrature", in_plane, IN_PLANE[:1], ANY[:1]),  # slow
)


def of_gan(pair: Pair, _: Targets) -> float:
    """max_D V(D, G) = 2·JSD - 2·log 2 (Goodfellow et al., 2014, theorem 1)."""
    return optimal.gan_value(pair) - (2 * divergences.jsd(pair) - 2 * math.log(2))


def of_pearson(pair: Pair, targets: Targets) -> float:
    """2·C(G) = (b - c)²·χ²_Pearson(p + q ‖ 2q) (Mao et al., 2017, equation 8), where c is halfway."""
    factor = targets.pearson_factor
    return 0.0 if factor is None else targets.criterion(pair) - factor * divergences.triangular(pair)


def of_any(pair: Pair, targets: Targets) -> float:
    """2·C(G) = ((b - a)/2)²·Δ + 2·((a + b)/2 - c)², for all targets."""
    a, b, c = targets.a, targets.b, targets.c
    expected = ((b - a) / 2) ** 2 * divergences.triangular(pair) + 2 * ((a + b) / 2 - c) ** 2
    return targets.criterion(pair) - expected


def of_value(pair: Pair, targets: Targets) -> float:
    """Δ = 2 - 8·V(D*) / (b - a)²."""
    value = targets.discriminator_value(pair)
    return optimal.triangular_from_value(value, targets) - divergences.triangular(pair)


IDENTITIES: dict[str, Callable[[Pair, Targets], float]] = {
    "max V(D, G) = 2·JSD − 2·log 2": of_gan,
    "2·C(G) = (b − c)²·χ²(p+q‖2q), c halfway": of_pearson,
    "2·C(G) = ((b − a)/2)²·Δ + 2·((a + b)/2 − c)²": of_any,
    "Δ = 2 − 8·V(D*)/(b − a)²": of_value,
}


def main() -> None:
    """Prints a table in Markdown."""
    print(f"| identity | {' | '.join(way for way, *_ in WAYS)} |")
    print(f"|---|{'---|' * len(WAYS)}")
    for name, error in IDENTITIES.items():
        cells = []
        for _, pair, gaussians, targets in WAYS:
            pairs = [pair(mean, std) for mean, std in gaussians]
            one = targets[:1] if error is of_gan else targets
            cells.append(f"{max(abs(error(each, triple)) for each in pairs for triple in one):.0e}")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
