"""D's opinions: in evaluation mode, in full precision, once a step, and nothing of what is trained is changed."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from lsgan.data.batches import Batch
from lsgan.data.feeding import StoreBatches
from lsgan.data.sets.gaussian_ring import GaussianRing
from lsgan.data.store import Store
from lsgan.losses import LeastSquares, Minimax, RelativisticPaired
from lsgan.observe.divergence import Divergence
from lsgan.observe.gradients import Gradients
from lsgan.observe.observer import Finding, Observer
from lsgan.observe.outputs import Outputs
from lsgan.training.gan import Data
from lsgan.training.machine import Machine
from lsgan.training.opinions import Opinions
from lsgan.training.runtime import Runtime
from lsgan.training.view import Clock, looking
from lsgan.world import World

CPU = torch.device("cpu")


@pytest.fixture
def with_linear_d(make_state):
    """D(x) = 3·x₁ + 4·x₂ + 1: its gradient has length 5."""

    def make():
        state = make_state()
        state.discriminator = nn.Linear(2, 1)
        with torch.no_grad():
            state.discriminator.weight.copy_(torch.tensor([[3.0, 4.0]]))
            state.discriminator.bias.fill_(1.0)
        return state

    return make


def test_what_d_says_of_reals(make_gan, with_linear_d):
    gan = make_gan(with_linear_d())
    points = torch.cat([batch.samples for batch in gan.data.batches.reals(40, CPU)])
    assert_close(Opinions(gan).of_reals(40, held_out=False), points @ torch.tensor([3.0, 4.0]) + 1)


def test_held_out_images_are_another_side(make_gan, make_state, tmp_path):
    pixels = np.arange(40, dtype=np.uint8)[:, None, None, None]
    batches = StoreBatches(Store(tmp_path, pixels, None, None, "5ha"), 16, seed=0, num_held_out=9)
    state = make_state()
    state.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(1, 1))
    gan = make_gan(state, Data(GaussianRing(name="no ring"), batches))
    opinions, (weight, bias) = Opinions(gan), state.discriminator.parameters()
    told = torch.cat([opinions.of_reals(31, held_out=False), opinions.of_reals(9, held_out=True)])
    shades = ((told - bias.detach()) / weight.detach().flatten() + 1) * 127.5
    assert_close(shades.sort().values, torch.arange(40.0), atol=1e-3, rtol=0)
    assert set(shades[31:].round().int().tolist()).isdisjoint(shades[:31].round().int().tolist())


@pytest.mark.parametrize("num", [16, 40])  # one batch of 16, and two and a half
def test_the_gradient_that_a_fake_gives_g(make_gan, with_linear_d, num):
    """½(D - c)² has the derivative D - c, -softplus(D) minus the sigmoid; the length of D's own gradient is 5."""
    for loss, slope in (
        (LeastSquares(a=-1, b=1, c=0.25), lambda d: d - 0.25),
        (Minimax(), torch.sigmoid),
    ):
        outputs, norms = Opinions(make_gan(with_linear_d(), loss=loss)).of_fakes(num)
        assert outputs.shape == (num,)
        assert outputs.std() > 0
        assert_close(norms, 5 * slope(outputs).abs())
        assert not norms.requires_grad


def test_a_loss_that_pairs_hears_of_real_samples_too(make_gan, with_linear_d):
    """(D(fake) - D(real) - c)², the real one of the same place in a batch of the training."""
    gan = make_gan(with_linear_d(), loss=RelativisticPaired(a=-1, b=1, c=0.5))
    outputs, norms = Opinions(gan).of_fakes(24)
    points = torch.cat([gan.data.batches.batch(0, CPU).samples, gan.data.batches.batch(1, CPU).samples])[:24]
    real = points @ torch.tensor([3.0, 4.0]) + 1
    assert_close(norms, 5 * 2 * (outputs - real - 0.5).abs())


def test_in_evaluation_mode(make_gan, make_state):
    """With the statistics of the batch D would answer 0 on average, whatever the batch."""
    state = make_state()
    state.discriminator = nn.Sequential(nn.BatchNorm1d(2, affine=False), nn.Linear(2, 1, bias=False), nn.Dropout(0.9))
    state.discriminator[0].running_mean.fill_(-10.0)
    opinions = Opinions(make_gan(state))
    weights = state.discriminator[1].weight.sum().item()
    assert opinions.of_reals(32, held_out=False).mean().item() == pytest.approx(10 * weights, rel=0.1)
    assert opinions.of_fakes(32).outputs.mean().item() == pytest.approx(10 * weights, rel=0.1)
    assert_close(state.discriminator[0].running_mean, torch.full((2,), -10.0))
    assert all(module.training for module in (*state.generator.modules(), *state.discriminator.modules()))


