"""DiracGAN: the field against derivatives of its two losses, closed forms against what is integrated."""

import math
from functools import partial

import numpy as np
import pytest

from lsgan.theory.dirac import DiracGAN, Fate
from lsgan.theory.optimal import Targets

ABOVE, AT, BELOW, AWAY = Targets(0, 1, 1), Targets(-1, 1, 0), Targets(-1, 1, -0.5), Targets(0, 1, -0.5)
TRIPLES = (ABOVE, AT, Targets(0, 1, 0.5), BELOW, AWAY, Targets(-0.3, 2.1, 1.4))
GAMMAS = (0.0, 0.3, 1.0, 4.0)
START = (0.0, 0.2, 1.0)


def losses(state, game):
    """V_D and V_G from the definitions: D at a point is w·x + h, its slope w."""
    w, h, theta = state
    a, b, c = game.targets.a, game.targets.b, game.targets.c

    def d(x):
        return w * x + h

    by_d = (d(0.0) - b) ** 2 / 2 + (d(theta) - a) ** 2 / 2 + game.r1_gamma / 2 * w**2
    return np.array([by_d, (d(theta) - c) ** 2 / 2])


def derivative(function, state, i, step=1e-4):
    """By a difference of fourth order."""
    ahead = np.eye(3)[i] * step
    near = function(state + ahead) - function(state - ahead)
    far = function(state + 2 * ahead) - function(state - 2 * ahead)
    return (8 * near - far) / (12 * step)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("targets", TRIPLES)
def test_field_descends_both_losses_and_the_jacobian_is_its_derivative(targets, gamma):
    game = DiracGAN(targets, gamma)
    for state in np.random.default_rng(0).normal(size=(5, 3)):
        both = partial(losses, game=game)  # differentiated together
        by_hand = [-derivative(both, state, 0)[0], -derivative(both, state, 1)[0], -derivative(both, state, 2)[1]]
        np.testing.assert_allclose(game.field(state), by_hand, atol=1e-9)
        columns = [derivative(game.field, state, i) for i in range(3)]
        np.testing.assert_allclose(game.jacobian(state), np.stack(columns, 1), atol=1e-8)


def test_field_takes_many_states_at_once():
    game, states = DiracGAN(ABOVE, 0.5), np.random.default_rng(0).normal(size=(2, 4, 3))
    field = game.field(states)
    assert field.shape == (2, 4, 3)
    np.testing.assert_array_equal(field[1, 2], game.field(states[1, 2]))


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("targets", TRIPLES)
def test_eigenvalues_at_the_goal(targets, gamma):
    game = DiracGAN(targets, gamma)
    np.testing.assert_allclose(game.field(game.goal), 0, atol=1e-15)
    numeric = np.poly(np.stack([derivative(game.field, game.goal, i) for i in range(3)], 1))  # the polynomial is
    np.testing.assert_allclose(np.poly(game.eigenvalues), numeric, atol=1e-8)  # smooth where the roots coincide
    assert len(game.eigenvalues) == 3


def test_eigenvalues_by_hand():
    np.testing.assert_allclose(DiracGAN(ABOVE).eigenvalues, [0.5j, -0.5j, -2])  # δ = κ = ½
    np.testing.assert_allclose(DiracGAN(AT).eigenvalues, [0, 0, -2])
    np.testing.assert_allclose(DiracGAN(BELOW).eigenvalues, [math.sqrt(0.5), -math.sqrt(0.5), -2])
    np.testing.assert_allclose(DiracGAN(ABOVE, 1.0).eigenvalues, [-0.5, -0.5, -2])
    np.testing.assert_allclose(DiracGAN(AT, 3.0).eigenvalues, [0, -3, -2])


@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("targets", TRIPLES)
def test_eigenvalues_of_a_step_are_those_of_its_derivative(targets, gamma, alternating):
    game, rate = DiracGAN(targets, gamma), 0.3

    def step(state):
        return game.descend(state, rate, 1, alternating=alternating)[1]

    numeric = np.poly(np.stack([derivative(step, game.goal, i) for i in range(3)], 1))
    np.testing.assert_allclose(np.poly(game.step_eigenvalues(rate, alternating=alternating)), numeric, atol=1e-8)


