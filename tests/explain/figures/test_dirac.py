"""The figure of DiracGAN: what its words quote is what its lines do, and any (a, b, c) has its sentence."""

import numpy as np
import pytest

from lsgan.explain import words
from lsgan.explain.choices import Choices
from lsgan.explain.figures import dirac
from lsgan.theory.dirac import DiracGAN, Fate
from lsgan.theory.optimal import Targets


def values(**choices):
    say = words.of_figure("en", "dirac").say
    return dirac._values(Choices(**choices), {fate: say(fate.name.lower()) for fate in Fate})


def far(triple, gamma=0.0):
    return dirac.largest_from_then_on(DiracGAN(Targets(*triple), gamma))


def test_the_words_quote_what_the_lines_do():
    said, end = values(), int(np.searchsorted(dirac.TIMES, 300))
    time = dirac.TIMES[end]
    assert far((0, 1, 1))[end] * np.sqrt(time) == pytest.approx(said["spirals"], rel=0.02)
    assert far((-1, 1, 0), said["gamma"])[end] * np.sqrt(time) == pytest.approx(said["creeps"], rel=0.02)
    assert far((-1, 1, -0.5), said["gamma"])[end] == pytest.approx(abs(said["aside"]), rel=1e-3)
    assert far((0, 1, 1), said["gamma"])[end] < 1e-8 > far((-1, 1, 0))[end]


def test_what_is_largest_from_a_time_on_never_rises():
    distances = far((0, 1, 1))
    assert distances[0] == dirac.START[1]
    assert (np.diff(distances) <= 0).all()


def test_simultaneous_steps_keep_turning_where_alternating_ones_close():
    game = DiracGAN(Targets(0, 1, 1))
    ends = [
        np.abs(game.descend((0, 0.5, 1.5), dirac.RATE, dirac.STEPS, alternating=alternating)[-80:, 2]).max()
        for alternating in (False, True)
    ]
    assert ends[0] > 1.2 * ends[1]


@pytest.mark.parametrize(
    ("triple", "eigenvalue", "fate", "with_r1"),
    [
        ((0, 1, 1), "±0.5i", "D and G circle", "the distance falls exponentially"),
        ((0, -1, -1), "±0.5i", "D and G circle", "the distance falls exponentially"),  # the mirror image
        ((-1, 1, 0), "0", "G comes to the data exponentially", "D becomes flat"),
        ((-1, 1, -0.5), "±0.707", "D becomes ever steeper", "G comes to rest beside"),
        ((0, 1, 0), "±0.5", "G does not come back", "G does not come back"),
    ],
)
def test_the_chosen_triple_has_its_sentence(triple, eigenvalue, fate, with_r1):
    said = values(**dict(zip("abc", map(float, triple), strict=True)))
    assert said["eigenvalue"] == eigenvalue
    assert said["fate"].startswith(fate)
    assert said["fate_r1"].startswith(with_r1)
    assert (said["a"], said["b"], said["c"]) == triple


def test_a_path_ends_where_it_leaves_the_plane():
    states = np.array([[0, 0, 1], [2, 0, 1], [4, 0, 1], [1, 0, 1]], float)
    np.testing.assert_array_equal(dirac._while_inside(states), states[:3])
    np.testing.assert_array_equal(dirac._while_inside(states[:2]), states[:2])
    states[2] = np.nan
    np.testing.assert_array_equal(dirac._while_inside(states), states[:3])
