import copy
from functools import partial

import torch
from torch import nn
from torch.testing import assert_close

from lsgan.losses import LeastSquares
from lsgan.penalties import R1, NoPenalty
from lsgan.streams import uniform
from lsgan.training.steps import discriminator_step, generator_step

LOSS = LeastSquares(a=-1, b=1, c=0)
NOISE = uniform(torch.Generator())


class Toy:
    """Two small networks and plain gradient descent, so that an update can be worked out by hand."""

    def __init__(self):
        torch.manual_seed(0)
        self.generator = nn.Linear(3, 2).double()
        self.discriminator = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)).double()
        self.g_optimizer = torch.optim.SGD(self.generator.parameters(), lr=0.1)
        self.d_optimizer = torch.optim.SGD(self.discriminator.parameters(), lr=0.1)
        self.real = torch.randn(5, 2, dtype=torch.float64)
        self.fake = self.generator(torch.randn(5, 3, dtype=torch.float64))

    def weights(self):
        return copy.deepcopy([list(self.generator.parameters()), list(self.discriminator.parameters())])

    def d_step(self, penalty=None):
        parts = (self.discriminator, self.d_optimizer, LOSS, penalty or NoPenalty(), self.real, self.fake, NOISE)
        return discriminator_step(*parts)

    def g_step(self):
        return generator_step(self.discriminator, self.g_optimizer, LOSS, self.fake)


def same(before, after):
    return [all(torch.equal(x, y) for x, y in zip(b, a, strict=True)) for b, a in zip(before, after, strict=True)]


def test_discriminator_step_changes_d_alone():
    toy = Toy()
    before = toy.weights()
    toy.d_step()
    assert same(before, toy.weights()) == [True, False]
    assert all(p.grad is None for p in toy.generator.parameters())


def test_generator_step_changes_g_alone_and_leaves_no_gradient_in_d():
    toy = Toy()
    before = toy.weights()
    toy.g_step()
    assert same(before, toy.weights()) == [False, True]
    assert all(p.grad is None for p in toy.discriminator.parameters())
    assert all(p.requires_grad for p in toy.discriminator.parameters())


def test_one_fake_batch_serves_both_steps():
    """D's step must not consume the graph through which G's step goes."""
    toy = Toy()
    toy.d_step()
    before = toy.weights()
    toy.g_step()
    assert same(before, toy.weights()) == [False, True]


def test_discriminator_step_is_gradient_descent_on_the_paper_loss():
    toy = Toy()
    expected = copy.deepcopy(toy.discriminator)
    (((expected(toy.real) - 1) ** 2).mean() / 2 + ((expected(toy.fake.detach()) + 1) ** 2).mean() / 2).backward()
    toy.d_step()
    for old, new in zip(expected.parameters(), toy.discriminator.parameters(), strict=True):
        assert_close(new, old - 0.1 * old.grad)


def test_generator_step_is_gradient_descent_on_the_paper_loss():
    toy = Toy()
    weight = toy.generator.weight.clone()
    (gradient,) = torch.autograd.grad(
        (toy.discriminator(toy.fake) ** 2).mean() / 2, toy.generator.weight, retain_graph=True
    )
    value = toy.g_step()
    assert_close(toy.generator.weight, weight - 0.1 * gradient)
    assert not value.requires_grad


def test_results_tell_what_d_saw():
    toy = Toy()
    real_logits, fake_logits = toy.discriminator(toy.real), toy.discriminator(toy.fake)
    seen = toy.d_step(R1(r1_gamma=2.0))
    assert_close(seen.real_logits, real_logits)
    assert_close(seen.fake_logits, fake_logits)
    assert_close(seen.loss, LOSS.discriminator(real_logits, fake_logits))
    assert seen.penalty > 0
    assert torch.equal(seen.real, toy.real)
    assert torch.equal(seen.fake, toy.fake)
    assert not any(t.requires_grad for t in seen)


def test_the_penalty_is_part_of_the_update():
    plain, regularised = Toy(), Toy()
    plain.d_step()
    regularised.d_step(R1(r1_gamma=5.0))
    assert not torch.equal(plain.discriminator[0].weight, regularised.discriminator[0].weight)


class Precision(nn.Module):
    """A discriminator that writes down in which precision it multiplies."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)
        self.seen = []

    def forward(self, samples):
        logits = self.linear(samples)
        self.seen.append(logits.dtype)
        return logits


def test_networks_run_in_low_precision_losses_and_penalties_do_not():
    discriminator, generator, low = Precision(), nn.Linear(3, 2), partial(torch.autocast, "cpu", torch.bfloat16)
    optimizers = [torch.optim.SGD(net.parameters(), lr=0.1) for net in (discriminator, generator)]
    real, fake = torch.randn(5, 2), generator(torch.randn(5, 3))
    parts = (discriminator, optimizers[0], LOSS, R1(r1_gamma=1.0), real, fake, NOISE)
    seen = discriminator_step(*parts, autocast=low)
    assert discriminator.seen == [torch.bfloat16, torch.bfloat16, torch.float32]
    assert {tensor.dtype for tensor in seen} == {torch.float32}
    value = generator_step(discriminator, optimizers[1], LOSS, fake, autocast=low)
    assert discriminator.seen[3] == torch.bfloat16
    assert value.dtype == torch.float32
    weights = [*discriminator.parameters(), *generator.parameters()]
    assert {weight.dtype for weight in weights} == {torch.float32}
    assert {weight.grad.dtype for weight in generator.parameters()} == {torch.float32}


class Sees(nn.Module):
    """A discriminator that writes down the labels it is called with."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1).double()
        self.labels = []

    def forward(self, samples, labels):
        self.labels.append(labels)
        return self.linear(samples) * labels[:, None]


def test_labels_reach_d_with_real_samples_fake_ones_and_those_of_the_penalty():
    toy, discriminator = Toy(), Sees()
    optimizer = torch.optim.SGD(discriminator.parameters(), lr=0.1)
    labels = torch.arange(1, 6)
    parts = (discriminator, optimizer, LOSS, R1(r1_gamma=1.0), toy.real, toy.fake, NOISE)
    discriminator_step(*parts, condition=(labels,))
    generator_step(discriminator, toy.g_optimizer, LOSS, toy.fake, condition=(labels,))
    assert len(discriminator.labels) == 4
    assert all(seen is labels for seen in discriminator.labels)
