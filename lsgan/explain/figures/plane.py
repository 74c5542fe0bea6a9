"""The plane of (a, c) at b = 1: where G's loss is a Pearson χ², and how hard it pulls at G."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from lsgan.explain.choices import Choices
from lsgan.explain.drawing import BLUE, GREEN, RED, Drawn, legend, panels
from lsgan.explain.gaussians import apart
from lsgan.theory.optimal import Targets
from lsgan.theory.pairs import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

B = 1.0
A_RANGE, C_RANGE = (-2.0, 0.9), (-1.5, 1.5)
NAMED = (Targets(-1.0, B, 0.0), Targets(0.0, B, 1.0), Targets(0.0, B, 0.0))  # c in the middle, above it, below it
_NEAR = 0.02  # standard deviations


def draw(choices: Choices, say: Callable[[str], str]) -> Drawn:
    """Slopes of V_G by D's output at equilibrium and when D wins; below, the pull on G's mean by its distance."""
    figure, (equilibrium, wins, pulls) = panels(3, height=3.1)
    a, c = np.meshgrid(np.linspace(*A_RANGE, 60), np.linspace(*C_RANGE, 60))
    _map(equilibrium, a, c, (a + B) / 2 - c, "")
    _map(wins, a, c, a - c, say("wins"))
    line = np.array(A_RANGE)
    for axes in (equilibrium, wins):
        axes.plot(line, (line + B) / 2, color="black", label=say("pearson"))
        for targets, mark in zip(NAMED, "os^", strict=True):
            axes.plot([targets.a], [targets.c], mark, color="black", label=_name(targets), clip_on=False)
        if choices.b == B and A_RANGE[0] <= choices.a <= A_RANGE[1] and C_RANGE[0] <= choices.c <= C_RANGE[1]:
            axes.plot([choices.a], [choices.c], "o", markersize=12, markerfacecolor="none", color="black")
        axes.set(xlabel="a", ylabel="c", xlim=A_RANGE, ylim=C_RANGE)
    legend(equilibrium, 2, say("equilibrium"))
    _draw_pulls(pulls, say)
    return Drawn(
        figure,
        {
            "power_pearson": _power(NAMED[0]),
            "power_above": _power(NAMED[1]),
            "equilibrium_above": NAMED[1].at_equilibrium[1],
            "equilibrium_pearson": NAMED[0].at_equilibrium[1],
            "wins": NAMED[0].if_discriminator_wins[1],
            "factor": (choices.b - choices.a) ** 2 / 4,
            "constant": 2 * ((choices.a + choices.b) / 2 - choices.c) ** 2,
            "a": choices.a,
            "b": choices.b,
            "c": choices.c,
        },
    )


def pull(targets: Targets, distance: float) -> float:
    """-dV_G/dμ of q = N(μ, 1) at μ = -distance, D being the optimal one there and held fixed; p = N(0, 1).

    Above 0 it is towards p. V_G = ½ ∫ q (D* - c)² moves with its samples: -∫ q (D* - c) D*'. By symmetry D*' is
    (b - a)·distance·s·(1 - s) with s = p / (p + q), whatever the side.
    """
    gap = targets.b - targets.a

    def integrand(log_p: Array, log_q: Array) -> Array:
        share = Targets(0.0, 1.0, 0.0).discriminator(log_p, log_q)
        answers = targets.discriminator(log_p, log_q)
        return -np.exp(log_q) * (answers - targets.c) * gap * distance * share * (1 - share)

    return apart(Choices(), distance).integral(integrand)


def _power(targets: Targets) -> float:
    """k, where near equilibrium the pull is as the k-th power of the distance."""
    return math.log(pull(targets, 2 * _NEAR) / pull(targets, _NEAR)) / math.log(2)


def _name(targets: Targets) -> str:
    return f"({targets.a:g}, {targets.b:g}, {targets.c:g})".replace("-", "−")


def _map(axes: "Axes", a: Array, c: Array, slope: Array, title: str) -> None:
    """The slope as colour, V_G = slope² / 2 as lines."""
    levels = np.linspace(-3.5, 3.5, 15)
    drawn = axes.contourf(a, c, slope, levels=levels, cmap="PuOr", extend="both")
    lines = axes.contour(a, c, slope**2 / 2, levels=[0.125, 0.5, 2], colors="#444444", linewidths=0.8, linestyles=":")
    axes.clabel(lines, fontsize=8)
    bar = axes.figure.colorbar(drawn, ax=axes)
    bar.set_ticks([-3, -2, -1, 0, 1, 2, 3])
    axes.set_title(title, loc="left")


def _draw_pulls(axes: "Axes", say: Callable[[str], str]) -> None:
    distances = np.geomspace(0.02, 8, 60)
    for targets, colour, dashes in zip(NAMED, (GREEN, BLUE, RED), ("-", "--", ":"), strict=True):
        pulls = np.array([pull(targets, float(d)) for d in distances])
        direction = say("towards") if pulls[0] > 0 else say("away")
        axes.loglog(distances, abs(pulls), color=colour, linestyle=dashes, label=f"{_name(targets)} {direction}")
    axes.set(xlabel=say("distance"), ylabel=say("pull"), ylim=(1e-7, 1))
    legend(axes, 1)
