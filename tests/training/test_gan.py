import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from lsgan.losses import LeastSquares, RelativisticAverage, RelativisticPaired
from lsgan.penalties import R1, NoPenalty
from lsgan.streams import stream
from lsgan.training.checkpoints import Checkpoints
from lsgan.training.ema import Ema
from lsgan.training.gan import Data, Gan, Inputs, Recipe, frozen
from lsgan.training.machine import Machine
from lsgan.training.runtime import Runtime
from lsgan.training.state import TrainState
from lsgan.world import World

LOSS = LeastSquares(a=-1, b=1, c=0)
PAIRED, AVERAGE = (pairing(a=-1, b=1, c=0.5) for pairing in (RelativisticPaired, RelativisticAverage))
FP32, BF16 = (Machine(Runtime("cpu", precision)) for precision in ("fp32", "bf16"))


def gan_of(generator, discriminator, penalty=None, machine=FP32, latent=None, loss=LOSS, **recipe):
    """Plain gradient descent with rate 0.1; no data."""
    optimizers = [torch.optim.SGD(net.parameters(), lr=0.1) for net in (generator, discriminator)]
    state = TrainState(generator, discriminator, Ema(generator, 0), *optimizers)
    recipe = Recipe(loss, penalty or NoPenalty(), latent, batch_size=5, discriminator_steps=1, seed=0, **recipe)
    return Gan(state, recipe, Data(dataset=None, batches=None), machine)


class Toy:
    """Two small networks and plain gradient descent, so that an update can be worked out by hand."""

    def __init__(self, penalty=None):
        torch.manual_seed(0)
        self.generator = nn.Linear(3, 2).double()
        self.discriminator = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)).double()
        self.gan = gan_of(self.generator, self.discriminator, penalty)
        self.real = torch.randn(5, 2, dtype=torch.float64)
        self.fake = self.generator(torch.randn(5, 3, dtype=torch.float64))

    def weights(self):
        return copy.deepcopy([list(self.generator.parameters()), list(self.discriminator.parameters())])

    def d_step(self):
        return self.gan.discriminator_step(Inputs(self.real, self.fake, ()), self.fake, 0)

    def g_step(self):
        return self.gan.generator_step(Inputs(self.real, self.fake, ()), self.fake)


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
    toy = Toy(R1(r1_gamma=2.0))
    real_logits, fake_logits = toy.discriminator(toy.real), toy.discriminator(toy.fake)
    seen = toy.d_step()
    assert_close(seen.real_logits, real_logits)
    assert_close(seen.fake_logits, fake_logits)
    assert_close(seen.loss, LOSS.discriminator(real_logits, fake_logits))
    assert seen.penalty > 0
    assert not any(t.requires_grad for t in seen)


def test_the_penalty_is_part_of_the_update():
    plain, regularised = Toy(), Toy(R1(r1_gamma=5.0))
    plain.d_step()
    regularised.d_step()
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
    discriminator, generator = Precision(), nn.Linear(3, 2)
    gan = gan_of(generator, discriminator, R1(r1_gamma=1.0), BF16)
    real, fake = torch.randn(5, 2), generator(torch.randn(5, 3))
    seen = gan.discriminator_step(Inputs(real, fake, ()), fake, 0)
    assert discriminator.seen == [torch.bfloat16, torch.bfloat16, torch.float32]
    assert {tensor.dtype for tensor in seen} == {torch.float32}
    value = gan.generator_step(Inputs(real, fake, ()), fake)
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
    gan, labels = gan_of(toy.generator, discriminator, R1(r1_gamma=1.0)), torch.arange(1, 6)
    batch = Inputs(toy.real, toy.fake, (labels,))
    gan.discriminator_step(batch, toy.fake, 0)
    gan.generator_step(batch, toy.fake)
    assert len(discriminator.labels) == 4
    paired = gan_of(toy.generator, discriminator, loss=PAIRED)
    paired.generator_step(batch, toy.generator(torch.randn(5, 3, dtype=torch.float64)))
    assert len(discriminator.labels) == 4 + 2
    assert all(seen is labels for seen in discriminator.labels)


def test_what_was_frozen_stays_frozen():
    toy = Toy()
    toy.discriminator[0].requires_grad_(False)
    before = copy.deepcopy(toy.discriminator.state_dict())
    with frozen(toy.discriminator):
        assert not any(weight.requires_grad for weight in toy.discriminator.parameters())
    for _ in range(2):
        toy.d_step()
        toy.fake = toy.generator(torch.randn(5, 3, dtype=torch.float64))
        toy.g_step()
    after = toy.discriminator.state_dict()
    assert [weight.requires_grad for weight in toy.discriminator.parameters()] == [False, False, True, True]
    assert torch.equal(after["0.weight"], before["0.weight"])
    assert not torch.equal(after["2.weight"], before["2.weight"])


