"""The answer that the page opens with."""

import pytest
from studies import row, write_run, write_study

from lsgan.board.answer import answers
from lsgan.board.collect import Collected
from lsgan.review.study import read_study


def told(folder):
    return answers(Collected(read_study(folder)))


def test_the_best_setting_and_its_figure(tmp_path):
    found = told(write_study(tmp_path))
    assert [metric["column"] for metric in found["metrics"]] == ["metric/mind"]
    assert found["metrics"][0]["label"] == "features Digits, up to 2048 samples of each side, against training samples"
    last = found["answers"]["metric/mind"]["last"]
    assert last["sentences"][0] == "loss=nsgan: 2 over 3 seeds, the best mean (last metric/mind, min is best)."
    nsgan = last["settings"][0]
    assert (nsgan["name"], nsgan["mean"], nsgan["seeds"]) == ("loss=nsgan", 2.0, 3)
    assert nsgan["points"] == [["nsgan-s0", 1.0], ["nsgan-s1", 2.0], ["nsgan-s2", 3.0]]
    contrast = last["contrasts"]["loss=lsgan_b1c0a-1"]
    assert (contrast["seeds"], contrast["mean"], contrast["p"]) == (3, -3.0, 0.5)  # p = .25, two comparisons
    assert contrast["high"] == pytest.approx(-3 + 4.302652729696142 / 3**0.5)
    assert last["settings"][-1]["ended"] == "1 finished, 1 failed"
    assert found["answers"]["metric/mind"]["best"]["settings"][0]["mean"] == 0.5


def test_what_went_wrong_and_when(tmp_path):
    assert told(write_study(tmp_path))["troubles"] == [
        {"run": "lsgan_b1c1a0-s0", "what": "D has won", "step": 2, "reason": "D has won: look at the samples"},
        {"run": "lsgan_b1c1a0-s1", "what": "failed", "step": 1, "reason": "step 2: loss/discriminator is nan"},
    ]


def test_a_collapsed_run_is_told_once(tmp_path):
    warnings = {"collapsed": {"step": 1, "reason": "G makes nearly one sample"}}
    write_run(tmp_path, "nsgan", 0, [row(1)], status="collapsed", reason="G makes nearly one sample", warnings=warnings)
    assert [trouble["what"] for trouble in told(tmp_path)["troubles"]] == ["collapsed"]


def test_without_a_metric_it_says_so(tmp_path):
    write_run(tmp_path, "nsgan", 0, [{"loss/generator": 1.0}])
    found = told(tmp_path)
    assert found["metrics"] == []
    assert found["none"].startswith("The runs have no metric to compare by")


def test_held_out_metrics_are_asked_behind_the_others_and_raw_weights_not(tmp_path):
    values = {"raw/fid": 1.0, "held_out/fid": 1.0, "metric/fid": 1.0, "metric/mind": 1.0}
    write_run(tmp_path, "nsgan", 0, [values], config={"best_metric": None})
    assert [metric["column"] for metric in told(tmp_path)["metrics"]] == ["metric/mind", "metric/fid", "held_out/fid"]


def test_an_own_best_metric_is_asked_first(tmp_path):
    write_run(tmp_path, "nsgan", 0, [row(1.0, own=2.0)], config={"best_metric": "own", "best_mode": "max"})
    first = told(tmp_path)["metrics"][0]
    assert (first["column"], first["mode"]) == ("own", "max")
