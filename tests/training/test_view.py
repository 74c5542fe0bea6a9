import pytest
import torch
from torch.testing import assert_close

from lsgan.data.batches import Batch
from lsgan.data.sets.gaussian_ring import GaussianRing
from lsgan.errors import LsganError
from lsgan.observe.observer import Finding, Observer
from lsgan.training import view as module
from lsgan.training.ema import Ema
from lsgan.training.gan import Data
from lsgan.training.machine import Machine
from lsgan.training.runtime import Runtime
from lsgan.training.view import Clock, Moment, looking
from lsgan.world import World


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


def test_reals_are_the_first_of_the_training(make_gan):
    gan = make_gan()
    found = torch.cat(list(Moment(gan, "fid", shared=False).reals(20)))
    batches = [gan.data.batches.batch(k, torch.device("cpu")).samples for k in (0, 1)]
    assert_close(found, torch.cat(batches)[:20], atol=0, rtol=0)


def test_ranks_share_what_an_observer_of_all_sees(make_gan):
    runtime = Runtime("cpu", "fp32")
    gans = [make_gan(machine=Machine(runtime, World(rank, 2))) for rank in range(2)]
    whole, parts = drawn(make_gan(), num=16), [drawn(gan, num=16, shared=True) for gan in gans]
    assert [len(part) for part in parts] == [8, 8]
    assert_close(torch.cat(parts), whole, atol=0, rtol=0)
    reals = [torch.cat(list(Moment(gan, "fid", shared=True).reals(12))) for gan in gans]
    assert [len(part) for part in reals] == [6, 6]
    assert_close(drawn(gans[0], num=16), whole, atol=0, rtol=0)  # rank 0 looks alone
    with pytest.raises(LsganError, match="2 ranks cannot share 5 samples: ask for a multiple of them"):
        drawn(gans[0], num=5, shared=True)


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
