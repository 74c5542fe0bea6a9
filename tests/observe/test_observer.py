import subprocess
import sys

import pytest

from lsgan.errors import CollapsedError, LsganError
from lsgan.observe.best import KeepBest
from lsgan.observe.collapse import CollapseWatch
from lsgan.observe.histograms import Histograms
from lsgan.observe.numbers import Numbers
from lsgan.observe.observer import Best, Finding, Observer, Observers
from lsgan.observe.samples import Samples


class Metric(Observer):
    """Writes 1 in its column, and what it sees of others in `seen`."""

    def __init__(self, column="fid", every=10, reads=(), **finding):
        self.columns, self.every, self.reads, self.finding = (column,), every, reads, finding
        self.seen = []

    def see(self, view):
        self.seen.append(dict(view.row))
        return Finding({self.columns[0]: 1.0}, **self.finding)


class View:
    def __init__(self, row):
        self.row, self.step = row, 10


def look(name, observer, found):
    return View(found.scalars)


def usual(log_every=10, sample_every=200, checkpoint_every=500, best=None, **more):
    return Observers(
        {
            "collapse": CollapseWatch("warn", 500, 0.1),
            "best": KeepBest(best, "min", checkpoint_every),
            "numbers": Numbers(log_every),
            "samples": Samples(sample_every),
            "histograms": Histograms(sample_every),
            **more,
        }
    )


def due(observers, step, is_last=False):
    return set(observers.due(step, is_last))


# Pace


def test_each_has_its_pace_and_all_look_at_the_last_step():
    observers = usual()
    assert due(observers, 7) == set()
    assert due(observers, 10) == {"numbers", "collapse"}
    assert due(observers, 200) == {"numbers", "collapse", "samples", "histograms"}
    assert due(observers, 7, is_last=True) == {"numbers", "collapse", "samples", "histograms"}
    assert due(usual(log_every=7), 500) == set()  # nobody wants the best


def test_where_the_best_may_be_its_column_is_written():
    observers = usual(log_every=7, best="loss/generator")
    assert due(observers, 500) == {"numbers", "collapse", "best"}
    assert due(observers, 7) == {"numbers", "collapse"}
    assert due(observers, 3, is_last=True) == {"numbers", "collapse", "samples", "histograms", "best"}


def test_the_best_of_an_expensive_metric_is_looked_for_when_that_is_made():
    observers = usual(best="fid", fid=Metric(every=5000))
    assert "best" not in due(observers, 500)
    assert due(observers, 5000) >= {"best", "fid"}
    assert due(usual(best="fid", fid=Metric(every=100)), 100) == {"numbers", "collapse", "fid"}


def test_who_reads_looks_after_who_writes():
    for best in (None, "loss/generator"):
        order = usual(best=best).due(100, is_last=True)
        assert order.index("numbers") < order.index("collapse")
    assert order.index("numbers") < order.index("best")


def test_without_what_it_reads_the_watch_sleeps():
    observers = Observers({"collapse": CollapseWatch("warn", 500, 0.1), "samples": Samples(10)})
    assert observers.due(10, is_last=True) == ["samples"]


# Findings


def test_what_they_find_is_one_finding():
    first = Metric("a", summary="one", warnings={"odd": "It is odd."}, best=Best("a", 1.0, "min"))
    second = Metric("b", summary="two", stop=CollapsedError("dead"))
    third = Metric("c", stop=CollapsedError("too late"))
    found = Observers({"first": first, "second": second, "third": third}).see(look, ["first", "second", "third"])
    assert found.scalars == {"a": 1.0, "b": 1.0, "c": 1.0}
    assert (found.summary, found.warnings) == ("one  two", {"odd": "It is odd."})
    assert (str(found.stop), found.best) == ("dead", Best("a", 1.0, "min"))
    assert third.seen == [{"a": 1.0, "b": 1.0}]
    assert found
    assert not Finding()


def test_who_does_not_look_here_finds_nothing():
    observers = Observers({"a": Metric("a"), "b": Metric("b")})
    found = observers.see(lambda name, observer, found: View({}) if name == "b" else None, ["a", "b"])
    assert found.scalars == {"b": 1.0}


def test_the_best_is_read_from_the_row_or_it_is_told_once_that_there_is_none(caplog):
    best = KeepBest("fid", "max", 10)
    assert best.see(View({"fid": 2.0})) == Finding(best=Best("fid", 2.0, "max"))
    assert not caplog.messages
    for _ in range(2):
        assert best.see(View({})) is None
    assert caplog.messages == ["best_metric=fid has no value at step 10: no checkpoint is best by it"]
    with pytest.raises(ValueError, match="mode=up must be min or max"):
        KeepBest("fid", "up", 10)


def test_all_recall_the_rows_of_a_resumed_run():
    class Recalls(Metric):
        def recall(self, rows, loss):
            self.recalled = (list(rows), loss)

    first, second = Recalls("a"), Recalls("b")
    Observers({"first": first, "second": second}).recall(iter([{"step": 1}]), "loss")
    assert first.recalled == second.recalled == ([{"step": 1}], "loss")


# Mistakes


@pytest.mark.parametrize(
    ("observers", "sentence"),
    [
        (
            {"x": Metric("fid"), "y": Metric("fid")},
            r"observe.y and observe.x both write the column fid: .*\(~observe.y\)",
        ),
        ({"x": Metric(every=0)}, "observe.x.every=0 must be a number of steps, at least 1"),
        ({"x": Metric(every=1.5)}, "observe.x.every=1.5 must be a number of steps, at least 1"),
        ({"x": Metric(every=True)}, "observe.x.every=True must be a number of steps"),
        (
            {"x": Metric("kid"), "best": KeepBest("fid", "min", 10)},
            "observe.best: fid is no column of metrics.jsonl: choose one of kid",
        ),
        (
            {"x": Metric("a", reads=("b",)), "y": Metric("b", reads=("a",))},
            "observers read each other's columns in a circle: ",
        ),
    ],
)
def test_mistakes_are_told_at_once(observers, sentence):
    with pytest.raises(LsganError, match=sentence):
        Observers(observers)


def test_a_column_that_was_not_declared_is_told():
    metric = Metric("fid")
    metric.columns = ("FID",)
    metric.see = lambda view: Finding({"fid": 1.0})
    with pytest.raises(LsganError, match=r"observe.x writes fid, but does not name it among its columns: add it"):
        Observers({"x": metric}).see(look, ["x"])


def test_columns_are_known_without_torch():
    """So that best_metric= is checked at once."""
    program = """
import sys
from lsgan.observe import best, collapse, histograms, numbers, samples
from lsgan.observe.observer import Observers
observers = {"numbers": numbers.Numbers(10), "samples": samples.Samples(10), "histograms": histograms.Histograms(10)}
watch = collapse.CollapseWatch("warn", 10, 0.1)
found = Observers({**observers, "collapse": watch, "best": best.KeepBest("loss/generator", "min", 10)})
assert len(found.columns) == 12
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
