import json

import pytest

from lsgan.errors import CollapsedError
from lsgan.losses import (
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    RelativisticPaired,
    Wasserstein,
)
from lsgan.observe.collapse import COLLAPSED, DISCRIMINATOR_WON, CollapseWatch

LOSS = LeastSquares(a=-1, b=1, c=0)  # at equilibrium D's loss is 1 and G's 0; if D wins G's is 0.5


def watch(steps=30, share=0.1, on_collapse="warn"):
    return CollapseWatch(on_collapse, steps, share)


def row(step, d_loss=1.0, g_loss=0.0, share=1.0):
    losses = {"loss/discriminator": d_loss, "loss/generator": g_loss}
    return {"step": step, **losses, "diversity/real": 0.5, "diversity/fake": 0.5 * share}


def told(the_watch, rows, loss=LOSS):
    """Each warning with its step."""
    return [(r["step"], flag) for r in rows for flag in the_watch.read(r, loss.reference)]


def sentence(the_watch, rows, flag):
    return next(warnings[flag] for r in rows if flag in (warnings := the_watch.read(r, LOSS.reference)))


def test_d_has_won_once_the_window_is_full_and_once_a_run():
    """Which is no collapse: the samples may still get better."""
    rows = [row(step, 0.01, 0.5) for step in range(10, 101, 10)]
    assert told(watch(), rows) == [(30, DISCRIMINATOR_WON)]
    assert sentence(watch(), rows, DISCRIMINATOR_WON) == (
        "D has won: over the last 30 steps the median of D's loss is 0.01 and of G's 0.5; look at the samples, and if "
        "they get no better add a penalty (penalty=r1), take more data, or lower optimizer.discriminator.lr"
    )


def test_lost_diversity_is_collapse():
    rows = [row(step, share=0.05) for step in range(10, 101, 10)]
    assert told(watch(), rows) == [(30, COLLAPSED)]
    assert sentence(watch(), rows, COLLAPSED) == (
        "G makes nearly one sample: over the last 30 steps the median diversity of its batches is 0.05 of the real "
        "ones'; lower optimizer.generator.lr, or change the loss or the architecture"
    )


def test_both_can_be_told_each_at_its_time():
    rows = [row(step, 0.01, 0.5, share=1.0 if step < 50 else 0.01) for step in range(10, 101, 10)]
    assert told(watch(), rows) == [(30, DISCRIMINATOR_WON), (60, COLLAPSED)]
    assert told(watch(), [row(step, 0.01, 0.5, 0.01) for step in range(10, 101, 10)]) == [
        (30, COLLAPSED), (30, DISCRIMINATOR_WON),
    ]  # fmt: skip


class View:
    """What the watch asks of one."""

    loss = LOSS

    def __init__(self, row):
        self.step, self.row = row["step"], {name: value for name, value in row.items() if name != "step"}


@pytest.mark.parametrize(("on_collapse", "stops"), [("warn", False), ("stop", True)])
def test_only_a_collapse_stops_a_run_and_only_if_it_is_to(on_collapse, stops):
    the_watch = watch(on_collapse=on_collapse)
    findings = [the_watch.see(View(row(step, 0.01, 0.5))) for step in (10, 20, 30)]
    assert findings[:2] == [None, None]
    assert list(findings[2].warnings) == [DISCRIMINATOR_WON]
    assert findings[2].stop is None
    found = [the_watch.see(View(row(step, 0.01, 0.5, 0.01))) for step in (40, 50)][1]
    assert list(found.warnings) == [COLLAPSED]
    if stops:
        assert isinstance(found.stop, CollapsedError)
        assert str(found.stop).startswith("step 50: G makes nearly one sample: over the last 30 steps the median")
    else:
        assert found.stop is None


def test_a_run_that_has_collapsed_does_not_go_on_if_it_is_to_stop():
    dead, won = ([row(step, 0.01, 0.5, share) for step in (10, 20, 30)] for share in (0.01, 1.0))
    with pytest.raises(
        CollapsedError, match=r"^the run has collapsed \(G makes .*\): add on_collapse=warn to go on all"
    ):
        watch(on_collapse="stop").recall(dead, LOSS)
    watch(on_collapse="warn").recall(dead, LOSS)
    watch(on_collapse="stop").recall(won, LOSS)


def test_what_was_told_before_a_resume_is_not_told_again():
    the_watch = watch()
    the_watch.recall([row(step, 0.01, 0.5, 0.01) for step in (10, 20, 30)], LOSS)
    assert the_watch.see(View(row(40, 0.01, 0.5, 0.01))) is None


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        (("wait", 10, 0.1), "on_collapse=wait must be warn or stop"),
        (("warn", 0, 0.1), "steps=0 must be at least 1"),
        (("warn", 10, 1.1), "diversity=1.1 must be a share in"),
        (("warn", 10, float("nan")), "diversity=nan must be a share in"),
    ],
)
def test_other_settings_are_refused(values, rule):
    with pytest.raises(ValueError, match=rule):
        CollapseWatch(*values)


