import copy

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from lsgan.data.batches import Batch
from lsgan.data.feeding import StoreBatches
from lsgan.data.sets.gaussian_ring import GaussianRing
from lsgan.data.store import Store
from lsgan.errors import LsganError
from lsgan.observe.observer import Finding, Observer
from lsgan.streams import stream
from lsgan.training import view as module
from lsgan.training.ema import Ema
from lsgan.training.gan import Data
from lsgan.training.machine import Machine
from lsgan.training.runtime import Runtime
from lsgan.training.view import Clock, Moment, looking
from lsgan.world import World

CPU = torch.device("cpu")


@pytest.fixture
def images(tmp_path):
    """Forty images of one pixel each, of which nine are held out."""
    pixels = np.arange(40, dtype=np.uint8)[:, None, None, None]
    batches = StoreBatches(Store(tmp_path, pixels, None, None, "5ha"), 16, seed=0, num_held_out=9)
    return Data(GaussianRing(name="no ring"), batches)


def drawn(gan, name="fid", num=40, shared=False):
    return torch.cat(list(Moment(gan, name, shared=shared).fakes(num)))


def test_fakes_are_samples_of_the_average_fresh_for_each_observer_and_step(make_gan):
    gan = make_gan()
    first = drawn(gan)
    assert first.shape == (40, 2)
    assert_close(drawn(gan), first, atol=0, rtol=0)  # looking again shows the same
    assert_close(drawn(gan, num=20), first[:20], atol=0, rtol=0)
    assert not torch.equal(drawn(gan, name="kid"), first)
    with torch.no_grad():
        gan.state.generator_ema.module[-1].bias += 1
    assert_close(drawn(gan), first + 1)
    gan.state.step = 1
    assert not torch.equal(drawn(gan), first + 1)
    assert [len(batch) for batch in Moment(gan, "fid", shared=False).fakes(40)] == [16, 16, 8]


def real(gan, num, shared=False, **side):
    return torch.cat(list(Moment(gan, "fid", shared=shared).reals(num, **side)))


def test_the_reals_that_are_shown_are_the_first_of_the_training(make_gan):
    gan = make_gan(batch_size=1500)
    assert gan.data.dataset.samples_shown == 2048
    batches = [gan.data.batches.batch(k, CPU).samples for k in (0, 1)]
    assert_close(Moment(gan, "fid", shared=False).shown_reals(), torch.cat(batches)[:2048], atol=0, rtol=0)
    everywhere = make_gan(batch_size=1500, machine=Machine(Runtime("cpu", "fp32"), World(1, 3)))
    assert len(Moment(everywhere, "fid", shared=True).shown_reals()) == 2048  # as shown_fakes


def test_reals_are_those_of_the_data(make_gan):
    gan = make_gan()
    expected = torch.cat([batch.samples for batch in gan.data.batches.reals(20, CPU)])
    assert_close(real(gan, 20), expected, atol=0, rtol=0)
    assert_close(real(make_gan(seed=1), 20), expected, atol=0, rtol=0)


def test_all_reals_there_are(make_gan, images):
    gan = make_gan(data=images)
    moment = Moment(gan, "fid", shared=False)
    assert (moment.num_reals(), moment.num_reals(held_out=True)) == (31, 9)
    seen, unseen = real(gan, None), real(gan, None, held_out=True)
    pixels = (torch.cat([seen, unseen]).flatten() + 1) * 127.5
    assert_close(pixels.sort().values, torch.arange(40.0), atol=1e-4, rtol=0)
    with pytest.raises(LsganError, match="10 real images are asked for, and 9 are held out: ask for 9 at most"):
        real(gan, 10, held_out=True)
    gans = [make_gan(data=images, machine=Machine(Runtime("cpu", "fp32"), World(rank, 3))) for rank in range(3)]
    parts = [real(gan, None, shared=True, held_out=True) for gan in gans]
    assert [len(part) for part in parts] == [3, 3, 3]
    assert sorted(torch.cat(parts).flatten().tolist()) == sorted(unseen.flatten().tolist())
    with pytest.raises(LsganError, match="3 ranks cannot share 31 samples: ask for a multiple of them"):
        real(gans[0], None, shared=True)


