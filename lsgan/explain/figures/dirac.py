"""DiracGAN for least squares: how G, one point, closes in on the data, another, for three places of c."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lsgan.explain.choices import Choices
from lsgan.explain.drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, WIDTH, Drawn
from lsgan.theory.dirac import DiracGAN, Fate
from lsgan.theory.optimal import Targets
from lsgan.theory.pairs import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Place(NamedTuple):
    """A place of c against the middle of a and b, and the look of its line."""

    triple: tuple[float, float, float]
    colour: str

    def __str__(self) -> str:
        return "({:g}, {:g}, {:g})".format(*self.triple).replace("-", "\N{MINUS SIGN}")


PLACES = (Place((0, 1, 1), BLUE), Place((-1, 1, 0), GREEN), Place((-1, 1, -0.5), RED))
R1_GAMMA = 0.5
RATE, STEPS = 0.2, 250  # of gradient descent
START = (0.0, 1.5)  # w and θ; h is (a + b) / 2
W, THETA = 3.0, 2.0  # the planes show ±
TIMES = np.concatenate([[0.0], np.geomspace(0.1, 1000, 4000)])


def draw(choices: Choices, say: Callable[[str], str]) -> Drawn:
    """A row of two planes (w, θ) a place, without R1 and with it; below, the distance of G from the data over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 9.4))
    grid = figure.add_gridspec(len(PLACES) + 1, 2, height_ratios=(1, 1, 1, 1.25))
    for row, place in enumerate(PLACES):
        for column, gamma in enumerate((0.0, R1_GAMMA)):
            axes = figure.add_subplot(grid[row, column])
            _plane(axes, DiracGAN(Targets(*place.triple), gamma))
            axes.set_title(say("r1" if gamma else "none").format(gamma=gamma) if row == 0 else "")
            axes.set_xlabel("w" if row == len(PLACES) - 1 else "")
            axes.set_ylabel("" if column else f"{place}\nθ")
            axes.tick_params(labelleft=not column, labelbottom=row == len(PLACES) - 1)
    _legend(figure, say)
    _distances(figure.add_subplot(grid[-1, :]), say)
    return Drawn(figure, _values(choices, {fate: say(fate.name.lower()) for fate in Fate}))


def _plane(axes: "Axes", game: DiracGAN) -> None:
    """The field where h has come to rest for its w and θ; gradient descent; where G is right."""
    w, theta = np.meshgrid(np.linspace(-W, W, 12)[1:-1], np.linspace(-THETA, THETA, 11)[1:-1])
    h = game.middle - w * theta / 2
    field = game.field(np.stack([w, h, theta], -1))
    across, up = field[..., 0] / W, field[..., 2] / THETA  # of equal length as they are seen
    length = np.maximum(np.hypot(across, up), 1e-12)
    axes.quiver(w, theta, across / length, up / length, color=GREY, alpha=0.55, pivot="mid", scale=20, width=0.006)
    for alternating, colour, dashes in ((False, ORANGE, "--"), (True, PURPLE, "-")):
        states = _while_inside(game.descend(_start(game), RATE, STEPS, alternating=alternating))
        axes.plot(states[:, 0], states[:, 2], dashes, color=colour, linewidth=1.3)
        if len(states) > STEPS:
            axes.plot(*states[-1, [0, 2]], "o", color=colour, markersize=4)
    axes.plot(*START, "s", color="black", markersize=4)
    axes.plot(0, 0, "+", color="black", markersize=9, markeredgewidth=1.5)
    axes.set(xlim=(-W, W), ylim=(-THETA, THETA), xticks=(-2, 0, 2), yticks=(-1, 0, 1))


def _while_inside(states: Array) -> Array:
    """Until the path first leaves the plane, that step included."""
    inside = (np.abs(states[:, 0]) <= W) & (np.abs(states[:, 2]) <= THETA)  # NaN is not
    return states if inside.all() else states[: int(np.argmin(inside)) + 1]


def _start(game: DiracGAN) -> tuple[float, float, float]:
    return START[0], game.middle, START[1]


def _legend(figure: "Figure", say: Callable[[str], str]) -> None:
    """Of all planes, above them."""
    from matplotlib.lines import Line2D

    shown = [
        Line2D([], [], color=PURPLE, linewidth=1.3, label=say("alternating")),
        Line2D([], [], color=ORANGE, linewidth=1.3, linestyle="--", label=say("simultaneous")),
        Line2D([], [], color="black", linestyle="", marker="s", markersize=4, label=say("start")),
        Line2D([], [], color="black", linestyle="", marker="+", markersize=9, label=say("goal")),
    ]
    figure.legend(handles=shown, loc="outside upper center", ncols=2)


def _distances(axes: "Axes", say: Callable[[str], str]) -> None:
    """The largest |θ| from a time on, by the flow, so that a spiral is a line."""
    for place in PLACES:
        for gamma, dashes in ((0.0, "-"), (R1_GAMMA, "--")):
            far = largest_from_then_on(DiracGAN(Targets(*place.triple), gamma))
            axes.loglog(TIMES[1::4], far[1::4], dashes, color=place.colour, label=f"{place}{', R1' if gamma else ''}")
    axes.set(ylim=(1e-3, 3), xlim=(TIMES[1], TIMES[-1] / 2), xlabel=say("time"), ylabel=say("distance"))
    axes.legend(loc="lower left", fontsize=8)


def largest_from_then_on(game: DiracGAN) -> Array:
    """max |θ| at and after each of TIMES. [len(TIMES)]"""
    theta = np.abs(game.flow(_start(game), TIMES)[:, 2])
    return np.asarray(np.maximum.accumulate(theta[::-1])[::-1])


def _values(choices: Choices, fates: dict[Fate, str]) -> dict[str, float | str]:
    """What the words quote: the constants of the three, and the chosen triple's eigenvalues and fates."""
    above, at, below = (Targets(*place.triple) for place in PLACES)
    aside = DiracGAN(below, R1_GAMMA).aside
    assert aside is not None  # (-1, 1, -0.5) has that
    sign = 1 if choices.a < choices.b else -1  # the mirror image is the same game
    chosen = Targets(*(sign * target for target in (choices.a, choices.b, choices.c)))
    game = DiracGAN(chosen)
    return {
        "gamma": R1_GAMMA,
        "rate": RATE,
        "steps": STEPS,
        "spirals": DiracGAN(above).algebraic_constant or 0.0,
        "closes": DiracGAN(above, R1_GAMMA).exponential_rate or 0.0,
        "creeps": DiracGAN(at, R1_GAMMA).algebraic_constant or 0.0,
        "aside": float(aside[0, 2]),
        "a": choices.a,
        "b": choices.b,
        "c": choices.c,
        "eigenvalue": _pair(game),
        "fate": fates[game.fate],
        "fate_r1": fates[DiracGAN(chosen, R1_GAMMA).fate],
    }


def _pair(game: DiracGAN) -> str:
    """The two eigenvalues of w and θ without R1, as ±x or ±xi."""
    first = complex(game.eigenvalues[0])
    size = f"{abs(first):.3g}"
    return "0" if first == 0 else f"±{size}i" if first.imag else f"±{size}"