@pytest.mark.parametrize(
    ("loss", "d_loss", "g_loss", "raised"),
    [
        (LOSS, 0.019, 0.41, True),  # below 2% of 1; over 80% of the way from 0 to 0.5
        (LOSS, 0.021, 0.5, False),
        (LOSS, 0.019, 0.39, False),
        (LOSS, 0.01, 0.9, True),  # past the value: D(fake) is below a
        (LeastSquares(a=0, b=1, c=1), 0.0049, 0.43, True),  # 2% of 0.25; 0.125 + 80% of 0.375 is 0.425
        (LeastSquares(a=0, b=1, c=1), 0.0051, 0.43, False),
        (LeastSquares(a=0, b=1, c=1), 0.0049, 0.42, False),
        (Minimax(), 0.02, -0.1, True),  # from -0.693 to 0
        (Minimax(), 0.02, -0.2, False),
        (Hinge(), 0.03, 0.9, True),  # equilibrium not determined: all the way is 1
        (NonSaturating(), 0.001, 9.0, False),  # no finite value: not watched
        (Wasserstein(), 0.0, 9.0, False),
        (LeastSquares(a=-1, b=1, c=0.5, k=3), 0.019, 1.37, True),  # from 0.5³/2 to 1.5³/2: 0.0625 + 80% is 1.3625
        (LeastSquares(a=-1, b=1, c=0.5, k=3), 0.019, 1.35, False),
        (RelativisticPaired(a=-1, b=1, c=0), 0.019, 0.81, True),  # from 0 to 1
        (RelativisticPaired(a=-1, b=1, c=0), 0.019, 0.79, False),
        (RelativisticAverage(a=0, b=1, c=1), 0.254, 2.1, True),  # D's from 0.5 to 0.25, G's from 1 to 2.25
        (RelativisticAverage(a=0, b=1, c=1), 0.256, 2.1, False),
    ],
)
def test_where_d_has_won(loss, d_loss, g_loss, raised):
    found = told(watch(), [row(step, d_loss, g_loss) for step in (10, 20, 30)], loss)
    assert found == [(30, DISCRIMINATOR_WON)] * raised


@pytest.mark.parametrize(("share", "least", "raised"), [(0.09, 0.1, True), (0.11, 0.1, False), (0.0, 0.0, False)])
def test_where_diversity_is_lost(share, least, raised):
    assert told(watch(share=least), [row(step, share=share) for step in (10, 20, 30)]) == [(30, COLLAPSED)] * raised


def test_the_median_of_the_window_decides():
    bad, good = (0.001, 0.5), (1.0, 0.0)
    pattern = [bad, good, bad, good, good, bad, bad, good, bad]  # windows of 3: bad at 10-30 already
    rows = [row(10 * i, *losses) for i, losses in enumerate(pattern, 1)]
    assert told(watch(), rows) == [(30, DISCRIMINATOR_WON)]
    pattern = [good, good, bad, good, good, bad, good, bad, bad]
    rows = [row(10 * i, *losses) for i, losses in enumerate(pattern, 1)]
    assert told(watch(), rows) == [(80, DISCRIMINATOR_WON)]  # 60 to 80: bad, good, bad


def test_an_early_bad_phase_shorter_than_the_window_is_no_alarm():
    rows = [row(step, share=0.01 if step <= 240 else 0.9) for step in range(10, 2000, 10)]
    assert told(watch(steps=500), rows) == []


def test_seldom_logged_runs_are_judged_on_what_is_logged():
    assert told(watch(steps=30), [row(step, 0.0, 0.5) for step in (100, 200)]) == [(100, DISCRIMINATOR_WON)]


def test_rows_without_the_numbers_show_nothing():
    rows = [{**row(step), "loss/discriminator": None, "loss/generator": 0.5} for step in range(10, 100, 10)]
    assert told(watch(), rows) == []
    assert told(watch(), [row(10), row(20), {**row(30), "diversity/real": 0.0}]) == []


def test_rows_of_others_are_passed_over():
    """Before, the column that they lack made the median of the window NaN, and the alarm was missed."""
    metric = [{"step": step, "fid": 3.0} for step in range(5, 101, 10)]
    rows = sorted([*metric, *(row(step, share=0.05) for step in range(10, 101, 10))], key=lambda r: r["step"])
    assert told(watch(), rows) == [(30, COLLAPSED)]
    assert told(watch(), metric) == []


def test_a_resumed_watch_raises_the_same_alarm_at_the_same_step():
    """Whatever the step of the interruption; rows come back from JSON."""
    rows = [row(step, 1.0 if step < 50 else 0.01 / 3, 0.5) for step in range(10, 201, 10)]
    (expected,) = told(watch(), rows)
    assert expected == (60, DISCRIMINATOR_WON)  # of 40, 50, 60 two are bad
    for cut in range(len(rows)):
        resumed = watch()
        before = told(resumed, [json.loads(json.dumps(r)) for r in rows[:cut]])
        assert before + told(resumed, rows[cut:]) == [expected]
