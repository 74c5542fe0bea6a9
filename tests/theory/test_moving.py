"""Speeds of a mean against derivatives of divergences and quadrature, and its way against an integrator."""

import math

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from lsgan.theory.moving import Shifted, optimal_speed, path, trained_speeds
from lsgan.theory.optimal import Targets
from lsgan.theory.pull import MINIMAX, NON_SATURATING, LeastSquares

PAIRS = [Shifted(1.0), Shifted(3.0, 0.7, 1.2), Shifted(8.0)]


def density(x, mean, std):
    return math.exp(-(((x - mean) / std) ** 2) / 2) / (std * math.sqrt(2 * math.pi))


def by_quadrature(pair, pull_times_slope):
    """E_q of a function of p, q and the slope of log p - log q."""

    def at(x):
        p, q = density(x, 0, pair.real_std), density(x, pair.distance, pair.fake_std)
        return q * pull_times_slope(p, q, (x - pair.distance) / pair.fake_std**2 - x / pair.real_std**2)

    middle = pair.distance
    return -sum(
        quad(at, *ends, epsabs=1e-14, limit=200)[0] for ends in ((middle - 7, middle - 2), (middle - 2, middle + 7))
    )


@pytest.mark.parametrize("pair", PAIRS)
def test_speeds_under_the_optimal_d(pair):
    def least_squares(p, q, slope, a=0.0, b=1.0, c=1.0):
        share = p / (p + q)
        return (c - a - (b - a) * share) * (b - a) * share * (1 - share) * slope

    assert optimal_speed(MINIMAX, pair) == pytest.approx(
        by_quadrature(pair, lambda p, q, slope: p / (p + q) * slope), rel=1e-4
    )
    assert optimal_speed(NON_SATURATING, pair) == pytest.approx(
        by_quadrature(pair, lambda p, q, slope: q / (p + q) * slope), rel=1e-4
    )
    assert optimal_speed(LeastSquares(Targets(0, 1, 1)), pair) == pytest.approx(
        by_quadrature(pair, least_squares), rel=1e-4
    )


def test_nobody_moves_a_mean_that_is_there():
    for game in (MINIMAX, NON_SATURATING, LeastSquares(Targets(0, 1, 1))):
        assert optimal_speed(game, Shifted(0.0)) == pytest.approx(0, abs=1e-12)


def test_targets_times_a_number_change_the_speed_by_its_square():
    """Also below 0, which exchanges a and b: D is the same but for the number."""
    pair, times = Shifted(4.0), (2.0, 50.0)
    speeds = [
        trained_speeds([LeastSquares(targets)], pair, times)[0] for targets in (Targets(-1, 1, 0), Targets(3, -3, 0))
    ]
    np.testing.assert_allclose(speeds[1], 9 * speeds[0], rtol=1e-9)


def test_with_c_in_the_middle_the_speed_near_the_data_is_a_cube_of_the_distance_else_proportional_to_it():
    for targets, order in ((Targets(-1, 1, 0), 3), (Targets(0, 1, 1), 1)):
        near, nearer = (optimal_speed(LeastSquares(targets), Shifted(distance)) for distance in (0.1, 0.05))
        assert near / nearer == pytest.approx(2**order, rel=0.01)


def test_finer_grids_tell_the_same():
    for game in (MINIMAX, NON_SATURATING, LeastSquares(Targets(-1, 1, 0))):
        coarse, fine = (trained_speeds([game], Shifted(5.0), (10.0,), points)[0, 0] for points in (61, 121))
        assert coarse == pytest.approx(fine, rel=0.01)


def test_far_out_least_squares_vanishes_with_the_optimal_d_and_outpulls_minimax_with_a_trained_one():
    far, least_squares = Shifted(8.0), LeastSquares(Targets(-1, 1, 0))
    assert optimal_speed(least_squares, far) < optimal_speed(MINIMAX, far) < 1e-3
    assert optimal_speed(NON_SATURATING, far) == pytest.approx(8, rel=1e-3)  # the distance by the variance
    minimax, non_saturating = trained_speeds((MINIMAX, NON_SATURATING), far, (10.0,))[:, 0]
    assert 5 * minimax < trained_speeds([least_squares], far, (10.0,))[0, 0] < non_saturating


def test_the_way_of_the_mean():
    """d' = -(0.2 + d): closed form, and an integrator."""
    distances = np.linspace(0.0, 4.0, 41)
    times, where = path(distances, 0.2 + distances)
    np.testing.assert_allclose(where, 4.2 * np.exp(-times) - 0.2, atol=1e-3)
    assert (where[0], where[-1]) == (4.0, 0.0)
    solved = solve_ivp(lambda _, d: -(0.2 + d**2), (0, 2), [4.0], rtol=1e-10, atol=1e-12)
    times, where = path(distances, 0.2 + distances**2)
    assert np.interp(2.0, times, where) == pytest.approx(solved.y[0, -1], abs=1e-3)


def test_the_way_ends_where_the_mean_stands():
    times, where = path(np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 1.0]))
    assert 2 <= where[-1] < 2.01
    assert len(times) == len(where)
    assert not len(path(np.array([1.0, 2.0]), np.array([1.0, -1.0]))[0])
