import pytest
import torch
from torch.testing import assert_close

from lsgan.penalties import R1, LsganGP, NoPenalty, WganGP
from lsgan.streams import uniform

REAL, FAKE = torch.randn(2, 6, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def noise():
    return uniform(torch.Generator().manual_seed(1))


def linear(slope):
    """D(x) = slope · mean-free sum: its gradient is `slope` in every one of 16 pixels, norm 4·slope."""
    return lambda x: slope * x.flatten(1).sum(1, keepdim=True)


def quadratic(x):
    """D(x) = |x|^2 / 2, whose gradient is x itself."""
    return x.flatten(1).square().sum(1, keepdim=True) / 2


def test_none_is_zero():
    assert NoPenalty()(quadratic, REAL, FAKE, noise()) == 0


def test_r1_is_half_gamma_times_the_mean_squared_norm():
    assert_close(R1(r1_gamma=10)(linear(0.5), REAL, FAKE, noise()).item(), 10 / 2 * 16 * 0.25)
    expected = REAL.flatten(1).square().sum(1).mean() * 3 / 2
    assert_close(R1(r1_gamma=3)(quadratic, REAL, FAKE, noise()), expected)


def test_slope_penalties_on_a_linear_discriminator():
    for penalty in (WganGP(weight=2), LsganGP(weight=2, noise_scale=30)):
        assert_close(penalty(linear(0.25), REAL, FAKE, noise()).item(), 0.0, atol=1e-12, rtol=0)
        assert_close(penalty(linear(0.5), REAL, FAKE, noise()).item(), 2 * (2.0 - 1) ** 2)


def test_wgan_gp_points_lie_between_real_and_fake():
    seen = []
    WganGP(weight=1)(lambda x: seen.append(x.detach()) or quadratic(x), REAL, FAKE, noise())
    t = (seen[0] - REAL) / (FAKE - REAL)
    assert_close(t, t[:, :1, :1, :1].expand_as(t))  # one t a sample
    assert ((t >= 0) & (t <= 1)).all()
    assert t[:, 0, 0, 0].unique().numel() == len(REAL)


def test_lsgan_gp_points_lie_above_real_within_the_noise_scale():
    seen = []
    LsganGP(weight=1, noise_scale=30)(lambda x: seen.append(x.detach()) or quadratic(x), REAL, FAKE, noise())
    shift = seen[0] - REAL
    assert ((shift >= 0) & (shift <= 30)).all()
    assert shift.max() > 5


@pytest.mark.parametrize("penalty", [R1(1.0), WganGP(1.0), LsganGP(1.0, 0.5)])
def test_penalty_trains_the_discriminator_and_repeats_with_its_noise(penalty):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    net.double()
    first = penalty(net, REAL, FAKE, noise())
    first.backward()
    assert net[1].weight.grad.abs().sum() > 0
    assert torch.equal(first, penalty(net, REAL, FAKE, noise()))


def test_gradient_of_a_slope_of_zero_is_finite():
    linear = torch.nn.Linear(16, 1).double()
    torch.nn.init.zeros_(linear.weight)
    WganGP(1.0)(torch.nn.Sequential(torch.nn.Flatten(), linear), REAL, FAKE, noise()).backward()
    assert linear.weight.grad.isfinite().all()


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match="r1_gamma=-1 must not be negative"):
        R1(r1_gamma=-1)
    with pytest.raises(ValueError, match="weight=-1 must not be negative"):
        WganGP(weight=-1)
    with pytest.raises(ValueError, match="noise_scale=nan must not be negative"):
        LsganGP(weight=1, noise_scale=float("nan"))
    assert R1(r1_gamma=0)(quadratic, REAL, FAKE, noise()) == 0