def test_fakes_are_fresh_at_each_step_and_the_same_for_all_who_ask(make_gan):
    gan = make_gan()
    first = Opinions(gan).of_fakes(40)
    assert_close(Opinions(gan).of_fakes(40), first, atol=0, rtol=0)
    gan.state.step = 1
    assert not torch.equal(Opinions(gan).of_fakes(40).outputs, first.outputs)


class Counts(nn.Module):
    """A linear D that counts how many samples it has seen."""

    def __init__(self):
        super().__init__()
        self.linear, self.seen = nn.Linear(2, 1), 0

    def forward(self, samples):
        self.seen += len(samples)
        return self.linear(samples)


def test_all_observers_of_a_step_share_one_judgement(make_gan, make_state):
    state = make_state()
    state.discriminator = Counts()
    gan = make_gan(state)
    look, found = looking(gan, Clock(gan)), Finding()
    for name, observer in (("a", Divergence(1, 32)), ("b", Outputs(1, 32)), ("c", Gradients(1, 32))):
        found |= observer.see(look(name, observer, found))
    assert len(found.scalars) == 4 + 11 + 4
    assert state.discriminator.seen == 32 + 32
    look = looking(gan, Clock(gan))  # another moment
    Outputs(1, 32).see(look("b", Outputs(1, 32), Finding()))
    assert state.discriminator.seen == 4 * 32


class Labelled:
    """Batch k has the label k mod 3 throughout."""

    num_classes = 3

    def batch(self, index, device, part=slice(None)):
        return Batch(torch.zeros(16, 2)[part], torch.full((16,), index)[part])

    def reals(self, num, device, *, held_out=False):
        return iter([Batch(torch.zeros(num, 2), torch.arange(num))])


class Told(nn.Module):
    """Answers with the label, and a little of the sample."""

    def forward(self, samples, labels):
        return labels[:, None].float() + 0 * samples.sum(1, keepdim=True)


class MadeFor(nn.Module):
    """Makes points at (label, 0)."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, 0.0]]))

    def forward(self, z, labels):
        return labels[:, None].float() * self.weight


def test_networks_that_take_labels_are_told_those_of_real_samples(make_gan, make_state):
    state = make_state()
    state.generator, state.discriminator = MadeFor(), Told()
    gan = make_gan(state, Data(GaussianRing(name="ring"), Labelled(), conditional=True))
    opinions = Opinions(gan)
    assert opinions.of_reals(5, held_out=False).tolist() == [0, 1, 2, 3, 4]
    assert opinions.of_fakes(33).outputs.tolist() == [0] * 16 + [1] * 16 + [2]


def test_labels_that_no_network_takes_are_not_handed_over(make_gan, with_linear_d):
    gan = make_gan(with_linear_d(), Data(GaussianRing(name="ring"), Labelled()))
    assert Opinions(gan).of_reals(5, held_out=False).tolist() == [1] * 5


def test_rank_0_looks_alone_at_everything(make_gan):
    alone, first = (
        Opinions(make_gan(machine=Machine(Runtime("cpu", "fp32"), world))) for world in (World(0, 1), World(0, 2))
    )
    assert_close(first.of_reals(21, held_out=False), alone.of_reals(21, held_out=False), atol=0, rtol=0)
    assert_close(first.of_fakes(21), alone.of_fakes(21), atol=0, rtol=0)


class Judges(Observer):
    """Asks for everything."""

    every = 1
    columns = ("fake",)

    def see(self, view):
        view.judged_reals(24)
        return Finding({"fake": view.judged_fakes(24).outputs.mean().item()})


def test_judging_changes_nothing_in_what_is_trained(run, make_gan, make_observers):
    for loss in (LeastSquares(a=-1, b=1, c=0), RelativisticPaired(a=-1, b=1, c=0)):
        looked_at, _ = run(make_gan(loss=loss), folder=f"{loss.name}-a", observers=make_observers(judges=Judges()))
        alone, _ = run(make_gan(loss=loss), folder=f"{loss.name}-b")
        assert_close(looked_at.state_dict(), alone.state_dict(), atol=0, rtol=0)


def test_the_gradients_of_the_last_update_stay(make_gan):
    gan = make_gan()
    gan.step()
    networks = (gan.state.generator, gan.state.discriminator)
    before = copy.deepcopy([weight.grad for network in networks for weight in network.parameters()])
    Opinions(gan).of_fakes(24)
    after = [weight.grad for network in networks for weight in network.parameters()]
    assert all(gradient is not None for gradient in before)
    assert_close(after, before, atol=0, rtol=0)
    assert all(weight.requires_grad for weight in gan.state.discriminator.parameters())
