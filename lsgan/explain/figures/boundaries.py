"""Points of the plane: where D puts its boundary under each loss, and which fakes then send G a gradient."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from lsgan.explain.choices import Choices
from lsgan.explain.drawing import BLUE, GREY, RED, Drawn, panels
from lsgan.theory.finite_time import Discriminator, Samples, trained
from lsgan.theory.pairs import Array
from lsgan.theory.pull import MINIMAX, NON_SATURATING, Game, LeastSquares, sent

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

TIME = 100.0  # of D's training
NEARLY_NONE = 0.01  # of the median
_EACH, _BEYOND = 60, 6  # points that D is trained on, of each kind; points far out on each side
_REACH = (8.0, 2.3)
_RANGE = (-3.0, 1.0)  # of log10 of a gradient against the median, in colour


class Points(NamedTuple):
    """Of shape [N, 2]. D is trained on the first two; the others are fakes that G comes upon afterwards."""

    real: Array
    fake: Array
    real_side: Array  # far beyond the real ones
    fake_side: Array  # far beyond the fakes


class Pulled(NamedTuple):
    """What one loss gives."""

    discriminator: Discriminator
    fakes: Array  # [N, 2], all of them
    sizes: Array  # [N], of the gradients
    median: float

    @property
    def starved(self) -> npt.NDArray[np.bool_]:
        """Which fakes get nearly none."""
        there: npt.NDArray[np.bool_] = self.sizes < NEARLY_NONE * self.median
        return there


def draw(choices: Choices, say: Callable[[str], str]) -> Drawn:
    """A panel for each loss: D's boundary, real points, fakes by the size of their gradient."""
    targets = choices.targets
    games: dict[str, Game] = {"minimax": MINIMAX, "nsgan": NON_SATURATING, "ls": LeastSquares(targets)}
    told = f"LSGAN ({targets.a:g}, {targets.b:g}, {targets.c:g})".replace("-", "−")
    names = {"minimax": say("minimax"), "nsgan": say("nsgan"), "ls": told}
    points, values = clouds(), dict[str, float | str](beyond=_BEYOND, time=TIME)
    figure, all_axes = panels(3, height=2.4)
    for (key, game), axes in zip(games.items(), all_axes, strict=True):
        pulled = pull_of(game, points)
        colours = _panel(axes, game, points, pulled)
        axes.set_title(names[key], loc="left")
        values |= _values(key, pulled)
    bar = figure.colorbar(colours, ax=all_axes, location="bottom", label=say("colour"), aspect=35, extend="min")
    bar.set_ticks(list(range(-3, 2)), labels=["0.1%", "1%", "10%", "100%", "×10"])
    figure.legend(handles=_keys(say), loc="outside upper center", ncols=2)
    return Drawn(figure, values | {"a": targets.a, "b": targets.b, "c": targets.c})


def clouds() -> Points:
    """The same at each call."""
    random = np.random.default_rng(0)
    real, fake = (random.normal((middle, 0), 0.5, (_EACH, 2)) for middle in (-1.5, 1.5))
    outwards, across = np.linspace(4.2, 7.2, _BEYOND), np.array([0.4, -1.5, 1.5, -0.5, 1.1, -1.2])
    return Points(real, fake, np.stack([-outwards, across], axis=1), np.stack([outwards, across], axis=1))


def pull_of(game: Game, points: Points) -> Pulled:
    """D is trained on the clouds for `TIME`, and then asked about all fakes."""
    each = np.full(_EACH, 1 / _EACH)
    nothing = np.zeros(_EACH)
    samples = Samples(
        np.concatenate([points.real, points.fake]), np.concatenate([each, nothing]), np.concatenate([nothing, each])
    )
    discriminator = trained(game, samples, [TIME])[0]
    fakes = np.concatenate(points[1:])
    sizes = np.sqrt((sent(game, discriminator(fakes), discriminator.slopes(fakes)) ** 2).sum(axis=1))
    return Pulled(discriminator, fakes, sizes, float(np.median(sizes)))


def _panel(axes: "Axes", game: Game, points: Points, pulled: Pulled) -> "PathCollection":
    wide, high = _REACH
    x, y = np.meshgrid(np.linspace(-wide, wide, 97), np.linspace(-high, high, 49))
    outputs = pulled.discriminator(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(x.shape)
    axes.contour(x, y, outputs - game.middle, levels=[0.0], colors="black", linewidths=1.5)
    axes.scatter(
        points.real[:, 0], points.real[:, 1], s=14, marker="^", facecolors="none", edgecolors=GREY, linewidths=0.8
    )
    floor = 10 ** _RANGE[0] * pulled.median
    colour = np.log10(np.maximum(pulled.sizes, floor) / pulled.median)
    drawn = axes.scatter(
        pulled.fakes[:, 0], pulled.fakes[:, 1], c=colour, s=26, cmap="viridis_r", vmin=_RANGE[0], vmax=_RANGE[1],
        edgecolors="black", linewidths=0.3,
    )  # fmt: skip
    starved = pulled.fakes[pulled.starved]
    axes.scatter(starved[:, 0], starved[:, 1], s=90, marker="x", color=RED, linewidths=1.6)
    axes.set(xlim=(-wide, wide), ylim=(-high, high), xticks=(-6, -3, 0, 3, 6), yticks=(-2, 0, 2))
    return drawn


def _keys(say: Callable[[str], str]) -> "list[Artist]":
    """What the signs mean; a fake has one colour of the scale."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], marker="^", markerfacecolor="none", markeredgecolor=GREY, linestyle="none", label=say("real")),
        Line2D([], [], marker="o", color=BLUE, linestyle="none", label=say("fake")),
        Line2D([], [], color="black", linewidth=1.5, label=say("boundary")),
        Line2D([], [], marker="x", color=RED, markeredgewidth=1.6, linestyle="none", label=say("starved")),
    ]


def _values(key: str, pulled: Pulled) -> dict[str, float | str]:
    """The share of all fakes that is starved, in percent, and medians by where the fakes are."""
    near, real_side, fake_side = np.split(pulled.sizes, [_EACH, _EACH + _BEYOND])
    starved = np.split(pulled.starved, [_EACH, _EACH + _BEYOND])
    return {
        f"{key}_share": float(100 * pulled.starved.mean()),
        f"{key}_near": float(np.median(near)),
        f"{key}_real_side": float(np.median(real_side)),
        f"{key}_fake_side": float(np.median(fake_side)),
        f"{key}_starved_real_side": int(starved[1].sum()),
        f"{key}_starved_fake_side": int(starved[2].sum()),
    }
