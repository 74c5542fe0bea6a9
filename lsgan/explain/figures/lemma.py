"""The lemma behind the optimal discriminator: where a·log y + b·log(1 - y) is largest."""

from collections.abc import Callable

import numpy as np

from lsgan.explain.choices import Choices
from lsgan.explain.drawing import BLUE, GREEN, RED, Drawn, legend, panels
from lsgan.theory.optimal import lemma_argmax

PLACES = ((3.0, 1.0, BLUE, "-"), (1.0, 1.0, GREEN, "--"), (1.0, 4.0, RED, "-."))  # how dense p and q are at a place


def draw(choices: Choices, say: Callable[[str], str]) -> Drawn:
    """Three places x, with other weights of real and fake samples; the maximum of each is marked."""
    figure, (axes,) = panels(1, height=3.4)
    y = np.linspace(0.002, 0.998, 500)
    for p, q, colour, dashes in PLACES:
        best = lemma_argmax(p, q)
        axes.plot(y, p * np.log(y) + q * np.log1p(-y), color=colour, linestyle=dashes, label=f"p = {p:g}, q = {q:g}")
        top = p * np.log(best) + q * np.log1p(-best)
        axes.plot([best, best], [-7, top], color=colour, linestyle=":", linewidth=1)
        axes.plot([best], [top], "o", color=colour)
        axes.annotate(f"{best:.3g}", (best, top), (4, -14), textcoords="offset points", color=colour)
    axes.set(xlim=(0, 1), ylim=(-7, 0), xlabel=say("x"), ylabel=say("y"))
    legend(axes, 3, say("place"))
    p, q = PLACES[0][:2]
    return Drawn(figure, {"p": p, "q": q, "best": lemma_argmax(p, q)})
