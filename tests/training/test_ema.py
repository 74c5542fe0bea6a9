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