def test_simultaneous_steps_are_pushed_outwards_alternating_ones_are_not():
    rate = 0.2
    assert np.abs(DiracGAN(ABOVE).step_eigenvalues(rate, alternating=False)).max() > 1 + 1e-6
    sizes = np.abs(DiracGAN(ABOVE).step_eigenvalues(rate, alternating=True))
    np.testing.assert_allclose(sizes[:2], 1, atol=1e-12)
    far = {
        alternating: np.abs(DiracGAN(ABOVE).descend(START, rate, 4000, alternating=alternating)[-200:, 2]).max()
        for alternating in (False, True)
    }
    assert far[True] < 0.1 < 0.2 < far[False]


def test_one_step_by_hand():
    start = (1.0, 0.0, 2.0)  # D(θ) = 2: w' = -2·2, h' = 1 - 2, θ' = -(2 - 1)·1
    np.testing.assert_allclose(DiracGAN(ABOVE).descend(start, 0.1, 1, alternating=False)[1], [0.6, -0.1, 1.9])
    # the new D answers 0.6·2 - 0.1 = 1.1: θ' = -0.1·0.6
    np.testing.assert_allclose(DiracGAN(ABOVE).descend(start, 0.1, 1, alternating=True)[1], [0.6, -0.1, 1.994])


def test_small_steps_come_to_the_flow():
    game = DiracGAN(ABOVE, 0.3)
    end = game.flow(START, np.array([0.0, 2.0]))[-1]
    for alternating in (False, True):
        errors = [
            np.abs(game.descend(START, 2 / n, n, alternating=alternating)[-1] - end).max() for n in (500, 1000, 2000)
        ]
        assert errors[0] < 0.01
        assert errors[0] / errors[1] == pytest.approx(2, rel=0.05)
        assert errors[1] / errors[2] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize(
    ("targets", "gamma", "fate"),
    [
        (ABOVE, 0, Fate.SPIRALS),
        (ABOVE, 0.5, Fate.CLOSES),
        (AT, 0, Fate.LINE),
        (Targets(0, 1, 0.5), 0, Fate.LINE),
        (Targets(0.1, 0.3, 0.2), 0, Fate.LINE),  # in binary numbers 0.2 is not halfway
        (AT, 0.5, Fate.CREEPS),
        (BELOW, 0, Fate.STEEPENS),
        (BELOW, 0.5, Fate.ASIDE),
        (AWAY, 0, Fate.LEAVES),
        (AWAY, 0.5, Fate.LEAVES),
        (Targets(0, 1, 0), 0, Fate.LEAVES),
    ],
)
def test_fates(targets, gamma, fate):
    game = DiracGAN(targets, gamma)
    assert game.fate is fate
    assert (game.exponential_rate is not None) == (fate is Fate.CLOSES)
    assert (game.line_rate(1.0) is not None) == (fate is Fate.LINE)
    assert (game.algebraic_constant is not None) == (fate in (Fate.SPIRALS, Fate.CREEPS, Fate.STEEPENS))
    assert (game.aside is not None) == (fate is Fate.ASIDE)


# How fast: fitted to the flow. Of a power of time the exponent is fitted, too, so that no other law passes.


def slope(x, y):
    """Of the straight line by least squares."""
    return float(np.polyfit(x, y, 1)[0])


def late(game, start, times):
    """Times and states of the second half."""
    half = len(times) // 2
    return times[half:], game.flow(start, times)[half:]