# A whole step


def assert_moved(toy, discriminator, generator, gradients):
    """D is where this one is, and G one step of gradient descent from where that one is."""
    assert_close(list(toy.discriminator.parameters()), list(discriminator.parameters()))
    for new, old, gradient in zip(toy.generator.parameters(), generator.parameters(), gradients, strict=True):
        assert_close(new, old - 0.1 * gradient)


@pytest.mark.parametrize("simultaneous", [False, True])
@pytest.mark.parametrize("penalty", [NoPenalty(), R1(r1_gamma=2.0)])
def test_a_step_against_gradient_descent_by_hand(simultaneous, penalty):
    """Simultaneous: both gradients are those before the step. Alternating: G's goes through the new D."""
    toy = Toy()
    gan = gan_of(toy.generator, toy.discriminator, penalty, simultaneous=simultaneous)
    batch = Inputs(toy.real, torch.randn(5, 3, dtype=torch.float64), ())
    generator, discriminator = copy.deepcopy(toy.generator), copy.deepcopy(toy.discriminator)
    fake = generator(batch.z).detach()
    d_loss = LOSS.discriminator(discriminator(toy.real), discriminator(fake))
    d_total = d_loss + penalty(discriminator.forward, toy.real, fake, None)
    d_gradients = torch.autograd.grad(d_total, list(discriminator.parameters()))
    moved = copy.deepcopy(discriminator)
    with torch.no_grad():
        for weight, gradient in zip(moved.parameters(), d_gradients, strict=True):
            weight.sub_(0.1 * gradient)
    g_loss = LOSS.generator((discriminator if simultaneous else moved)(generator(batch.z)))
    g_gradients = torch.autograd.grad(g_loss, list(generator.parameters()))

    seen = gan.step(lambda index: batch)
    assert_moved(toy, moved, generator, g_gradients)
    assert_close((seen.discriminator_loss, seen.generator_loss), (d_loss.detach(), g_loss.detach()))
    assert_close(seen.fake, fake)
    assert gan.state.step == 1


@pytest.mark.parametrize("simultaneous", [False, True])
@pytest.mark.parametrize("loss", [PAIRED, AVERAGE])
def test_a_step_of_a_loss_that_pairs_against_gradient_descent_by_hand(simultaneous, loss):
    """G's side compares with real samples that the D judges through which G is trained: the new one, or the old."""
    toy = Toy()
    gan = gan_of(toy.generator, toy.discriminator, loss=loss, simultaneous=simultaneous)
    batch = Inputs(toy.real, torch.randn(5, 3, dtype=torch.float64), ())
    generator, discriminator = copy.deepcopy(toy.generator), copy.deepcopy(toy.discriminator)
    moved = copy.deepcopy(discriminator)
    d_loss = loss.discriminator(discriminator(toy.real), discriminator(generator(batch.z).detach()))
    with torch.no_grad():
        for weight, gradient in zip(
            moved.parameters(), torch.autograd.grad(d_loss, list(discriminator.parameters())), strict=True
        ):
            weight.sub_(0.1 * gradient)
    judge = discriminator if simultaneous else moved
    g_loss = loss.generator(judge(generator(batch.z)), judge(toy.real))
    g_gradients = torch.autograd.grad(g_loss, list(generator.parameters()))

    seen = gan.step(lambda index: batch)
    assert_moved(toy, moved, generator, g_gradients)
    assert_close((seen.discriminator_loss, seen.generator_loss), (d_loss.detach(), g_loss.detach()))
    assert_close(seen.real_logits, discriminator(toy.real).detach())


class Counts(nn.Module):
    """A discriminator that counts the samples it is shown."""

    def __init__(self):
        super().__init__()
        self.linear, self.batches = nn.Linear(2, 1).double(), 0

    def forward(self, samples):
        self.batches += 1
        return self.linear(samples)


def test_real_samples_are_judged_again_for_g_only_where_the_loss_pairs():
    for loss, batches in ((LOSS, 3), (LeastSquares(-1, 1, 0, k=3), 3), (PAIRED, 4), (AVERAGE, 4)):
        toy, discriminator = Toy(), Counts()
        gan_of(toy.generator, discriminator, loss=loss).step(
            lambda index: Inputs(toy.real, torch.zeros(5, 3, dtype=torch.float64), ())  # noqa: B023  # called here
        )
        assert discriminator.batches == batches
        assert all(weight.requires_grad for weight in discriminator.parameters())


