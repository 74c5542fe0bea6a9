"""What the config says is what trains; a checkpoint brings back what was remembered, and nothing else."""

import copy

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adagrad, Adam, AdamW, RMSprop
from torch.testing import assert_close

from lsgan.errors import LsganError
from lsgan.training.optimizer_state import load_optimizer_state


def network(width=3):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, width), nn.Linear(width, 1))


def stepped(net, optimizer, num=2):
    for _ in range(num):
        optimizer.zero_grad()
        net(torch.ones(4, 2)).square().sum().backward()
        optimizer.step()
    return optimizer


KINDS = [
    (Adam, {"lr": 0.1}),
    (Adam, {"lr": 0.1, "amsgrad": True}),
    (AdamW, {"lr": 0.1}),
    (RMSprop, {"lr": 0.1, "momentum": 0.5, "centered": True}),
    (Adagrad, {"lr": 0.1}),
    (SGD, {"lr": 0.1}),
    (SGD, {"lr": 0.1, "momentum": 0.5}),
]


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_the_next_step_is_that_of_an_undisturbed_training(kind, settings):
    whole = network()
    stepped(whole, kind(whole.parameters(), **settings), 3)
    cut = network()
    saved = copy.deepcopy(stepped(cut, kind(cut.parameters(), **settings)).state_dict())
    resumed = kind(cut.parameters(), **settings)
    load_optimizer_state(resumed, saved, has_stepped=True)
    stepped(cut, resumed, 1)
    assert_close(list(cut.parameters()), list(whole.parameters()), atol=0, rtol=0)


def test_settings_are_those_of_now():
    net = network()
    saved = stepped(net, Adam(net.parameters(), lr=0.1)).state_dict()
    now = Adam(net.parameters(), lr=0.01, betas=(0.5, 0.9), weight_decay=0.5)
    load_optimizer_state(now, saved, has_stepped=True)
    group = now.param_groups[0]
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.01, (0.5, 0.9), 0.5)
    assert all(state["step"] == 2 for state in now.state.values())
    before = copy.deepcopy(net.state_dict())
    stepped(net, now, 1)
    moved = max((net.state_dict()[name] - before[name]).abs().max() for name in before)
    assert moved < 0.05  # at the old rate it would be 0.1


@pytest.mark.parametrize(
    ("then", "now", "sentence"),
    [
        (Adam, RMSprop, r"^RMSprop with these settings remembers square_avg, step of a weight, and what was saved is "),
        (
            RMSprop,
            Adam,
            r"^Adam with these settings remembers exp_avg, exp_avg_sq, step .* saved is square_avg, step: ",
        ),
        (Adam, lambda w: Adam(w, amsgrad=True), "remembers exp_avg, exp_avg_sq, max_exp_avg_sq, step of a weight, and"),
        (
            lambda w: SGD(w, 0.1),
            lambda w: SGD(w, 0.1, 0.5),
            "remembers momentum_buffer of .* what was saved is nothing",
        ),
        (
            lambda w: SGD(w, 0.1, 0.5),
            lambda w: SGD(w, 0.1),
            "remembers nothing .* what was saved is momentum_buffer: go",
        ),
        (lambda w: RMSprop(w), lambda w: RMSprop(w, centered=True), "RMSprop with these settings remembers grad_avg"),
    ],
)
def test_another_optimizer_is_refused(then, now, sentence):
    net = network()
    saved = stepped(net, then(net.parameters())).state_dict()
    with pytest.raises(LsganError, match=sentence):
        load_optimizer_state(now(net.parameters()), saved, has_stepped=True)


def test_before_the_first_step_nothing_is_remembered():
    net = network()
    load_optimizer_state(SGD(net.parameters(), 0.1, 0.5), SGD(net.parameters(), 0.1).state_dict(), has_stepped=False)


def test_other_weights_are_refused():
    net, wider = network(), network(width=4)
    saved = stepped(net, Adam(net.parameters())).state_dict()
    for weights in (wider.parameters(), list(net.parameters())[:2]):
        with pytest.raises(LsganError, match="it was saved of other weights"):
            load_optimizer_state(Adam(weights), saved, has_stepped=True)


def test_frozen_weights_and_trying_leave_everything_as_it_is():
    net = network()
    net[0].requires_grad_(False)
    saved = stepped(net, Adam(net.parameters())).state_dict()
    before = copy.deepcopy(net.state_dict())
    load_optimizer_state(Adam(net.parameters()), saved, has_stepped=True)
    assert_close(net.state_dict(), before, atol=0, rtol=0)


def test_an_optimizer_that_cannot_be_tried_has_pytorch_s_own_checks():
    class Odd(SGD):
        def step(self, closure):  # type: ignore[override]
            return closure()

    net = network()
    saved = stepped(net, SGD(net.parameters(), 0.1, 0.5)).state_dict()
    load_optimizer_state(Odd(net.parameters(), 0.1, 0.5), saved, has_stepped=True)
