"""What a fake sample costs G, and how hard it is pushed, as functions of D's output for it."""

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from lsgan.explain.choices import Choices
from lsgan.explain.drawing import BLUE, GREEN, GREY, RED, Drawn, legend, panels
from lsgan.theory.pairs import Array

FAR = 8.0  # of D's output from 0


def draw(choices: Choices, say: Callable[[str], str]) -> Drawn:
    """Losses of G above, below the sizes of their slopes by D's output."""
    reach = max(FAR, abs(choices.a), abs(choices.b), abs(choices.c))
    t = np.linspace(-reach, reach, 641)
    figure, (above, below) = panels(2, height=2.9)
    for key, loss, slope, colour, dashes in curves(choices.c):
        above.plot(t, loss(t), color=colour, linestyle=dashes, label=say(key))
        below.plot(t, abs(slope(t)), color=colour, linestyle=dashes)
    scale = reach / FAR
    above.set(ylabel=say("loss"), ylim=(-8.5 * scale, 12 * scale))
    below.set(ylabel=say("slope"), xlabel=say("output"), ylim=(-0.05 * scale, 2 * scale))
    below.plot([choices.c], [0], "o", color=GREEN, clip_on=False)
    below.annotate(f"c = {choices.c:g}", (choices.c, 1.85 * scale), (4, 0), textcoords="offset points", color=GREEN)
    for axes in (above, below):
        axes.axvline(choices.c, color=GREY, linestyle=":", linewidth=1)
        axes.set_xlim(-reach, reach)
    legend(above, 1)
    return Drawn(
        figure,
        {
            "c": choices.c,
            "far": FAR,
            "sure": float(expit(-FAR)),
            "least_squares_far": abs(FAR - choices.c),
            "fooled": float(expit(-FAR)),
        },
    )


def curves(c: float) -> tuple[tuple[str, Callable[[Array], Array], Callable[[Array], Array], str, str], ...]:
    """Key, loss of G, slope by D's output t (a logit where there is a sigmoid), colour and dashes.

    Minimax and non-saturating: Goodfellow et al. (2014), equation 1 and section 3; least squares: Mao et al. (2017),
    equation 2.
    """
    return (
        ("minimax", lambda t: -np.logaddexp(0, t), lambda t: -expit(t), RED, "--"),
        ("nsgan", lambda t: np.logaddexp(0, -t), lambda t: -expit(-t), BLUE, "-."),
        ("least_squares", lambda t: (t - c) ** 2 / 2, lambda t: t - c, GREEN, "-"),
    )
