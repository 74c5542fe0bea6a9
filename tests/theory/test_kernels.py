"""The kernel against a wide network's gradients, and its slopes against differences."""

import numpy as np
import pytest

from lsgan.theory.kernels import relu, relu_slopes

RANDOM = np.random.default_rng(3)


def test_it_is_the_tangent_kernel_of_a_wide_network():
    """f(x) = Σ a_i ReLU(w_i · (x, 1)) / √m: the mean over units of its gradients' products, by hand."""
    x, y = np.array([[0.3], [-2.0]]), np.array([[1.1], [-2.5]])
    units, outer = RANDOM.normal(size=(2_000_000, 2)), RANDOM.normal(size=2_000_000)

    def gradients(point):
        lifted = np.array([point[0], 1.0])
        before = units @ lifted
        return np.maximum(before, 0), (outer * (before > 0))[:, None] * lifted

    for i in range(2):
        for j in range(2):
            (by_outer, by_inner), (by_outer_2, by_inner_2) = gradients(x[i]), gradients(y[j])
            wide = (by_outer * by_outer_2).mean() + (by_inner * by_inner_2).sum(axis=1).mean()
            assert relu(x, y)[i, j] == pytest.approx(wide, rel=0.01, abs=0.01)


def test_by_hand():
    x = np.array([[0.0], [1.0]])  # (0, 1) and (1, 1): 45° apart, sizes 1 and √2
    angle = np.pi / 4
    between = np.sqrt(2) * (np.sin(angle) + 2 * (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    np.testing.assert_allclose(relu(x, x), [[1, between], [between, 2]], rtol=1e-14)


@pytest.mark.parametrize("dimensions", [1, 2])
def test_slopes(dimensions):
    x, y = RANDOM.normal(size=(5, dimensions)) * 3, RANDOM.normal(size=(4, dimensions)) * 3
    for axis, step in enumerate(np.eye(dimensions) * 1e-6):
        differences = (relu(x + step, y) - relu(x - step, y)) / 2e-6
        np.testing.assert_allclose(relu_slopes(x, y)[..., axis], differences, rtol=1e-7, atol=1e-8)


def test_at_the_kink_the_slope_is_the_mean_of_both_sides():
    x = np.array([[0.8]])
    sides = [relu_slopes(x + step, x)[0, 0, 0] for step in (1e-9, -1e-9)]
    assert sides[1] - sides[0] > 0.1
    assert relu_slopes(x, x)[0, 0, 0] == pytest.approx(np.mean(sides), rel=1e-7)