@pytest.mark.parametrize("triple", [(0, 1, 1), (-1, 1, 1), (-0.3, 2.1, 1.4)])
def test_above_the_middle_the_spiral_closes_like_one_over_the_root_of_time(triple):
    game = DiracGAN(Targets(*triple))
    times, states = late(game, START, np.linspace(0, 1000, 5001))
    turning = np.hypot(states[:, 0] * math.sqrt(game.above_middle / game.half_gap), states[:, 2])
    assert slope(np.log(times), np.log(turning)) == pytest.approx(-0.5, abs=0.01)
    assert (turning * np.sqrt(times)).mean() == pytest.approx(game.algebraic_constant, rel=2e-3)
    assert np.abs(states[:, 2] * np.sqrt(times)).max() == pytest.approx(game.algebraic_constant, rel=5e-3)


def test_constants_by_hand():
    """δ = κ = ½ slows by s = 1·1.5 / (4·¼·1¼) = 1.2, and 2 / (½·1.2) = 10/3."""
    assert DiracGAN(ABOVE).algebraic_constant == pytest.approx(math.sqrt(10 / 3))
    assert DiracGAN(Targets(0, 1, 0.5), 3.0).algebraic_constant == pytest.approx(6)
    assert DiracGAN(Targets(-1, 1, -0.8)).algebraic_constant == pytest.approx(2)


@pytest.mark.parametrize("gamma", [0.1, 0.5, 1.5, 3.0])
def test_above_the_middle_r1_makes_it_exponential(gamma):
    game = DiracGAN(ABOVE, gamma)
    times, states = late(game, START, np.linspace(0, 14 / game.exponential_rate, 2001))
    there = np.linalg.norm(states - game.goal, axis=1)
    assert -slope(times, np.log(there)) == pytest.approx(game.exponential_rate, rel=0.02)


def test_r1_is_best_in_the_middle():
    """γ/2 up to 2·√(δκ), which is 1 here; δκ/γ far beyond."""
    rates = {gamma: DiracGAN(ABOVE, gamma).exponential_rate for gamma in (0.4, 0.9, 1.0, 1.1, 100.0)}
    assert rates[0.4] == pytest.approx(0.2)
    assert rates[0.9] < rates[1.0] > rates[1.1]
    assert rates[1.0] == pytest.approx(0.5)
    assert rates[100.0] == pytest.approx(0.25 / 100, rel=1e-3)


@pytest.mark.parametrize("w", [-0.4, 0.3, 1.0, 2.5])
def test_at_the_middle_each_flat_or_steep_d_is_a_place_of_rest(w):
    game = DiracGAN(AT)
    rest = np.array([w, 0.0, 0.0])
    np.testing.assert_array_equal(game.field(rest), 0)
    expected = -np.sort(np.linalg.eigvals(game.jacobian(rest)).real)[::-1]
    assert expected[0] == pytest.approx(0, abs=1e-12)
    assert game.line_rate(w) == pytest.approx(expected[1])


def test_at_the_middle_it_is_exponential_to_a_d_that_is_not_flat():
    game = DiracGAN(AT)
    states = game.flow(START, np.linspace(0, 40, 401))
    times = np.linspace(0, 40, 401)[80:180]
    end = states[-1]
    assert abs(end[0]) > 1
    assert np.abs(end[1:]).max() < 1e-9
    rate = -slope(times, np.log(np.abs(states[80:180, 2])))
    assert rate == pytest.approx(game.line_rate(end[0]), rel=0.01)


@pytest.mark.parametrize(
    ("triple", "gamma"), [((-1, 1, 0), 0.5), ((-1, 1, 0), 2.0), ((0, 1, 0.5), 1.0), ((-1, 1, -0.5), 0.0)]
)
def test_like_one_over_the_root_of_time(triple, gamma):
    """A Pearson triple with R1, and c below the middle without it."""
    game = DiracGAN(Targets(*triple), gamma)
    times, states = late(game, START, np.linspace(0, 3000, 301))
    theta = np.abs(states[:, 2])
    assert slope(np.log(times), np.log(theta)) == pytest.approx(-0.5, abs=0.01)
    assert (theta * np.sqrt(times)).mean() == pytest.approx(game.algebraic_constant, rel=0.01)


