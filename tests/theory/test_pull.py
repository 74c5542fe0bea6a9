"""Pulls and optimal outputs against numerical derivatives of the losses as the papers write them."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from lsgan import losses
from lsgan.theory.optimal import Targets
from lsgan.theory.pull import MINIMAX, NON_SATURATING, LeastSquares, sent

TRAINED = [  # beside the same loss as it trains networks
    (MINIMAX, losses.Minimax()),
    (NON_SATURATING, losses.NonSaturating()),
    (LeastSquares(Targets(-1, 1, 0)), losses.LeastSquares(a=-1, b=1, c=0)),
    (LeastSquares(Targets(0.5, -2, 3)), losses.LeastSquares(a=0.5, b=-2, c=3)),
]
OUTPUTS = np.array([-30.0, -2.0, 0.0, 0.7, 30.0])


def slope(function, t):
    variable = torch.tensor([[t]], dtype=torch.float64, requires_grad=True)
    function(variable).backward()
    return variable.grad.item()


@pytest.mark.parametrize(("game", "loss"), TRAINED)
def test_slopes_are_those_of_the_losses_that_train_networks(game, loss):
    still = torch.zeros(1, 1, dtype=torch.float64)
    real = [slope(lambda t: loss.discriminator(t, still), t) for t in OUTPUTS]
    fake = [slope(lambda t: loss.discriminator(still, t), t) for t in OUTPUTS]
    generator = [slope(loss.generator, t) for t in OUTPUTS]
    np.testing.assert_allclose(game.real_slope(OUTPUTS), real, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(game.fake_slope(OUTPUTS), fake, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(game.pull(OUTPUTS), -np.array(generator), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("game", "loss"), TRAINED)
def test_the_optimal_output_minimises_the_loss_of_d(game, loss):
    p, q = 0.3, 0.8

    def both(t):
        where, still = torch.tensor([[t]], dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
        return (p * loss.discriminator(where, still) + q * loss.discriminator(still, where)).item()

    best = minimize_scalar(both, tol=1e-12).x
    assert game.optimal(np.log([p]), np.log([q]))[0] == pytest.approx(best, abs=1e-6)
    assert game.optimal(np.log([p]), np.log([p]))[0] == pytest.approx(game.middle)


@pytest.mark.parametrize("game", [game for game, _ in TRAINED])
def test_the_slope_of_the_optimal_output_along_x(game):
    x, step = np.array([-0.4, 0.9]), 1e-5
    at = lambda x: game.optimal(-(x**2), -((x - 1) ** 2) / 3)  # noqa: E731
    found = game.optimal_slope(-(x**2), -((x - 1) ** 2) / 3, -2 * x + 2 * (x - 1) / 3)
    np.testing.assert_allclose(found, (at(x + step) - at(x - step)) / (2 * step), rtol=1e-8)


def test_a_fake_moves_up_a_discriminator_that_it_wants_to_please():
    moves = sent(LeastSquares(Targets(-1, 1, 0)), np.array([-1.0, 0.0, 2.0]), np.array([[3.0, 4.0]] * 3))
    assert moves.tolist() == [[3, 4], [0, 0], [-6, -8]]  # pulled back beyond c
