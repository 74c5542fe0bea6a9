"""A generator that can only move its mean: how fast it goes to the data under an optimal D, and under a trained one."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lsgan.explain.choices import Choices
from lsgan.explain.drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, Drawn, panels
from lsgan.explain.gaussians import typical_std
from lsgan.theory.moving import Shifted, optimal_speed, path, trained_speeds
from lsgan.theory.optimal import Targets
from lsgan.theory.pairs import Array
from lsgan.theory.pull import MINIMAX, NON_SATURATING, Game, LeastSquares

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAR = 8.0  # standard deviations, where G starts
TIME = 10.0  # of D's training, in the figures by distance
TIMES = tuple(float(time) for time in np.geomspace(1, 1000, 13))
DISTANCES = np.linspace(0.25, FAR, 28)
PAPERS = {"zero": Targets(-1.0, 1.0, 0.0), "one": Targets(0.0, 1.0, 1.0)}  # Mao et al. (2017), equations 8 and 9
_LOOKS = ((RED, "--"), (BLUE, "-."), (GREEN, "-"), (ORANGE, ":"), (PURPLE, (0, (5, 1, 1, 1, 1, 1))))
_LOWEST, _HIGHEST = 1e-4, 20.0  # speeds shown


class Speeds(NamedTuple):
    """Of G's mean, of one loss; distances and speeds in units of the typical standard deviation."""

    optimal: Array  # at `DISTANCES`
    finite: Array  # at `DISTANCES`, D trained for `TIME`
    by_time: Array  # at `FAR`, D trained for `TIMES`


def draw(choices: Choices, say: Callable[[str], str]) -> Drawn:
    """Speeds by distance under both, speeds far out by the time of D's training, and the mean's ways under both."""
    games = _games(choices)
    found = speeds(choices, list(games.values()))
    names = [_name(game, say) for game in games.values()]
    figure, (optimal, finite, by_time, fast, slow) = panels(5, height=2.1)
    for name, one, (colour, dashes) in zip(names, found, _LOOKS, strict=False):
        look: dict[str, Any] = {"color": colour, "linestyle": dashes}
        optimal.plot(DISTANCES, _shown(one.optimal), label=name, **look)
        finite.plot(DISTANCES, _shown(one.finite), **look)
        by_time.plot(TIMES, _shown(one.by_time), **look)
        for axes, by_distance in ((fast, one.finite), (slow, one.optimal)):
            axes.plot(*path(DISTANCES, by_distance), **look)
    figure.legend(loc="outside upper center", ncols=2)
    _dress((optimal, finite, by_time), (fast, slow), say)
    for axes in (optimal, finite):
        axes.set(xlim=(0, FAR), xlabel=say("distance"))
        if choices.distance / typical_std(choices) <= FAR:
            axes.axvline(choices.distance / typical_std(choices), color=GREY, linestyle=":", linewidth=1.5)
    return Drawn(figure, {"far": FAR, "time": TIME, **_values(dict(zip(games, found, strict=True)))})


def speeds(choices: Choices, games: list[Game]) -> list[Speeds]:
    """Of each game; the first two are minimax and non-saturating, whose D is the same."""
    unit = typical_std(choices)
    groups = [tuple(games[:2]), *((game,) for game in games[2:])]
    return [one for group in groups for one in _of_one_d(group, choices.real_std / unit, choices.fake_std / unit)]


@functools.cache
def _of_one_d(games: tuple[Game, ...], real_std: float, fake_std: float) -> list[Speeds]:
    pairs = [Shifted(float(distance), real_std, fake_std) for distance in DISTANCES]
    finite = np.stack([trained_speeds(games, pair, (TIME,))[:, 0] for pair in pairs], axis=1)
    by_time = trained_speeds(games, pairs[-1], TIMES)
    optimal = np.array([[optimal_speed(game, pair) for pair in pairs] for game in games])
    return [Speeds(*each) for each in zip(optimal, finite, by_time, strict=True)]


def _games(choices: Choices) -> dict[str, Game]:
    """Those that were chosen last, unless they are the paper's."""
    games: dict[str, Game] = {"minimax": MINIMAX, "nsgan": NON_SATURATING}
    targets = PAPERS if choices.targets in PAPERS.values() else {**PAPERS, "chosen": choices.targets}
    return games | {key: LeastSquares(each) for key, each in targets.items()}


def _name(game: Game, say: Callable[[str], str]) -> str:
    if isinstance(game, LeastSquares):
        targets = game.targets
        return f"LSGAN ({targets.a:g}, {targets.b:g}, {targets.c:g})".replace("-", "−")
    return say("minimax" if game == MINIMAX else "nsgan")


def _shown(values: Array) -> Array:
    """On a logarithmic axis: a mean that stands, or goes away from the data, leaves a gap."""
    return np.where(values > 0, values, np.nan)


def _dress(by_speed: "tuple[Axes, ...]", paths: "tuple[Axes, ...]", say: Callable[[str], str]) -> None:
    optimal, finite, by_time = by_speed
    for axes, title in (
        (optimal, say("optimal")),
        (finite, f"{say('finite')} {TIME:g}"),
        (by_time, f"{say('far')} {FAR:g}"),
        (paths[0], f"{say('path')}: {say('finite')} {TIME:g}"),
        (paths[1], f"{say('path')}: {say('optimal')}"),
    ):
        axes.set_title(title, loc="left")
    for axes in by_speed:
        axes.set(ylabel=say("speed"), yscale="log", ylim=(_LOWEST, _HIGHEST))
    by_time.set(xscale="log", xlim=(TIMES[0], TIMES[-1]), xlabel=say("training"))
    for axes in paths:
        axes.set(xscale="log", xlim=(0.1, 1e5), xlabel=say("moving"))
        axes.set(ylim=(0, FAR * 1.05), yticks=(0, 2, 4, 6, 8), ylabel=say("short"))


def _values(found: dict[str, Speeds]) -> dict[str, float | str]:
    """Speeds far out, of the losses that are always there: with the optimal D, and after powers of 10 of training."""
    values: dict[str, float | str] = {}
    for key in ("minimax", "nsgan", *PAPERS):
        values[f"{key}_optimal"] = float(found[key].optimal[-1])
        for power in range(4):
            values[f"{key}_{10**power}"] = float(found[key].by_time[4 * power])
    values["zero_times"] = float(found["zero"].by_time[4] / found["minimax"].by_time[4])
    values["one_times"] = float(found["one"].by_time[4] / found["minimax"].by_time[4])
    return values
