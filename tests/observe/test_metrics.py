"""Metrics while training, with an extractor whose features are the samples themselves."""

import logging
import math

import pytest
import torch
from torch import nn

from lsgan.errors import LsganError
from lsgan.evaluation.features import Extracted
from lsgan.observe.metrics import Metrics


class Coordinates:
    """The simplest extractor."""

    name, dim, digest, rule, classes = "coordinates", 2, "0" * 64, "as they are", None

    def load(self, device):
        pass

    def __call__(self, samples):
        return Extracted(samples.float(), None)


class View:
    """Real points about (0, 0), held-out ones about (1, 0), fakes as told; raw ones lie 10 further."""

    generator = nn.Linear(1, 1)
    data, num_ranks, dataset = {"points": "some"}, 1, None

    def __init__(self, step=4, fake=0.0, is_last=False, num=100, num_held_out=50):
        self.step, self.fake, self.is_last, self.num = step, fake, is_last, {False: num, True: num_held_out}
        self.asked = []

    def num_reals(self, held_out=False):
        return self.num[held_out]

    def reals(self, num, *, held_out=False):
        self.asked.append((num, held_out))
        yield points(num, 1.0 if held_out else 0.0)

    def fakes(self, num, *, average=True):
        yield points(num, self.fake + (0 if average else 10))

    def gather(self, values):
        return values


def points(num, x):
    return torch.randn(num, 2, generator=torch.Generator().manual_seed(3)) + torch.tensor([x, 0.0])


@pytest.fixture
def metrics():
    return Metrics(every=2, num_samples=64, extractor=Coordinates())


def test_each_side_and_each_kind_of_weights_is_a_group_of_columns(metrics):
    found = metrics.see(View(fake=1.0)).scalars
    assert set(found) == {
        f"{side}/{name}"
        for side in ("metric", "held_out")
        for name in ("mind", "kid", "fid", "precision", "recall", "density", "coverage")
    }
    assert found["metric/fid"] == pytest.approx(1, rel=1e-5)  # moved by 1, else the same points
    assert found["held_out/fid"] < found["metric/fid"] / 5
    assert set(found) <= set(metrics.columns)


def test_each_number_has_its_label(metrics):
    found = metrics.see(View(is_last=True))
    assert found.labels.keys() == found.scalars.keys()
    assert found.labels["metric/fid"].startswith("of G's average: features coordinates 00000000 (as they are), 50 gen")
    assert "50 training samples" in found.labels["metric/fid"]
    assert "50 held-out samples" in found.labels["held_out/fid"]
    assert found.labels["raw/fid"] == found.labels["metric/fid"].replace("G's average", "G's raw weights")


def test_the_last_look_takes_the_raw_weights_too(metrics):
    found = metrics.see(View(fake=1.0, is_last=True)).scalars
    assert found["raw/fid"] == pytest.approx(121, rel=1e-5)
    assert not [name for name in metrics.see(View(fake=1.0)).scalars if name.startswith("raw/")]


def test_real_features_are_taken_once(metrics):
    view = View()
    metrics.see(view)
    metrics.see(view)
    assert view.asked == [(50, False), (50, True)]  # as many of each as the smaller side has
    alone = View(num_held_out=0)
    Metrics(2, 64, Coordinates()).see(alone)
    assert alone.asked == [(64, False)]


def test_without_held_out_samples_there_is_nothing_to_say_of_them(metrics):
    found = metrics.see(View(num_held_out=0)).scalars
    assert {name.partition("/")[0] for name in found} == {"metric"}


def test_too_few_held_out_samples_are_told_and_left_out(metrics, caplog):
    found = metrics.see(View(num_held_out=15)).scalars
    assert {name.partition("/")[0] for name in found} == {"metric"}
    assert "metrics need 16 real samples, and there are 15: they are left out" in caplog.messages
    assert "held_out/fid" in Metrics(2, 64, Coordinates()).see(View(num_held_out=16)).scalars


def test_what_cannot_be_had_is_told_before_the_first_step():
    class Missing(Coordinates):
        def load(self, device):
            raise LsganError("the weights cannot be had")

    with pytest.raises(LsganError, match=r"^the weights cannot be had$"):
        Metrics(2, 64, Missing()).begin(View())


def test_ranks_share_a_multiple_of_them(metrics):
    view = View(num=63, num_held_out=0)
    view.num_ranks = 4
    found = metrics.see(view).scalars
    assert view.asked == [(60, False)]
    assert {name.partition("/")[0] for name in found} == {"metric"}


def test_two_ranks_tell_what_one_does():
    class FirstOfTwo(View):
        """Has every other sample, and gets the others' features from the second rank."""

        num_ranks = 2

        def reals(self, num, *, held_out=False):
            (whole,) = super().reals(num, held_out=held_out)
            yield self.shared(whole)

        def fakes(self, num, *, average=True):
            (whole,) = super().fakes(num, average=average)
            yield self.shared(whole)

        def shared(self, whole):
            self.of_second = whole[1::2]
            return whole[::2]

        def gather(self, values):
            return torch.cat([values, self.of_second])

    one, two = (Metrics(2, 50, Coordinates()).see(view(fake=1.0)).scalars for view in (View, FirstOfTwo))
    assert two == pytest.approx(one, rel=1e-9)


def test_last_best_and_raw_are_told_together_at_the_end(metrics, caplog):
    metrics.recall([{"step": 2, "metric/fid": 0.5, "loss/generator": 1}, {"step": 3, "loss/generator": 1}], None)
    with caplog.at_level(logging.INFO, "lsgan"):
        metrics.see(View(step=4, fake=1.0, num_held_out=0))
        (label,) = caplog.messages
        assert label.startswith(
            "metric/…: features coordinates 00000000 (as they are), 64 generated against 64 training"
        )
        metrics.see(View(step=6, fake=2.0, is_last=True, num_held_out=0))
    line = next(line for line in caplog.messages if line.startswith("FID"))
    assert line.split() == ["FID", "last", "4", "(raw", "weights", "144),", "best", "0.5", "at", "step", "2"]
    density = next(line for line in caplog.messages if line.startswith("density"))
    assert density.endswith("at step 4")  # more is better


def test_the_summary_is_for_the_log(metrics):
    assert metrics.see(View(fake=1.0)).summary.startswith("MIND ")


def test_the_cache_is_used_by_another_run(tmp_path):
    first, second = (Metrics(2, 64, Coordinates(), tmp_path) for _ in range(2))
    views = [View(), View()]
    a, b = first.see(views[0]).scalars, second.see(views[1]).scalars
    assert a == b
    assert views[0].asked
    assert not views[1].asked
    other = View()
    other.data = {"points": "others"}
    Metrics(2, 64, Coordinates(), tmp_path).see(other)
    assert other.asked  # these are not the same data


def test_a_sample_that_is_no_number_is_told(metrics):
    with pytest.raises(LsganError, match=r"NaN|finite"):
        metrics.see(View(fake=math.nan))


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match=r"^num_samples=15 must be at least 16: fewer tell nothing$"):
        Metrics(2, 15, Coordinates())
    Metrics(2, 16, Coordinates())
