"""Two things called χ²: the bounded one that LSGAN minimises, and the ordinary one, against the distance of means."""

import math
from collections.abc import Callable

import numpy as np

from lsgan.explain.choices import Choices
from lsgan.explain.drawing import BLUE, GREY, PURPLE, RED, Drawn, panels
from lsgan.explain.figures.jsd import curve, mark
from lsgan.explain.gaussians import apart, log_chi_square_and_1
from lsgan.explain.words import typeset
from lsgan.theory import divergences

_LARGEST = 690.0  # of a logarithm whose number float64 has


def draw(choices: Choices, say: Callable[[str], str]) -> Drawn:
    """Above Δ = χ²_Pearson(p + q ‖ 2q) with its limit, then its slope, below the ordinary χ² on a logarithmic axis."""
    distances, values, slopes = curve(choices, divergences.triangular)
    figure, (above, middle, below) = panels(3, height=2.3)
    above.plot(distances, values, color=BLUE)
    above.axhline(2, color=GREY, linestyle="--", linewidth=1)
    above.annotate("2", (0, 2), (2, 3), textcoords="offset points", color=GREY)
    above.set(ylabel=say("triangular"), ylim=(0, 2.4))
    middle.plot(distances, slopes, color=RED)
    middle.set(ylabel=say("slope"))
    logs = np.array([log_chi_square_and_1(choices, float(d)) for d in distances[1:]])
    shown = logs < _LARGEST
    if shown.any():
        below.plot(distances[1:][shown], np.expm1(logs[shown]), color=PURPLE, linestyle="-.")
        below.set_yscale("log")
    else:
        below.text(0.5, 0.5, say("infinite"), transform=below.transAxes, ha="center", va="center", color=PURPLE)
        below.set_yticks([])
    below.set(ylabel=say("ordinary"), xlabel=say("distance"))
    mark(choices, distances, above, middle, below)
    steepest = int(np.argmax(slopes))
    return Drawn(
        figure,
        {
            "chosen": choices.distance,
            "triangular": divergences.triangular(apart(choices, choices.distance)),
            "ordinary": told(log_chi_square_and_1(choices, choices.distance)),
            "steepest": float(distances[steepest]),
            "far": float(distances[-1]),
            "triangular_far": float(values[-1]),
            "share": float(slopes[-1] / slopes[steepest]),
            "ordinary_far": told(log_chi_square_and_1(choices, float(distances[-1]))),
        },
    )


def told(log_and_1: float) -> str:
    """χ² from log(1 + χ²), of any size: 53.6, 6.24·10²⁷ or ∞."""
    if math.isinf(log_and_1):
        return "∞"
    if log_and_1 < math.log(1e6):
        return f"{math.expm1(log_and_1):.3g}"
    power, rest = divmod(log_and_1 / math.log(10), 1)
    return typeset(f"{10**rest:.2f}e{power:+.0f}")
