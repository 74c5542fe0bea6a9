import threading

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from lsgan.data.batches import Batch
from lsgan.data.gaussian_ring import GaussianRing
from lsgan.errors import CollapsedError, LsganError, NonFiniteError
from lsgan.latents import Normal
from lsgan.losses import LeastSquares, NonSaturating
from lsgan.penalties import R1, NoPenalty, WganGP
from lsgan.tracking.tracker import Record
from lsgan.training.collapse import CollapseWatch
from lsgan.training.ema import Ema
from lsgan.training.loop import train
from lsgan.training.problem import Problem
from lsgan.training.runtime import Runtime
from lsgan.training.state import TrainState

RUNTIME = Runtime("cpu", "fp32")


class Memory:
    def __init__(self):
        self.records: list[Record] = []

    def log(self, record):
        self.records.append(record)

    def close(self, outcome):
        pass


def weights(state):
    return {name: part.state_dict() for name, part in state._parts().items()}


@pytest.fixture
def run(make_state, make_problem, make_schedule, tmp_path):
    def run_training(state=None, loss=None, penalty=None, folder="checkpoints", watch=None, **changes):
        state, tracker = state or make_state(), Memory()
        schedule = make_schedule(**changes)
        problem = make_problem(loss, penalty, schedule.batch_size, schedule.seed)
        train(state, problem, schedule, RUNTIME, tracker, tmp_path / folder, watch=watch)
        return state, tracker.records

    return run_training


def test_what_is_logged_when(run, tmp_path):
    state, records = run(steps=7)
    assert state.step == 7
    assert [(r.step, bool(r.scalars), sorted(r.pictures)) for r in records] == [
        (0, False, ["real"]),
        (2, True, []),
        (3, False, ["samples"]),
        (4, True, []),
        (6, True, ["samples"]),
        (7, True, ["samples"]),  # the last step is always logged
    ]
    assert sorted(path.name for path in (tmp_path / "checkpoints").glob("*.pt")) == ["step-000006.pt", "step-000007.pt"]
    assert set(records[1].scalars) == {
        "loss/discriminator",
        "loss/generator",
        "loss/penalty",
        "logits/real_mean",
        "logits/real_std",
        "logits/fake_mean",
        "logits/fake_std",
        "gradient_norm/discriminator",
        "gradient_norm/generator",
        "diversity/real",
        "diversity/fake",
        "images_per_second",
    }
    assert all(isinstance(value, float) for value in records[1].scalars.values())
    assert records[2].histograms["logits/real"].shape == (16,)


def test_same_seed_same_training_other_seed_another(run):
    first, second, third = (weights(run(seed=seed)[0]) for seed in (0, 0, 1))
    assert_close(first, second, atol=0, rtol=0)
    assert not torch.equal(first["generator"]["0.weight"], third["generator"]["0.weight"])


@pytest.mark.parametrize("penalty", [None, R1(0.1), WganGP(0.1)])
@pytest.mark.parametrize("discriminator_steps", [1, 3])
def test_resume_is_exact(run, make_state, tmp_path, penalty, discriminator_steps):
    options = {"penalty": penalty, "discriminator_steps": discriminator_steps}
    whole, records = run(steps=6, **options)
    run(steps=4, folder="cut", **options)
    resumed = make_state(seed=9)
    resumed.load_latest(tmp_path / "cut")
    resumed, later = run(state=resumed, steps=6, folder="cut", **options)
    assert_close(weights(resumed), weights(whole), atol=0, rtol=0)
    rows = [{k: v for k, v in r.scalars.items() if k != "images_per_second"} for r in (records[-1], later[-1])]
    assert rows[0] == rows[1]
    assert all("real" not in r.pictures for r in later)


def test_data_and_noise_do_not_depend_on_the_loss(make_state, make_problem, make_schedule, tmp_path, monkeypatch):
    """Paired comparison: whatever the loss, step k sees the same real batch and the same z."""

    def seen_by(loss):
        problem, seen = make_problem(loss), []
        state = make_state()
        monkeypatch.setattr(state.generator, "forward", lambda z, f=state.generator.forward: seen.append(z) or f(z))
        batch = problem.batches.batch
        monkeypatch.setattr(problem.batches, "batch", lambda k, d, part: seen.append(batch(k, d, part)) or seen[-1])
        train(state, problem, make_schedule(), RUNTIME, Memory(), tmp_path / "c")
        return seen

    least_squares, cross_entropy = seen_by(LeastSquares(0, 1, 1)), seen_by(NonSaturating())
    assert len(least_squares) > 12
    assert_close(least_squares, cross_entropy, atol=0, rtol=0)


def test_every_update_of_d_has_its_own_noise(run, make_state, monkeypatch):
    """Another z and another stream for the penalty at each step, also among several D steps."""
    latents, streams = [], []

    def penalty(discriminator, real, fake, noise):
        streams.append(noise([1]).item())
        return real.new_zeros(())

    state = make_state()
    monkeypatch.setattr(state.generator, "forward", lambda z, f=state.generator.forward: latents.append(z) or f(z))
    run(state=state, penalty=penalty, steps=4, discriminator_steps=3)
    assert len(set(streams)) == 12
    assert len({z.sum().item() for z in latents}) == len(latents) == 12


