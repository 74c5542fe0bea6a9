import json
import math

import pytest
import torch

from lsgan.losses import Hinge, LeastSquares, Minimax, NonSaturating, Wasserstein
from lsgan.training.collapse import CollapseWatch, diversity

LOSS = LeastSquares(a=-1, b=1, c=0)  # at equilibrium D's loss is 1 and G's 0; if D wins G's is 0.5


def watch(loss=LOSS, steps=30, share=0.1):
    return CollapseWatch(loss.reference, "warn", steps, share)


def row(step, d_loss=1.0, g_loss=0.0, share=1.0):
    losses = {"loss/discriminator": d_loss, "loss/generator": g_loss}
    return {"step": step, **losses, "diversity/real": 0.5, "diversity/fake": 0.5 * share}


def alarms(the_watch, rows):
    return [r["step"] for r in rows if the_watch.see(r) is not None]


def test_diversity_by_hand():
    points = torch.tensor([[0.0, 1.0], [2.0, 1.0], [0.0, 1.0], [2.0, 1.0]])  # variances 1 and 0
    assert diversity(points).item() == pytest.approx(math.sqrt(0.5))
    assert diversity(points.reshape(4, 1, 1, 2)).item() == pytest.approx(math.sqrt(0.5))
    assert diversity(points[:1].repeat(5, 1)).item() == 0
    distances = [(x - y).square().sum() for x in points for y in points]
    rms_distance = (sum(distances) / len(distances)).sqrt()
    assert diversity(points).item() == pytest.approx(rms_distance.item() / math.sqrt(2 * 2))
    assert diversity(3 * points).item() == pytest.approx(3 * math.sqrt(0.5))
    assert not diversity(points.requires_grad_()).requires_grad


def test_d_has_won_once_the_window_is_full_and_once_a_run():
    the_watch = watch()
    rows = [row(step, 0.01, 0.5) for step in range(10, 101, 10)]
    assert alarms(the_watch, rows) == [30]
    assert the_watch.alarm == (
        "D has won: over the last 30 steps the median of D's loss is 0.01 and of G's 0.5; "
        "lower optimizer.discriminator.lr, or add a penalty (penalty=r1)"
    )


def test_lost_diversity():
    the_watch = watch()
    assert alarms(the_watch, [row(step, share=0.05) for step in range(10, 101, 10)]) == [30]
    assert the_watch.alarm == (
        "G makes nearly one sample: over the last 30 steps the median diversity of its batches is 0.05 of the real "
        "ones'; lower optimizer.generator.lr, or change the loss or the architecture"
    )


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
    ],
)
def test_where_d_has_won(loss, d_loss, g_loss, raised):
    assert bool(alarms(watch(loss), [row(step, d_loss, g_loss) for step in (10, 20, 30)])) == raised


@pytest.mark.parametrize(("share", "least", "raised"), [(0.09, 0.1, True), (0.11, 0.1, False), (0.0, 0.0, False)])
def test_where_diversity_is_lost(share, least, raised):
    assert bool(alarms(watch(share=least), [row(step, share=share) for step in (10, 20, 30)])) == raised


def test_the_median_of_the_window_decides():
    bad, good = (0.001, 0.5), (1.0, 0.0)
    pattern = [bad, good, bad, good, good, bad, bad, good, bad]  # windows of 3: bad at 10-30 already
    rows = [row(10 * i, *losses) for i, losses in enumerate(pattern, 1)]
    assert alarms(watch(), rows) == [30]
    pattern = [good, good, bad, good, good, bad, good, bad, bad]
    rows = [row(10 * i, *losses) for i, losses in enumerate(pattern, 1)]
    assert alarms(watch(), rows) == [80]  # 60 to 80: bad, good, bad


def test_an_early_bad_phase_shorter_than_the_window_is_no_alarm():
    rows = [row(step, share=0.01 if step <= 240 else 0.9) for step in range(10, 2000, 10)]
    assert alarms(watch(steps=500), rows) == []


def test_seldom_logged_runs_are_judged_on_what_is_logged():
    assert alarms(watch(steps=30), [row(step, 0.0, 0.5) for step in (100, 200)]) == [100]


def test_rows_without_the_numbers_show_nothing():
    rows = [{"step": step, "loss/discriminator": None, "loss/generator": 0.5} for step in range(10, 100, 10)]
    assert alarms(watch(), rows) == []
    assert alarms(watch(), [row(10), row(20), {**row(30), "diversity/real": 0.0}]) == []


def test_a_resumed_watch_raises_the_same_alarm_at_the_same_step():
    """Whatever the step of the interruption; rows come back from JSON."""
    rows = [row(step, 1.0 if step < 50 else 0.01 / 3, 0.5) for step in range(10, 201, 10)]
    (expected,) = alarms(watch(), rows)
    assert expected == 60  # of 40, 50, 60 two are bad
    for cut in range(len(rows)):
        resumed = watch()
        before = alarms(resumed, [json.loads(json.dumps(r)) for r in rows[:cut]])
        assert before + alarms(resumed, rows[cut:]) == [expected]
