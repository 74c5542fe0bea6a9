"""The optimal discriminators of GAN and LSGAN for two Gaussians and several targets."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from lsgan.explain.choices import Choices
from lsgan.explain.drawing import FAKE, GREEN, GREY, PURPLE, REAL, Drawn, legend, panels
from lsgan.theory.gaussians import log_density
from lsgan.theory.optimal import Targets, gan_discriminator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAPERS = (Targets(-1.0, 1.0, 0.0), Targets(0.0, 1.0, 1.0))  # Mao et al. (2017), equations 8 and 9
_BEYOND = 4.0  # standard deviations shown beyond the means


def draw(choices: Choices, say: Callable[[str], str]) -> Drawn:
    """The densities above, below them D* of GAN, of LSGAN with the paper's targets, and with those that were chosen."""
    low = min(choices.real_mean - _BEYOND * choices.real_std, choices.fake_mean - _BEYOND * choices.fake_std)
    high = max(choices.real_mean + _BEYOND * choices.real_std, choices.fake_mean + _BEYOND * choices.fake_std)
    x = np.linspace(low, high, 801)
    p = log_density(x, choices.real_mean, choices.real_std)
    q = log_density(x, choices.fake_mean, choices.fake_std)
    sets = [*PAPERS, *([choices.targets] if choices.targets not in PAPERS else [])]
    figure, (densities, gan, *least_squares) = panels(2 + len(sets), height=1.75)
    densities.plot(x, np.exp(p), color=REAL, label=say("real"))
    densities.plot(x, np.exp(q), color=FAKE, linestyle="--", label=say("fake"))
    densities.set(ylabel=say("density"), ylim=(0, None))
    legend(densities)
    gan.plot(x, gan_discriminator(p, q), color=PURPLE)
    gan.set_title(say("gan"), loc="left")
    _mark(gan, {"½": 0.5})
    gan.set_ylim(-0.15, 1.15)
    for axes, targets in zip(least_squares, sets, strict=True):
        axes.plot(x, targets.discriminator(p, q), color=GREEN)
        told = f"LSGAN (a, b, c) = ({targets.a:g}, {targets.b:g}, {targets.c:g})"
        axes.set_title(told.replace("-", "−"), loc="left")
        a, b, c = targets.a, targets.b, targets.c
        _mark(axes, {"a": a, "b": b, "c": c, "(a+b)/2": (a + b) / 2})
        margin = (max(a, b, c) - min(a, b, c)) * 0.15
        axes.set_ylim(min(a, b, c) - margin, max(a, b, c) + margin)
    for axes in (densities, gan, *least_squares):
        axes.set_xlim(low, high)
    least_squares[-1].set_xlabel("x")
    return Drawn(
        figure,
        {
            "real_mean": choices.real_mean,
            "fake_mean": choices.fake_mean,
            "real_std": choices.real_std,
            "fake_std": choices.fake_std,
            "a": choices.a,
            "b": choices.b,
            "c": choices.c,
            "middle": (choices.a + choices.b) / 2,
        },
    )


def _mark(axes: "Axes", lines: dict[str, float]) -> None:
    """Level lines with their names at the right edge; names of one level share a line."""
    names: dict[float, list[str]] = {}
    for name, value in lines.items():
        names.setdefault(value, []).append(name)
    for value, same in names.items():
        axes.axhline(value, color=GREY, linestyle=":", linewidth=1)
        axes.annotate(
            " = ".join(same), (1, value), (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            va="center", fontsize=9,
        )  # fmt: skip
