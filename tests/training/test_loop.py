import threading
import time

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from lsgan.data.batches import Batch
from lsgan.data.sets.gaussian_ring import GaussianRing
from lsgan.errors import CollapsedError, LsganError, NonFiniteError
from lsgan.losses import LeastSquares, NonSaturating
from lsgan.observe.best import KeepBest
from lsgan.observe.collapse import COLLAPSED, CollapseWatch
from lsgan.observe.observer import Finding, Observer, Observers
from lsgan.penalties import R1, NoPenalty, WganGP
from lsgan.training.checkpoints import Checkpoints, load_checkpoint
from lsgan.training.ema import Ema
from lsgan.training.gan import Data
from lsgan.training.machine import Machine
from lsgan.training.state import TrainState


def weights(state):
    return state.state_dict()["parts"]


def checkpoints(folder):
    return sorted(path.name for path in folder.glob("*.pt"))


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


@pytest.mark.parametrize("penalty", [NoPenalty(), R1(0.1), WganGP(0.1)])
@pytest.mark.parametrize("discriminator_steps", [1, 3])
def test_resume_is_exact(run, make_state, tmp_path, penalty, discriminator_steps):
    options = {"penalty": penalty, "discriminator_steps": discriminator_steps}
    whole, records = run(steps=6, **options)
    run(steps=4, folder="cut", **options)
    resumed = make_state(seed=9)
    Checkpoints(tmp_path / "cut", 2, 2).load_latest(resumed)
    resumed, later = run(state=resumed, steps=6, folder="cut", **options)
    assert_close(weights(resumed), weights(whole), atol=0, rtol=0)
    rows = [{k: v for k, v in r.scalars.items() if k != "images_per_second"} for r in (records[-1], later[-1])]
    assert rows[0] == rows[1]
    assert all("real" not in r.pictures for r in later)


def test_data_and_noise_do_not_depend_on_the_loss(run, make_gan, monkeypatch):
    """Paired comparison: whatever the loss, step k sees the same real batch and the same z."""

    def seen_by(loss):
        gan, latents, real = make_gan(loss=loss), [], {}  # a thread may prepare the next batch
        generator, batches = gan.state.generator, gan.data.batches
        monkeypatch.setattr(generator, "forward", lambda z, f=generator.forward: latents.append(z) or f(z))
        batch = batches.batch
        monkeypatch.setattr(batches, "batch", lambda k, d, part: real.setdefault(k, batch(k, d, part)))
        run(gan)
        return latents, [real[k].samples for k in range(6)]

    least_squares, cross_entropy = seen_by(LeastSquares(0, 1, 1)), seen_by(NonSaturating())
    assert len(least_squares[0]) == 6
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
def test_a_thread_prepares_the_next_batch_where_a_core_is_idle(run, make_observers, monkeypatch, idle):
    monkeypatch.setattr(Machine, "has_idle_core", idle)
    asked = []

    def points(ring, num, generator, original=GaussianRing.points):
        asked.append(threading.current_thread().name)
        return original(ring, num, generator)

    monkeypatch.setattr(GaussianRing, "points", points)
    run(steps=5, observers=make_observers(sample_every=100))
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
    advice = "lower optimizer.lr, or add or weaken a penalty; the last checkpoint stays, step-000004.pt"
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


def test_weights_that_are_not_finite_are_not_saved(run, make_state, make_observers, tmp_path):
    """Between two log lines nobody looks at the loss."""
    state = make_state()
    with torch.no_grad():
        state.generator[-1].bias.fill_(float("inf"))
    with pytest.raises(
        NonFiniteError, match=r"^step 2: the generator's weights .*; no checkpoint has been written yet$"
    ):
        run(state=state, steps=4, observers=make_observers(log_every=100))
    assert list((tmp_path / "checkpoints").glob("*")) == []


def test_an_optimizer_whose_state_is_not_finite_is_not_saved(run, make_state, make_observers, tmp_path):
    """Its weights still are: Adam divides by infinity."""
    state = make_state()
    run(state=state, steps=2)
    state.discriminator_optimizer.state[state.discriminator[0].weight]["exp_avg_sq"].fill_(float("inf"))
    with pytest.raises(NonFiniteError, match=r"^step 4: the discriminator's weights or their optimizer's"):
        run(state=state, steps=6, observers=make_observers(log_every=100))
    assert [path.name for path in (tmp_path / "checkpoints").glob("*.pt")] == ["step-000002.pt"]


LOOKS = ("__bool__", "__float__", "__int__", "item", "tolist", "numpy", "cpu", "nonzero")


def test_the_host_waits_on_logged_steps_only(run, make_state, make_observers, monkeypatch):
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
    run(state=state, steps=9, observers=make_observers(4, 100), checkpoint_every=100)
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
def frozen(make_gan, make_state, make_observers):
    """A GAN whose G makes one sample for ever, and observers with a watch of the last 4 steps."""

    def make(on_collapse):
        state = make_state(batch_norm=False)
        with torch.no_grad():
            state.generator[0].weight.zero_()
        state.generator_optimizer = torch.optim.SGD(state.generator[-1:].parameters(), lr=0.0)
        return make_gan(state), make_observers(collapse=CollapseWatch(on_collapse, 4, 0.1))

    return make


