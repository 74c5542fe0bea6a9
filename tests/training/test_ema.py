import pytest
import torch
from torch import nn
from torch.testing import assert_close

from lsgan.training.ema import Ema


def constant(value):
    net = nn.Linear(2, 2)
    nn.init.constant_(net.weight, value)
    nn.init.constant_(net.bias, value)
    return net


def test_a_weight_halves_its_share_after_the_halflife():
    ema = Ema(constant(0.0), halflife_images=1000)
    for i in range(10):
        ema.update(constant(1.0), batch_size=100, images_seen=10**6 + 100 * i)
    assert_close(ema.module.weight.detach(), torch.full((2, 2), 0.5))


def test_ramp_up_shortens_the_halflife_at_first():
    ema = Ema(constant(0.0), halflife_images=1000)
    ema.update(constant(1.0), batch_size=50, images_seen=1000)  # half-life 5% of 1000 = 50 images
    assert_close(ema.module.weight.detach(), torch.full((2, 2), 0.5))


def test_halflife_zero_follows_exactly():
    ema = Ema(constant(0.0), halflife_images=0)
    ema.update(constant(3.0), batch_size=1, images_seen=1)
    assert torch.equal(ema.module.weight, constant(3.0).weight)


def test_batch_norm_statistics_are_averaged_too():
    net = nn.BatchNorm1d(2)
    ema = Ema(net, halflife_images=1000)
    net.running_mean += 1
    ema.update(net, batch_size=1000, images_seen=10**6)
    assert_close(ema.module.running_mean, torch.full((2,), 0.5))
    assert not ema.module.training


def test_the_average_is_no_part_of_the_generator():
    net = constant(0.0)
    ema = Ema(net, 10)
    ema.update(constant(1.0), 10, 1000)
    assert net.weight.sum() == 0
    assert not any(p.requires_grad for p in ema.module.parameters())
    assert net.weight.requires_grad


def test_batch_norm_s_count_stays_and_other_buffers_are_copied():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(2)
            self.register_buffer("direction", torch.zeros(2))
            self.register_buffer("calls", torch.zeros((), dtype=torch.long))
            self.register_buffer("nothing", None)

    net = Counting()
    ema = Ema(net, halflife_images=1000)
    net.direction += 4
    net.calls += 3
    net.norm.num_batches_tracked += 7
    net.norm.running_var += 2
    ema.update(net, batch_size=1000, images_seen=10**6)
    assert_close(ema.module.direction, torch.full((2,), 4.0), atol=0, rtol=0)
    assert ema.module.calls == 3
    assert ema.module.norm.num_batches_tracked == 0
    assert_close(ema.module.norm.running_var, torch.full((2,), 2.0))
    net.direction += 1
    assert_close(ema.module.direction, torch.full((2,), 4.0))  # a copy, not the same tensor


def test_spectral_norm_s_vectors_stay_unit_vectors():
    """Averaged, they would be shorter, the norm by which the layer is divided smaller, and the layer larger."""
    torch.manual_seed(0)
    net = nn.utils.parametrizations.spectral_norm(nn.Linear(16, 16), n_power_iterations=20)
    ema = Ema(net, halflife_images=1000)
    for i in range(30):
        with torch.no_grad():
            net.parametrizations.weight.original.normal_()
        net(torch.ones(1, 16))
        ema.update(net, batch_size=1000, images_seen=10**6 + 1000 * i)
    for vector in ema.module.buffers():
        assert vector.norm() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(list(ema.module.buffers()), list(net.buffers()), atol=0, rtol=0)


def test_its_state_is_that_of_a_generator():
    net = constant(1.0)
    ema = Ema(net, 10)
    assert ema.state_dict().keys() == net.state_dict().keys()
    ema.load_state_dict(constant(2.0).state_dict())
    assert torch.equal(ema.module.weight, constant(2.0).weight)