@pytest.mark.parametrize("idle", [True, False])
def test_a_thread_prepares_the_next_batch_where_a_core_is_idle(run, make_problem, monkeypatch, idle):
    monkeypatch.setattr(Runtime, "has_idle_core", idle)
    asked = []

    def points(ring, num, generator, original=GaussianRing.points):
        asked.append(threading.current_thread().name)
        return original(ring, num, generator)

    monkeypatch.setattr(GaussianRing, "points", points)
    run(steps=5, sample_every=100)
    prefetched = [name for name in asked if name == "prefetch_0"]
    assert len(prefetched) == (5 if idle else 0)  # the sixth batch is begun, and not used


def test_several_discriminator_steps(run, make_state, monkeypatch):
    state = make_state()
    counts = {"generator_optimizer": 0, "discriminator_optimizer": 0}
    for name in counts:
        optimizer = getattr(state, name)

        def step(optimizer_step=optimizer.step, name=name):
            counts[name] += 1
            optimizer_step()

        monkeypatch.setattr(optimizer, "step", step)
    run(state=state, steps=4, discriminator_steps=5)
    assert counts == {"generator_optimizer": 4, "discriminator_optimizer": 20}


def test_gradient_norms_are_those_of_the_last_update(run):
    state, records = run(steps=2)
    for side in ("generator", "discriminator"):
        squares = sum(p.grad.square().sum().item() for p in getattr(state, side).parameters())
        assert_close(records[-1].scalars[f"gradient_norm/{side}"], squares**0.5)


def test_a_loss_that_is_not_finite_keeps_the_last_checkpoint(run, make_state, tmp_path):
    state = make_state()
    run(state=state, steps=4)
    with torch.no_grad():
        state.discriminator[0].weight.fill_(float("nan"))
    advice = "lower optimizer.lr, or add or weaken a penalty; the last checkpoint stays"
    with pytest.raises(NonFiniteError, match=rf"^step 6: loss/discriminator is nan: {advice}$"):
        run(state=state, steps=9)
    assert sorted(path.name for path in (tmp_path / "checkpoints").glob("*.pt")) == ["step-000002.pt", "step-000004.pt"]


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_a_gradient_that_is_not_finite_is_told_too(run, make_state, network, monkeypatch):
    """The losses of the step are still good: they were computed before."""
    state = make_state()
    optimizer = getattr(state, f"{network}_optimizer")
    first = next(getattr(state, network).parameters())

    def step():
        first.grad.fill_(float("inf"))

    monkeypatch.setattr(optimizer, "step", step)
    with pytest.raises(NonFiniteError, match=rf"^step 2: gradient_norm/{network} is inf"):
        run(state=state, steps=4)


def test_weights_that_are_not_finite_are_not_saved(run, make_state, tmp_path):
    """Between two log lines nobody looks at the loss."""
    state = make_state()
    with torch.no_grad():
        state.generator[-1].bias.fill_(float("inf"))
    with pytest.raises(NonFiniteError, match=r"^step 2: the generator's weights or their optimizer's"):
        run(state=state, steps=4, log_every=100)
    assert list((tmp_path / "checkpoints").glob("*")) == []


def test_an_optimizer_whose_state_is_not_finite_is_not_saved(run, make_state, tmp_path):
    """Its weights still are: Adam divides by infinity."""
    state = make_state()
    run(state=state, steps=2)
    state.discriminator_optimizer.state[state.discriminator[0].weight]["exp_avg_sq"].fill_(float("inf"))
    with pytest.raises(NonFiniteError, match=r"^step 4: the discriminator's weights or their optimizer's"):
        run(state=state, steps=6, log_every=100)
    assert [path.name for path in (tmp_path / "checkpoints").glob("*.pt")] == ["step-000002.pt"]


LOOKS = ("__bool__", "__float__", "__int__", "item", "tolist", "numpy", "cpu", "nonzero")


def test_the_host_waits_on_logged_steps_only(run, make_state, monkeypatch):
    """Each look at a value makes the host wait for all the GPU's work before it."""
    state, looked_at = make_state(), []
    state.generator_optimizer, state.discriminator_optimizer = (
        torch.optim.Adam(net.parameters(), fused=True) for net in (state.generator, state.discriminator)
    )

    def noticed(method):
        def look(tensor, *args, **kwargs):
            looked_at.append(state.step)
            return method(tensor, *args, **kwargs)

        return look

    for name in LOOKS:
        monkeypatch.setattr(torch.Tensor, name, noticed(getattr(torch.Tensor, name)))
    run(state=state, steps=9, log_every=4, sample_every=100, checkpoint_every=100)
    assert set(looked_at) - {0, 9} == {4, 8}  # 0: the picture of real samples, 9: picture and checkpoint
    assert looked_at.count(4) == 1