def test_a_collapse_is_told_once_and_training_goes_on(run, frozen):
    gan, observers = frozen("warn")
    state, records = run(gan, observers=observers, steps=8)
    assert state.step == 8
    assert [(r.step, list(r.warnings)) for r in records if r.warnings] == [(4, [COLLAPSED])]  # rows 2 and 4
    (told,) = [record.warnings[COLLAPSED] for record in records if record.warnings]
    assert "the median diversity of its batches is 0 of the real ones'" in told


def test_a_collapse_stops_the_run_and_saves_it(run, frozen, tmp_path):
    gan, observers = frozen("stop")
    with pytest.raises(CollapsedError, match=r"^step 4: G makes nearly one sample: over the last 4 steps the median"):
        run(gan, observers=observers, steps=9, checkpoint_every=100)
    assert gan.state.step == 4
    assert checkpoints(tmp_path / "checkpoints") == ["step-000004.pt"]
    with pytest.raises(
        CollapsedError, match=r"^the run has collapsed \(G makes .*\): add on_collapse=warn to go on all"
    ):
        observers.recall([], gan.recipe.loss)


def test_the_watch_changes_nothing_in_training(run, frozen, make_observers):
    watched = run(frozen("warn")[0], observers=frozen("warn")[1])[0]
    unwatched = run(frozen("warn")[0])[0]
    assert_close(weights(watched), weights(unwatched), atol=0, rtol=0)


class Metric(Observer):
    """A column of its own, and a best."""

    columns = ("metric",)

    def __init__(self, every, values=()):
        self.every, self._values = every, iter(values)

    def see(self, view):
        return Finding({"metric": next(self._values, 0.0)}, summary="a metric")


def test_a_row_that_holds_only_a_metric_is_ordinary(run, make_observers):
    _, records = run(steps=6, observers=make_observers(log_every=6, sample_every=6, metric=Metric(2)))
    assert [(r.step, sorted(r.scalars)) for r in records[1:3]] == [(2, ["metric"]), (4, ["metric"])]
    assert records[-1].scalars["metric"] == 0
    assert len(records[-1].scalars) == 13
    assert records[-1].summary.endswith("  a metric")


def test_the_checkpoint_with_the_best_metric_stays(run, make_observers, tmp_path):
    """It is looked at when it is written, every third step, and not when checkpoints are, every second."""
    metric, best = Metric(3, [5.0, 2.0, 3.0, 4.0]), KeepBest("metric", "min", 2)
    run(steps=10, keep=1, observers=make_observers(metric=metric, best=best))
    content = load_checkpoint(tmp_path / "checkpoints" / "best.pt")
    assert (content["step"], content["best"]) == (6, {"metric": "metric", "value": 2.0})
    assert checkpoints(tmp_path / "checkpoints") == ["best.pt", "step-000010.pt"]


def test_where_the_best_is_kept_its_column_is_written(run, make_observers):
    """Rows come every 4 steps, and besides where a checkpoint may be the best: every 6."""
    best = KeepBest("loss/generator", "min", 6)
    _, records = run(steps=12, observers=make_observers(log_every=4, sample_every=100, best=best))
    assert [r.step for r in records if r.scalars] == [4, 6, 8, 12]


def test_observers_time_is_not_that_of_the_training(run, make_observers):
    class Slow(Metric):
        def see(self, view):
            time.sleep(0.5)
            return super().see(view)

    _, records = run(steps=4, observers=make_observers(log_every=4, sample_every=100, metric=Slow(1)))
    assert records[-1].scalars["images_per_second"] > 4 * 16 / 1.0  # with the four looks it would be at most 32


def test_nothing_needs_to_be_looked_at(run, tmp_path):
    state, records = run(steps=4, observers=Observers({}))
    assert state.step == 4
    assert [record.step for record in records if record.scalars or record.pictures] == []
    assert checkpoints(tmp_path / "checkpoints") == ["step-000002.pt", "step-000004.pt"]


def test_it_learns(run, make_gan, make_state, make_observers, tmp_path):
    """One Gaussian at (1, 0): the mean of the samples moves there."""

    def distance():
        return (state.generator_ema.module(z).mean(0) - torch.tensor([1.0, 0.0])).norm()

    ring = GaussianRing(name="one", modes=1, std=0.1)
    state, z = make_state(seed=3, halflife_images=2000), torch.randn(500, 4)
    gan = make_gan(state, Data(ring, ring.open(tmp_path, 64, 3)), batch_size=64)
    before = distance()
    run(gan, steps=800, observers=make_observers(800, 800), checkpoint_every=800)
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


def told_gan(make_gan, **recipe):
    generator, discriminator = Told(4, 2), Told(2, 1)
    optimizers = [torch.optim.SGD(net.parameters(), lr=0.1) for net in (generator, discriminator)]
    state = TrainState(generator, discriminator, Ema(generator, 0), *optimizers)
    return make_gan(state, Data(Shown(name="ring"), Labelled(), conditional=True), **recipe)


def test_conditional_training_gives_both_networks_the_labels_of_the_batch(run, make_gan):
    gan = told_gan(make_gan, discriminator_steps=2)
    run(gan, steps=2)
    state, ring = gan.state, gan.data.dataset
    assert [labels[0].item() for _, labels in state.generator.seen] == [0, 1, 2, 0]  # batches 0 to 3
    expected = [0, 0, 1, 1, 1, 2, 2, 0, 0, 0]  # real and fake for each batch, and the last one in G's step again
    assert [labels[0].item() for _, labels in state.discriminator.seen] == expected
    assert torch.equal(state.generator_ema.module.seen[-1][1], ring.labels_shown)
    assert len(ring.shown) == 6
