"""The Jensen–Shannon divergence of two Gaussians against the distance of their means, and its slope."""

import math
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes

from lsgan.explain.choices import Choices
from lsgan.explain.drawing import BLUE, GREY, RED, Drawn, panels
from lsgan.explain.gaussians import apart, typical_std
from lsgan.theory import divergences
from lsgan.theory.pairs import Array, Pair

FAR = 8.0  # standard deviations, where the figure ends


def draw(choices: Choices, say: Callable[[str], str]) -> Drawn:
    """The divergence with its limit above, its slope below; the chosen distance is marked if it is in range."""
    distances, values, slopes = curve(choices, divergences.jsd)
    figure, (above, below) = panels(2)
    above.plot(distances, values, color=BLUE)
    above.axhline(math.log(2), color=GREY, linestyle="--", linewidth=1)
    above.annotate("log 2", (0, math.log(2)), (2, 3), textcoords="offset points", color=GREY)
    above.set(ylabel=say("jsd"), ylim=(0, 0.8))
    below.plot(distances, slopes, color=RED)
    below.set(ylabel=say("slope"), xlabel=say("distance"))
    mark(choices, distances, above, below)
    steepest = int(np.argmax(slopes))
    return Drawn(
        figure,
        {
            "chosen": choices.distance,
            "at_chosen": divergences.jsd(apart(choices, choices.distance)),
            "steepest": float(distances[steepest]),
            "slope": float(slopes[steepest]),
            "far": float(distances[-1]),
            "slope_far": float(slopes[-1]),
        },
    )


def mark(choices: Choices, distances: Array, *axes_over: Axes) -> None:
    """Panels over these distances, the chosen one marked if it is among them."""
    for axes in axes_over:
        axes.set_xlim(0, distances[-1])
        if choices.distance <= distances[-1]:
            axes.axvline(choices.distance, color=GREY, linestyle=":", linewidth=1.5)


def curve(choices: Choices, divergence: Callable[[Pair], float]) -> tuple[Array, Array, Array]:
    """Distances from 0 to `FAR` standard deviations, the divergence at each, and its slope by central differences."""
    unit = typical_std(choices)
    step = 1e-3 * unit
    distances = np.linspace(0, FAR, 81) * unit
    values = np.array([divergence(apart(choices, float(d))) for d in distances])
    slopes = np.array([_slope(choices, divergence, float(d), step) for d in distances])
    return distances, values, slopes


def _slope(choices: Choices, divergence: Callable[[Pair], float], distance: float, step: float) -> float:
    """By distance; a divergence is even in it, and so flat at 0."""
    after, before = apart(choices, distance + step), apart(choices, abs(distance - step))
    return (divergence(after) - divergence(before)) / (2 * step)