def test_a_batch_that_does_not_fit_costs_one_sentence(run, tmp_path):
    def greedy(discriminator, real, fake, noise):
        return real.new_zeros(()) + torch.empty(2**60).sum()

    with pytest.raises(LsganError, match=r"^batch_size=16 does not fit into the memory: make it smaller, or the netw"):
        run(penalty=greedy)
    assert list((tmp_path / "checkpoints").glob("*")) == []


def test_other_errors_of_a_step_stay_what_they_are(run):
    def penalty(discriminator, real, fake, noise):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        run(penalty=penalty)


@pytest.fixture
def frozen(make_state):
    """A GAN whose G makes one sample for ever, and a watch of the last 4 steps."""

    def make(on_collapse):
        state = make_state(batch_norm=False)
        with torch.no_grad():
            state.generator[0].weight.zero_()
        state.generator_optimizer = torch.optim.SGD(state.generator[-1:].parameters(), lr=0.0)
        return state, CollapseWatch(LeastSquares(a=-1, b=1, c=0).reference, on_collapse, 4, 0.1)

    return make


def test_a_collapse_is_told_once_and_training_goes_on(run, frozen):
    state, watch = frozen("warn")
    state, records = run(state=state, watch=watch, steps=8)
    assert state.step == 8
    assert [(r.step, r.warning) for r in records if r.warning] == [(4, watch.alarm)]  # rows 2 and 4
    assert "the median diversity of its batches is 0 of the real ones'" in watch.alarm


def test_a_collapse_stops_the_run_and_saves_it(run, frozen, tmp_path):
    state, watch = frozen("stop")
    with pytest.raises(CollapsedError, match=r"^step 4: G makes nearly one sample: over the last 4 steps the median"):
        run(state=state, watch=watch, steps=9, checkpoint_every=100)
    assert state.step == 4
    assert [path.name for path in (tmp_path / "checkpoints").glob("*.pt")] == ["step-000004.pt"]
    with pytest.raises(
        CollapsedError, match=r"^the run has collapsed \(G makes .*\): add on_collapse=warn to go on all"
    ):
        run(state=state, watch=watch, steps=9)
    assert state.step == 4


def test_the_watch_changes_nothing_in_training(run, frozen):
    watched, unwatched = (run(watch=watch)[0] for watch in (frozen("warn")[1], None))
    assert_close(weights(watched), weights(unwatched), atol=0, rtol=0)


def test_it_learns(make_state, make_schedule, tmp_path):
    """One Gaussian at (1, 0): the mean of the samples moves there."""

    def distance():
        return (state.generator_ema.module(z).mean(0) - torch.tensor([1.0, 0.0])).norm()

    ring = GaussianRing(name="one", modes=1, std=0.1)
    problem = Problem(LeastSquares(a=-1, b=1, c=0), NoPenalty(), Normal(4), ring, ring.open(tmp_path, 64, 3))
    state, z = make_state(seed=3, halflife_images=2000), torch.randn(500, 4)
    at_the_end = {"log_every": 800, "sample_every": 800, "checkpoint_every": 800}
    before = distance()
    train(state, problem, make_schedule(steps=800, batch_size=64, **at_the_end), RUNTIME, Memory(), tmp_path / "c")
    assert distance() < before / 2


class Labelled:
    """Batch k holds points (k, 0), all of the class k mod 3."""

    def batch(self, index, device, part=slice(None)):
        return Batch(torch.tensor([[float(index), 0.0]]).repeat(16, 1), torch.full((16,), index % 3))


class Shown(GaussianRing):
    labels_shown = torch.tensor([0, 0, 1, 1, 2, 2])

    def picture(self, samples):
        self.__dict__["shown"] = samples
        return super().picture(samples)


class Told(nn.Module):
    """A network that writes down what it is told."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)
        self.seen = []

    def forward(self, x, labels):
        self.seen.append((x, labels))
        return self.linear(x)


def test_conditional_training_gives_both_networks_the_labels_of_the_batch(make_schedule, tmp_path):
    generator, discriminator = Told(4, 2), Told(2, 1)
    state = TrainState(
        generator,
        discriminator,
        Ema(generator, 0),
        torch.optim.SGD(generator.parameters(), lr=0.1),
        torch.optim.SGD(discriminator.parameters(), lr=0.1),
    )
    ring = Shown(name="ring")
    problem = Problem(LeastSquares(a=-1, b=1, c=0), NoPenalty(), Normal(4), ring, Labelled(), conditional=True)
    schedule = make_schedule(steps=2, discriminator_steps=2)
    train(state, problem, schedule, RUNTIME, Memory(), tmp_path / "checkpoints")
    assert [labels[0].item() for _, labels in generator.seen] == [0, 1, 2, 0]  # batches 0 to 3
    expected = [0, 0, 1, 1, 1, 2, 2, 0, 0, 0]  # real and fake for each batch, and the last one in G's step again
    assert [labels[0].item() for _, labels in discriminator.seen] == expected
    assert torch.equal(state.generator_ema.module.seen[-1][1], ring.labels_shown)
    assert len(ring.shown) == 6
