"""What the words of the figure claim holds for what it draws."""

import numpy as np
import pytest

from lsgan.explain import drawing
from lsgan.explain.choices import Choices
from lsgan.explain.figures.boundaries import clouds, draw, pull_of
from lsgan.theory.optimal import Targets
from lsgan.theory.pull import MINIMAX, NON_SATURATING, LeastSquares, sent

PAPERS = [LeastSquares(Targets(-1, 1, 0)), LeastSquares(Targets(0, 1, 1))]


def test_each_cross_entropy_starves_one_side_and_least_squares_none():
    with drawing.style():
        values = draw(Choices(), str).values
    starved = {
        key: [values[f"{key}_starved_{side}_side"] for side in ("real", "fake")] for key in ("minimax", "nsgan", "ls")
    }
    assert starved == {"minimax": [0, 6], "nsgan": [6, 0], "ls": [0, 0]}
    assert [values[f"{key}_share"] for key in starved] == pytest.approx([100 / 12, 100 / 12, 0])
    assert values["minimax_near"] < values["ls_near"] < values["nsgan_near"]


@pytest.mark.parametrize("game", [MINIMAX, NON_SATURATING, *PAPERS])
def test_d_tells_the_clouds_apart(game):
    points = clouds()
    found = pull_of(game, points).discriminator
    right = np.concatenate([found(points.real) > game.middle, found(points.fake) < game.middle])
    assert right.mean() > 0.97


def test_beyond_the_real_points_minimax_pulls_outwards_and_least_squares_back():
    points = clouds()

    def outwards(game):
        found = pull_of(game, points).discriminator
        return -sent(game, found(points.real_side), found.slopes(points.real_side))[:, 0]

    assert (outwards(MINIMAX) > 0).all()
    for game in PAPERS:
        assert (outwards(game) < 0).all()


def test_the_share_is_of_all_fakes_against_their_own_median():
    pulled = pull_of(NON_SATURATING, clouds())
    assert pulled.starved.tolist() == [size < 0.01 * np.median(pulled.sizes) for size in pulled.sizes]
    assert len(pulled.sizes) == len(pulled.fakes) == 72