def test_below_the_middle_d_becomes_ever_steeper():
    """w² grows like 4·(m - c)(c - a)·t: 1·t here; D answers c to G's sample, and a + b - c to the real one."""
    times, states = late(DiracGAN(BELOW), START, np.linspace(0, 3000, 301))
    assert slope(times, states[:, 0] ** 2) == pytest.approx(1, rel=1e-3)
    np.testing.assert_allclose(states[:, 1], 0.5, atol=1e-3)
    np.testing.assert_allclose(states[:, 0] * states[:, 2] + states[:, 1], -0.5, atol=2e-3)


@pytest.mark.parametrize("gamma", [0.1, 1.0, 5.0])
def test_below_the_middle_r1_lets_g_rest_beside_the_data(gamma):
    game = DiracGAN(BELOW, gamma)
    np.testing.assert_allclose(game.field(game.aside), 0, atol=1e-12)
    assert abs(game.aside[0, 2]) == pytest.approx(math.sqrt(2 * gamma))  # (m - c) / (c - a) = 1
    w, h, theta = game.aside[0]
    assert (h, w * theta + h) == pytest.approx((0.5, -0.5))  # D of the real one and of the fake: a + b - c and c
    assert gamma / 2 * w**2 == pytest.approx(0.25)  # (m - c)(c - a)
    end = game.flow(START, np.array([0.0, 3000.0]))[-1]
    np.testing.assert_allclose(end, game.aside[0], atol=1e-5)
    mirrored = game.flow((0.0, 0.2, -1.0), np.array([0.0, 3000.0]))[-1]
    np.testing.assert_allclose(mirrored, game.aside[1], atol=1e-5)


def test_these_places_hold_what_comes_near_for_all_targets_tried():
    for half_gap in np.geomspace(0.05, 5, 6):
        for share in (0.02, 0.3, 0.7, 0.98):
            for gamma in np.geomspace(1e-3, 30, 8):
                game = DiracGAN(Targets(-half_gap, half_gap, -share * half_gap), gamma)
                assert np.linalg.eigvals(game.jacobian(game.aside[1])).real.max() < 0


def test_below_a_it_leaves():
    """θ² grows like 2·(a - c)(b - a)·t, which is t here, whatever R1."""
    for gamma in (0.0, 0.5):
        times, states = late(DiracGAN(AWAY, gamma), START, np.linspace(0, 3000, 301))
        assert slope(times, states[:, 2] ** 2) == pytest.approx(1, rel=0.01)


def test_c_at_a_d_wins_and_g_stands_still():
    end = DiracGAN(Targets(0, 1, 0)).flow(START, np.array([0.0, 300.0]))[-1]
    assert end[1] == pytest.approx(1)
    assert end[0] * end[2] == pytest.approx(-1)
    assert abs(end[2]) > 1


def test_what_a_game_must_be():
    with pytest.raises(ValueError, match=r"^a=1 must be below b=0: change the sign of a, b and c$"):
        DiracGAN(Targets(1, 0, 0))
    with pytest.raises(ValueError, match=r"^a=1 must be below b=1"):
        DiracGAN(Targets(1, 1, 0))
    for gamma in (-0.1, math.inf, math.nan):
        with pytest.raises(ValueError, match=r"^r1_gamma=.* must be a number of at least 0$"):
            DiracGAN(ABOVE, gamma)
    assert DiracGAN(ABOVE, 0.0).fate is Fate.SPIRALS


def test_a_game_and_its_mirror_image():
    """(-a, -b, -c) with w and h of the other sign is the same game, which is why a < b is enough."""
    one = np.random.default_rng(0).normal(size=(6, 3))
    mirrored = Targets(0.0, -1.0, -1.0)
    w, h, theta = one.T
    fake = -(w * theta + h)  # what the mirrored D answers
    slopes = (
        -((fake - mirrored.a) * theta) - 0.2 * -w,
        -(-h - mirrored.b) - (fake - mirrored.a),
        -(fake - mirrored.c) * -w,
    )
    field = DiracGAN(ABOVE, 0.2).field(one)
    np.testing.assert_allclose(np.stack(slopes, 1), field * [-1, -1, 1], atol=1e-12)
