"""A study of runs whose numbers are known: what `lsgan.review` says of it."""

import json
import math
import re

import pytest

from lsgan.errors import LsganError
from lsgan.review.__main__ import main
from lsgan.review.answer import answer, seeds_needed
from lsgan.review.statistics import holm, mean_interval, share_interval
from lsgan.review.study import read_study

LOSSES = {
    "nsgan": {"_target_": "lsgan.losses.NonSaturating"},
    "hinge": {"_target_": "lsgan.losses.Hinge"},
    "wgan": {"_target_": "lsgan.losses.Wasserstein"},
}


def write(study, loss, seed, values, status="finished", /, *, metric="fid", **config):
    """A run whose rows have these values of the metric."""
    folder = study / f"{loss}-s{seed}"
    folder.mkdir(parents=True)
    config = {"steps": 9, "seed": seed, "loss": LOSSES[loss], "best_metric": "fid", "best_mode": "min", **config}
    (folder / "config.yaml").write_text(json.dumps(config))
    (folder / "status.json").write_text(json.dumps({"status": status, "step": 9, "reason": None}))
    start = {"event": "start", "step": 0, "overrides": [f"loss={loss}", f"seed={seed}", "steps=9"]}
    (folder / "history.jsonl").write_text(json.dumps(start) + "\n")
    rows = [{"step": step, metric: value} for step, value in enumerate(values, start=1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def review(monkeypatch, *words):
    """The command, in this process."""
    monkeypatch.setattr("sys.argv", ["review", *words])
    main()


@pytest.fixture
def study(tmp_path):
    """nsgan is better than hinge by 2, 3 and 4; of wgan one run has collapsed."""
    for seed, (first, second) in enumerate([(1.0, 3.0), (2.0, 5.0), (3.0, 7.0)]):
        write(tmp_path, "nsgan", seed, [9.0, first])
        write(tmp_path, "hinge", seed, [9.0, second])
    write(tmp_path, "wgan", 0, [9.0, 8.0])
    write(tmp_path, "wgan", 1, [9.0, 9.0], "collapsed")
    return tmp_path


def test_rows_are_in_long_form(study):
    rows = read_study(study).rows
    assert len(rows) == 16
    assert {"run", "setting", "seed", "status", "step", "metric", "value", "loss._target_"} <= set(rows.columns)
    one = rows[(rows["run"] == "hinge-s1") & (rows["step"] == 2)].iloc[0]
    assert (one["setting"], one["seed"], one["metric"], one["value"]) == ("loss=hinge", 1, "fid", 5.0)


def test_the_best_setting_is_compared_with_each_other_seed_by_seed(study):
    found = answer(read_study(study), "fid")
    assert [setting.name for setting in found.settings] == ["loss=nsgan", "loss=hinge", "loss=wgan"]
    hinge, wgan = found.contrasts
    half = 4.302652729696142 / math.sqrt(3)
    assert (hinge.other, hinge.seeds, hinge.paired.mean) == ("loss=hinge", [0, 1, 2], -3.0)
    assert hinge.paired.interval == pytest.approx((-3 - half, -3 + half), rel=1e-9)
    assert (hinge.paired.p, hinge.corrected_p) == (0.25, 0.5)
    assert wgan.seeds == [0]  # the other one has not finished


def test_what_has_not_finished_is_counted_and_kept_out_of_means(study):
    found = answer(read_study(study), "fid")
    wgan = found.settings[2]
    assert (wgan.num, wgan.finished, wgan.ended, wgan.mean) == (2, 1, {"finished": 1, "collapsed": 1}, 8.0)
    assert wgan.share == pytest.approx((0.0126, 0.9874), abs=1e-3)
    assert any("1 of 2 runs (1 collapsed" in sentence for sentence in found.sentences)


def test_it_says_what_few_seeds_and_many_comparisons_cannot_tell(study):
    told = "\n".join(answer(read_study(study), "fid").sentences)
    assert "loss=nsgan: 2 over 3 seeds, the best mean" in told
    assert "the difference may be chance" in told
    assert "2 comparisons were made" in told
    assert "one seed, which tells nothing of the spread" in told
    assert "the smallest possible p is" in told


def told_of(study, **choices):
    return "\n".join(answer(read_study(study), "fid", **choices).sentences)


def test_seeds_are_those_that_have_a_value_and_each_counts_once(study):
    write(study, "nsgan", 3, [])  # finished without a row
    again = write(study / "again", "nsgan", 2, [9.0, 5.0])  # as new=true makes it
    again.rename(study / "nsgan-s2-2")
    nsgan = answer(read_study(study), "fid").settings[0]
    assert (nsgan.seeds, nsgan.finished, nsgan.without) == ([0, 1, 2], 5, 1)
    assert nsgan.mean == pytest.approx((1 + 2 + 4) / 3)
    assert nsgan.interval == pytest.approx(mean_interval([1, 2, 4]))
    told = told_of(study)
    assert "over 3 seeds" in told
    assert "Finished without a fid, or without a seed, and left out: 1 of loss=nsgan" in told


@pytest.mark.parametrize(("mode", "sign"), [("min", 1), ("max", -1)])
def test_the_best_is_not_worse_on_every_seed_that_both_finished(tmp_path, mode, sign):
    """hinge has the better mean of its own seeds, as it failed where the others find it hard."""
    for seed, value in enumerate([1, 2, 30]):
        write(tmp_path, "nsgan", seed, [sign * value])
    for seed, value in enumerate([1.5, 2.5]):
        write(tmp_path, "hinge", seed, [sign * value])
    write(tmp_path, "hinge", 2, [], "collapsed")
    found = answer(read_study(tmp_path), "fid", mode)
    assert [setting.name for setting in found.settings] == ["loss=nsgan", "loss=hinge"]
    assert found.contrasts[0].paired.mean == sign * -0.5
    told = told_of(tmp_path, mode=mode)
    assert "over 3 seeds, worse than no other one over the seeds that both finished" in told
    assert "have not all finished the same seeds" in told
    assert "have not all finished" not in told_of(study_of(tmp_path / "whole", {"nsgan": [1, 2], "hinge": [2, 3]}))


def study_of(folder, values):
    """Finished runs: loss -> a value a seed, None where there is no run."""
    for loss, numbers in values.items():
        for seed, value in enumerate(numbers):
            if value is not None:
                write(folder, loss, seed, [value])
    return folder


def test_where_each_is_worse_than_another_one_no_setting_is_best(tmp_path):
    values = {"nsgan": [1, None, 2], "hinge": [2, 1, None], "wgan": [None, 2, 1]}
    told = told_of(study_of(tmp_path, values))
    assert "No setting is best (last fid, min is best): over the seeds that both finished, each is worse" in told


def test_a_setting_that_finished_other_seeds_alone_is_not_compared(tmp_path):
    told = told_of(study_of(tmp_path, {"nsgan": [3, 3], "hinge": [4, 4], "wgan": [None, None, 1]}))
    assert told.startswith("loss=nsgan: 3 over 2 seeds, worse than no other one")
    assert "Against loss=wgan: no seed that both finished" in told


@pytest.mark.parametrize(
    ("losses", "num", "told"),
    [
        (2, 5, "With 5 paired seeds no difference however large gives p < .05: the smallest possible p is .0625. 6 "),
        (2, 6, None),
        (3, 6, "the smallest possible p is .0625, corrected for 2 comparisons. 7 paired seeds can."),
        (3, 7, None),
        (2, 1, "With 1 paired seed no difference however large"),
    ],
)
def test_how_many_seeds_can_tell_anything_is_said_for_as_many_comparisons(tmp_path, losses, num, told):
    """Each setting is better than the next on every seed: where p < .05 is possible, it is given."""
    values = {loss: [seed + 10.0 * place for seed in range(num)] for place, loss in enumerate([*LOSSES][:losses])}
    found = answer(read_study(study_of(tmp_path, values)), "fid")
    said = "\n".join(found.sentences)
    assert told in said if told else "paired seeds can" not in said
    assert all((contrast.corrected_p < 0.05) == (told is None) for contrast in found.contrasts)
    assert "1 seeds" not in said


def test_seeds_that_are_too_few_are_named_where_settings_have_different_ones(study):
    told = told_of(study)  # 3 seeds with hinge, one with wgan
    assert "With 1 to 3 paired seeds no difference" in told
    assert "the smallest possible p is .5, corrected for 2 comparisons. 7 paired seeds can." in told


@pytest.mark.parametrize("num", [1, 2, 3, 10])
def test_the_seeds_that_are_needed_are_the_fewest(num):
    seeds = seeds_needed(num)
    assert holm([2.0 ** (1 - seeds)] * num)[0] < 0.05 <= holm([2.0 ** (2 - seeds)] * num)[0]


def test_what_was_stopped_is_no_failure_of_the_setting(study):
    write(study, "hinge", 3, [1.0], "interrupted")
    write(study, "hinge", 4, [1.0], "running")  # nobody holds it: killed
    write(study, "hinge", 5, [1.0], "failed")
    hinge = answer(read_study(study), "fid").settings[1]
    assert (hinge.num, hinge.finished, hinge.failed) == (6, 3, 1)
    assert hinge.share == pytest.approx(share_interval(1, 4))
    told = told_of(study)
    assert "1 of 4 runs (1 failed; 95%" in told
    assert "Unfinished: 1 interrupted, 1 killed of loss=hinge" in told


NONE = {"penalty": {"_target_": "lsgan.penalties.NoPenalty"}}
R1 = {"penalty": {"_target_": "lsgan.penalties.R1", "r1_gamma": 10.0}}
LSGAN = {"_target_": "lsgan.losses.LeastSquares", "b": 1, "c": 0}


@pytest.mark.parametrize(
    ("metric", "first", "second", "compares"),
    [
        ("loss/generator", {}, {"loss": LOSSES["hinge"]}, False),
        ("loss/discriminator", {"loss": {**LSGAN, "a": -1}}, {"loss": {**LSGAN, "a": 0}}, False),
        ("loss/generator", {}, {"batch_size": 8}, True),
        ("loss/generator", NONE, R1, True),  # is logged without the penalty
        ("loss/penalty", NONE, R1, False),
        ("diversity/fake", {}, {"loss": LOSSES["hinge"]}, True),
    ],
)
def test_it_warns_where_a_metric_means_something_else_in_each_run(tmp_path, metric, first, second, compares):
    write(tmp_path, "nsgan", 0, [1.0], metric=metric, **first)
    write(tmp_path, "nsgan", 1, [2.0], metric=metric, **second)
    told = answer(read_study(tmp_path), metric).sentences[0]
    assert told.startswith(f"{metric} does not compare these runs") != compares


def test_a_study_without_a_finished_run_has_no_winner(tmp_path):
    write(tmp_path, "nsgan", 0, [1.0], "collapsed")
    write(tmp_path, "hinge", 0, [1.0], "interrupted")
    told = told_of(tmp_path)
    assert told.startswith("No run has finished with a fid")
    assert "1 of 1 run (1 collapsed" in told


def test_where_more_is_better_the_largest_wins(study):
    assert answer(read_study(study), "fid", "max").settings[0].name == "loss=wgan"


def test_the_best_row_instead_of_the_last(study):
    write(study, "wgan", 2, [0.5, 20.0])
    values = read_study(study).values("fid", "min", "best").set_index("run")
    assert tuple(values.loc["wgan-s2", ["step", "value"]]) == (1, 0.5)


def test_runs_that_are_still_trained_are_left_out_and_said(study):
    folder = write(study, "wgan", 2, [9.0], "running")
    from filelock import FileLock

    with FileLock(folder / ".lock"):
        told = "\n".join(answer(read_study(study), "fid").sentences)
    assert "1 run is still trained, and left out" in told
    assert answer(read_study(study), "fid").settings[2].ended["killed"] == 1  # nobody holds it any more


def test_what_may_differ_freely_makes_no_other_setting(study):
    write(study, "nsgan", 3, [1.0], log_every=7, tracker={"_target_": "lsgan.tracking.tracker.NoService"})
    assert read_study(study).settings == ["loss=hinge", "loss=nsgan", "loss=wgan"]


def test_another_length_is_another_setting(study):
    write(study, "nsgan", 3, [1.0], steps=100)
    assert len(read_study(study).settings) == 4


def test_a_damaged_run_is_a_row_of_its_own_kind(study):
    (write(study, "nsgan", 3, [1.0]) / "config.yaml").write_text(":")
    nsgan = answer(read_study(study), "fid").settings[0]
    assert (nsgan.name, nsgan.ended["damaged"]) == ("loss=nsgan", 1)


def test_several_studies_are_not_averaged_as_one(tmp_path):
    write(tmp_path / "digits", "nsgan", 0, [1.0])
    write(tmp_path / "mnist", "nsgan", 0, [9.0])
    message = f"{tmp_path} holds the runs of 2 studies: name one of {tmp_path / 'digits'}, {tmp_path / 'mnist'}"
    with pytest.raises(LsganError, match=f"^{re.escape(message)}$"):
        read_study(tmp_path)
    assert len(read_study(tmp_path / "digits").runs) == 1
    assert len(read_study(tmp_path / "digits/nsgan-s0").runs) == 1  # one run is no comparison, and no mistake


@pytest.mark.parametrize("typed", ["{}", "study={}"])
def test_the_folder_may_be_typed_as_for_lsgan_runs(tmp_path, monkeypatch, capsys, typed):
    write(tmp_path / "lr=2", "nsgan", 0, [1.0])
    review(monkeypatch, typed.format(tmp_path / "lr=2"))
    assert "the one setting: 1 over 1 seed" in capsys.readouterr().out


def test_the_command(study, python):
    told = python("-m", "lsgan.review", f"{study}", COLUMNS="150").stdout
    assert "loss=nsgan" in told
    assert "95% interval" in told
    csv = study / "rows.csv"
    python("-m", "lsgan.review", f"study={study}", f"csv={csv}", "mode=max", "at=best", "metric=fid")
    assert csv.read_text().startswith("run,setting,seed")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["metric=nothing"], "metric=nothing is in no run of"),
        (["metric=nothing"], "choose one of fid"),
        (["mode=best"], "mode=best must be min or max"),
        (["at=first"], "at=first must be last or best"),
        (["another"], "another: this is about one study, python -m lsgan.review <folder>"),
        (["--csv"], "--csv: this is about one study"),
        (["metrics=fid"], r"metrics is read by nothing \(did you mean metric"),
        (["key=[1,2"], "key is read by nothing"),
        (["metric=[1,2"], r"metric=\[1,2 is in no run of"),
        (["csv=no/such/folder.csv"], "csv=no/such/folder.csv cannot be written"),
    ],
)
def test_mistakes_of_the_command(study, monkeypatch, words, message):
    with pytest.raises(LsganError, match=message):
        review(monkeypatch, f"study={study}", *words)