def test_a_batch_is_not_put_together_where_the_loss_is_a_mean(monkeypatch):
    whole = []
    monkeypatch.setattr(Machine, "whole", lambda self, logits: whole.append(len(logits)) or logits)
    for loss, calls in ((LOSS, 0), (PAIRED, 0), (AVERAGE, 4)):
        toy = Toy()
        whole.clear()
        gan_of(toy.generator, toy.discriminator, loss=loss).step(
            lambda index: Inputs(toy.real, torch.zeros(5, 3, dtype=torch.float64), ())  # noqa: B023  # called here
        )
        assert whole == [5] * calls


# Inputs


def test_inputs_are_a_function_of_seed_and_index(make_gan):
    gan = make_gan()
    first, again, later = (gan.inputs(index) for index in (3, 3, 4))
    assert_close(first, again, atol=0, rtol=0)
    assert not torch.equal(first.z, later.z)
    assert not torch.equal(first.real, later.real)
    assert_close(first.z, torch.randn(16, 4, generator=stream(0, "z", 3)), atol=0, rtol=0)
    assert first.condition == ()


def test_ranks_share_the_batch_and_the_noise(make_gan):
    whole = make_gan().inputs(2)
    parts = [make_gan(machine=Machine(Runtime("cpu", "fp32"), World(rank, 2))).inputs(2) for rank in range(2)]
    assert_close(torch.cat([part.z for part in parts]), whole.z, atol=0, rtol=0)
    assert_close(torch.cat([part.real for part in parts]), whole.real, atol=0, rtol=0)


def test_the_first_samples_of_inputs():
    first = Inputs(torch.arange(4), torch.arange(4) + 10, (torch.arange(4) + 20,)).first(2)
    assert [part.tolist() for part in (first.real, first.z, *first.condition)] == [[0, 1], [10, 11], [20, 21]]


# Networks with randomness of their own


class Noisy(nn.Module):
    """Adds noise and drops units, and writes down the noise."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.linear, self.dropout, self.noise = nn.Linear(n_in, n_out), nn.Dropout(0.5), []

    def forward(self, x):
        self.noise.append(torch.randn(len(x), 1))
        return self.linear(self.dropout(x)) + self.noise[-1]


@pytest.fixture
def make_noisy(make_gan):
    def make(**options):
        torch.manual_seed(0)
        generator, discriminator = Noisy(4, 2), Noisy(2, 1)
        optimizers = [torch.optim.Adam(net.parameters()) for net in (generator, discriminator)]
        return make_gan(state=TrainState(generator, discriminator, Ema(generator, 0), *optimizers), **options)

    return make


def noise_of(gan, steps=2):
    for _ in range(steps):
        gan.step()
    return [*gan.state.generator.noise, *gan.state.discriminator.noise]


def test_what_networks_draw_is_a_function_of_seed_step_and_rank(make_noisy):
    first = noise_of(make_noisy())
    torch.manual_seed(77)  # whatever others draw meanwhile
    assert_close(noise_of(make_noisy()), first, atol=0, rtol=0)
    assert len({noise[0].item() for noise in first}) == len(first) == 2 + 2 * 3  # never the same twice
    assert not torch.equal(noise_of(make_noisy(seed=1))[0], first[0])
    second_rank = Machine(Runtime("cpu", "fp32"), World(1, 2))
    assert not torch.equal(noise_of(make_noisy(machine=second_rank), 1)[0][:8], first[0][:8])


@pytest.mark.parametrize("discriminator_steps", [1, 2])
def test_networks_with_noise_resume_bit_for_bit(run, make_noisy, tmp_path, discriminator_steps):
    options = {"discriminator_steps": discriminator_steps}
    whole, _ = run(make_noisy(**options), steps=6)
    run(make_noisy(**options), steps=4, folder="cut")
    resumed = make_noisy(**options)
    Checkpoints(tmp_path / "cut", 2, 2).load_latest(resumed.state)
    torch.manual_seed(99)
    resumed, _ = run(resumed, steps=6, folder="cut")
    assert_close(resumed.state_dict(), whole.state_dict(), atol=0, rtol=0)


def test_looking_does_not_change_what_networks_draw(run, make_noisy, make_observers):
    """A generator whose average, too, draws noise: a picture of it takes numbers from the same generator."""
    seldom, often = (run(make_noisy(), observers=make_observers(every, every))[0] for every in (100, 1))
    assert_close(seldom.state_dict(), often.state_dict(), atol=0, rtol=0)
