"""D's gradient flow: closed form against an integrator of its own, and both against what they must tend to."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from lsgan.theory.finite_time import Samples, trained
from lsgan.theory.kernels import relu
from lsgan.theory.optimal import Targets
from lsgan.theory.pull import MINIMAX, NON_SATURATING, LeastSquares

X = np.array([[-1.3], [-0.6], [0.0], [0.9], [2.1]])
SAMPLES = Samples(X, np.array([0.5, 0.3, 0.2, 0.0, 0.0]), np.array([0.0, 0.1, 0.2, 0.4, 0.3]))
TARGETS = [Targets(-1, 1, 0), Targets(0, 1, 1), Targets(2, -0.5, 7)]


def by_outputs(slopes, time):
    """D at the points, as the equation of its outputs, by another method and much finer."""
    kernel = relu(X, X)
    motion = lambda _, d: -kernel @ slopes(d)  # noqa: E731
    return solve_ivp(motion, (0, time), np.zeros(len(X)), "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]


@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize("time", [0.3, 4.0, 60.0])
def test_the_closed_form_solves_the_equation(targets, time):
    def slopes(d):
        return SAMPLES.real * (d - targets.b) + SAMPLES.fake * (d - targets.a)

    found = trained(LeastSquares(targets), SAMPLES, [time])[0]
    np.testing.assert_allclose(found(X), by_outputs(slopes, time), rtol=0, atol=1e-8)


def test_with_equal_weights_it_is_the_papers_formula():
    """D_t = (I - exp(-tK)) y, the matrix exponential by its series."""
    half = np.array([1.0, 1, 0, 0, 0])
    samples, time = Samples(X, half, 1 - half), 0.2
    step = -time * relu(X, X)
    power, exponential = np.eye(5), np.eye(5)
    for k in range(1, 40):
        power = power @ step / k
        exponential = exponential + power
    targets = np.where(half == 1, 1.0, -1.0)
    found = trained(LeastSquares(Targets(-1, 1, 0)), samples, [time])[0]
    np.testing.assert_allclose(found(X), targets - exponential @ targets, atol=1e-10)


def test_after_long_it_is_the_optimal_one():
    found = trained(LeastSquares(Targets(-1, 1, 0)), SAMPLES, [1e9])[0]
    expected = (SAMPLES.real - SAMPLES.fake) / (SAMPLES.real + SAMPLES.fake)
    np.testing.assert_allclose(found(X), expected, atol=1e-8)


@pytest.mark.parametrize("time", [0.3, 4.0, 60.0])
def test_cross_entropy(time):
    def slopes(d):
        return -SAMPLES.real / (1 + np.exp(d)) + SAMPLES.fake / (1 + np.exp(-d))

    early, found = trained(MINIMAX, SAMPLES, [time / 2, time])
    np.testing.assert_allclose(found(X), by_outputs(slopes, time), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(early(X), by_outputs(slopes, time / 2), rtol=1e-5, atol=1e-6)
    assert found(X).tolist() == trained(NON_SATURATING, SAMPLES, [time / 2, time])[1](X).tolist()


def test_a_point_without_weight_changes_nothing():
    more = Samples(np.append(X, [[5.0]], axis=0), np.append(SAMPLES.real, 0), np.append(SAMPLES.fake, 0))
    elsewhere = np.array([[-3.0], [0.5], [5.0]])
    for game in (MINIMAX, LeastSquares(Targets(0, 1, 1))):
        one, other = (trained(game, samples, [7.0])[0](elsewhere) for samples in (SAMPLES, more))
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_slopes_between_the_points():
    found = trained(LeastSquares(Targets(-1, 1, 0)), SAMPLES, [3.0])[0]
    x = np.array([[-4.0], [0.4], [6.0]])
    np.testing.assert_allclose(found.slopes(x)[:, 0], (found(x + 1e-6) - found(x - 1e-6)) / 2e-6, rtol=1e-7)