@pytest.mark.parametrize("words", [[], ["metric=fid"]])
def test_without_a_folder_it_says_how_to_name_one(monkeypatch, words):
    with pytest.raises(LsganError, match=r"this is about one study, python -m lsgan.review <folder>"):
        review(monkeypatch, *words)


def test_without_a_metric_of_their_own_one_must_be_named(tmp_path, monkeypatch):
    write(tmp_path, "nsgan", 0, [1.0], best_metric=None)
    with pytest.raises(LsganError, match=r"metric=<a column of metrics.jsonl> must be given"):
        review(monkeypatch, str(tmp_path))


def test_a_metric_of_other_features_does_not_compare(tmp_path):
    digits, pixels = (
        {"_target_": f"lsgan.evaluation.extractors.{name}"} for name in ("digits.Digits", "pixels.Pixels")
    )
    for seed in (0, 1):
        write(tmp_path, "nsgan", seed, [1.0], metric="metric/fid", features=digits)
        write(tmp_path, "hinge", seed, [2.0], metric="metric/fid", features=digits)
    assert answer(read_study(tmp_path), "metric/fid").compares
    write(tmp_path, "wgan", 0, [3.0], metric="metric/fid", features=pixels)
    found = answer(read_study(tmp_path), "metric/fid")
    assert not found.compares
    assert found.sentences[0].startswith("metric/fid does not compare these runs: it was taken with other features")


def test_a_metric_knows_which_value_is_best(tmp_path, monkeypatch, capsys):
    """The runs' own best_mode is about their own best_metric."""
    for seed in (0, 1):
        write(tmp_path, "nsgan", seed, [0.9], metric="metric/recall")
        write(tmp_path, "hinge", seed, [0.1], metric="metric/recall")
    review(monkeypatch, str(tmp_path), "metric=metric/recall")
    assert "loss=nsgan: 0.9 over 2 seeds, the best mean (last metric/recall, max is best)." in capsys.readouterr().out