def test_ranks_share_what_an_observer_of_all_sees(make_gan):
    runtime = Runtime("cpu", "fp32")
    gans = [make_gan(machine=Machine(runtime, World(rank, 2))) for rank in range(2)]
    whole, parts = drawn(make_gan(), num=16), [drawn(gan, num=16, shared=True) for gan in gans]
    assert [len(part) for part in parts] == [8, 8]
    assert_close(torch.cat(parts), whole, atol=0, rtol=0)
    for draw in (drawn, real):  # also where the last batch is not wanted whole
        parts = [draw(gan, num=22, shared=True) for gan in gans]
        assert [len(part) for part in parts] == [11, 11]
        together = torch.cat([parts[0][:8], parts[1][:8], parts[0][8:], parts[1][8:]])
        assert_close(together, draw(make_gan(), num=22), atol=1e-6, rtol=0)
    assert_close(drawn(gans[0], num=16), whole, atol=0, rtol=0)  # rank 0 looks alone
    with pytest.raises(LsganError, match="2 ranks cannot share 5 samples: ask for a multiple of them"):
        drawn(gans[0], num=5, shared=True)


def test_fakes_of_g_itself(make_gan):
    """From the same z as those of the average, in evaluation mode: the running statistics say how they are made."""
    gan = make_gan()
    for _ in range(3):
        gan.step()
    before = copy.deepcopy(gan.state.generator)
    gan.state.generator[2].training = False  # whoever has set it so has it so again
    found = torch.cat(list(Moment(gan, "fid", shared=False).fakes(40, average=False)))
    draw = stream(0, "fakes, seen by fid", 3)
    z = torch.cat([gan.recipe.latent.sample(16, draw) for _ in range(3)])[:40]
    assert_close(found, before.eval()(z), atol=1e-6, rtol=0)
    assert_close(drawn(gan), gan.state.generator_ema.module(z), atol=1e-6, rtol=0)
    assert not torch.allclose(found, drawn(gan))
    assert [module.training for module in gan.state.generator] == [True, True, False, True]
    assert gan.state.generator.training


class LooksAtG(Observer):
    every = 1
    columns = ("spread",)

    def see(self, view):
        next(view.fakes(40, average=False))  # and leaves the others
        return Finding({"spread": torch.cat(list(view.fakes(40, average=False))).std().item()})


def test_looking_at_g_itself_changes_nothing_in_what_is_trained(run, make_gan, make_observers):
    looked_at, _ = run(make_gan(), folder="a", observers=make_observers(spread=LooksAtG()))
    alone, _ = run(make_gan(), folder="b")
    assert_close(looked_at.state_dict(), alone.state_dict(), atol=0, rtol=0)


class Labelled:
    def batch(self, index, device, part=slice(None)):
        return Batch(torch.zeros(16, 2)[part], torch.full((16,), index)[part])


class Told(torch.nn.Module):
    def forward(self, z, labels):
        return labels[:, None].float()


def test_fakes_are_told_the_labels_of_real_batches(make_gan, make_state):
    state = make_state()
    state.generator_ema = Ema(Told(), 0)
    gan = make_gan(state, Data(GaussianRing(name="ring"), Labelled(), conditional=True))
    assert drawn(gan, num=33).flatten().tolist() == [0] * 16 + [1] * 16 + [2]


def test_pauses_do_not_count(make_gan, monkeypatch):
    now = iter([100.0, 103.0, 110.0, 111.0, 120.0])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(now))
    gan = make_gan()
    clock = Clock(gan)
    gan.state.step = 2
    with clock.paused():  # from 103 to 110
        assert clock.seconds == 3
    with clock.paused():
        assert (clock.seconds, clock.images) == (4, 32)


class Looks(Observer):
    every = 1

    def see(self, view):
        return None


class LooksOnAllRanks(Looks):
    on_all_ranks = True


def test_who_looks_where(make_gan):
    for rank in (0, 1):
        gan = make_gan(machine=Machine(Runtime("cpu", "fp32"), World(rank, 2)))
        look = looking(gan, Clock(gan))
        assert (look("a", Looks(), Finding()) is None) == (rank == 1)
        assert look("a", LooksOnAllRanks(), Finding()) is not None
