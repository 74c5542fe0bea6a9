"""The diagnostics of a run, as a user has them: beside the losses, after a resume, on points, with classes."""

import json
import math
from pathlib import Path

import pytest

SMALL = ("log_every=2", "sample_every=2", "checkpoint_every=4", "architecture.width=4", "batch_size=8")
OFF = ("tracker=none", "runtime=cpu")
DIVERGENCE = {"divergence/triangular", "divergence/triangular_stderr", "divergence/jsd", "divergence/jsd_stderr"}
OVERFIT = {"overfit/gap", "overfit/gap_stderr"}
OTHERS = {"gradient/fake_median", "gradient/fake_vanishing", "outputs/real_q50", "outputs/fake_on_real_side"}
THEORY = {"theory/d_loss_at_equilibrium", "theory/g_loss_at_equilibrium", "theory/g_loss_if_d_wins"}


def rows(run):
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "images_per_second"} for row in found]


def labels(run):
    return json.loads((run / "labels.json").read_text())


@pytest.fixture
def study(tmp_path):
    return tmp_path / "runs" / "digits"


def test_a_resumed_run_has_the_rows_of_one_that_was_not_interrupted(train, study):
    how = (*SMALL, *OFF, "dataset.held_out=0.1")
    train(*how, "steps=8", "run=whole")
    train(*how, "steps=4", "run=parts")
    train(*how, "steps=8", "run=parts")
    whole = rows(study / "whole")
    assert rows(study / "parts") == whole
    assert [row["step"] for row in whole] == [2, 4, 6, 8]
    for row in whole:
        assert row.keys() >= DIVERGENCE | OVERFIT | OTHERS | THEORY
        assert all(value is not None for value in row.values())
        assert row["outputs/real_q05"] < row["outputs/real_q50"] < row["outputs/real_q95"]
    assert labels(study / "parts") == labels(study / "whole")
    told = labels(study / "whole")
    assert "on 180 held-out images" in told["divergence/triangular"]
    assert set(told) == {
        name for name in whole[0] if name.split("/")[0] in ("divergence", "overfit", "gradient", "outputs")
    }


def test_what_is_looked_at_changes_nothing_in_what_is_trained(train, study):
    """Losses of the rows after the first look are those of a run without."""
    train(*SMALL, *OFF, "steps=6", "run=with")
    none = ("~observe.theory", "~observe.divergence", "~observe.overfit", "~observe.gradients", "~observe.outputs")
    train(*SMALL, *OFF, "steps=6", "run=without", *none)
    seen, unseen = rows(study / "with"), rows(study / "without")
    assert [{name: row[name] for name in unseen[0]} for row in seen] == unseen
    assert not {name.split("/")[0] for name in unseen[0]} & {"theory", "divergence", "overfit", "gradient", "outputs"}
    assert not OVERFIT & seen[0].keys()  # nothing is held out
    assert "training images" in labels(study / "with")["divergence/triangular"]
    assert not (study / "without" / "labels.json").exists()


def test_the_divergence_can_be_what_is_best(train, study):
    train(*SMALL, *OFF, "steps=8", "run=r", "best_metric=divergence/triangular")
    values = {row["step"]: row["divergence/triangular"] for row in rows(study / "r")}
    log = (study / "r" / "train.log").read_text()
    assert (study / "r" / "checkpoints" / "best.pt").exists(), log
    import torch

    best = torch.load(study / "r" / "checkpoints" / "best.pt", weights_only=True)
    assert values[best["step"]] == min(values[4], values[8])


def test_points_are_judged_as_images_are(train, tmp_path):
    train("dataset=gaussian_ring", "steps=4", "sample_every=2", "batch_size=64", *OFF, "run=r")
    run = tmp_path / "runs" / "gaussian_ring" / "r"
    row = rows(run)[-1]
    assert row.keys() >= DIVERGENCE | OTHERS | (THEORY - {"theory/g_loss_if_d_wins"})
    assert not OVERFIT & row.keys()
    assert -0.3 < row["divergence/triangular"] < 2.1
    assert "on 256 fresh real samples and" in labels(run)["divergence/triangular"]


def test_networks_that_take_labels_and_a_loss_that_pairs(train, study):
    how = ("architecture=dcgan_small_conditional", "loss=lsgan_rp", "dataset.held_out=0.1")
    train(*SMALL, *OFF, *how, "steps=2", "run=r")
    (row,) = rows(study / "r")
    assert row.keys() >= DIVERGENCE | OVERFIT
    assert "outputs/fake_on_real_side" not in row  # D's output at equilibrium is not determined
    assert math.isfinite(row["gradient/fake_median"])


def test_a_run_of_before_gets_its_columns_when_it_goes_on(train, study):
    train(*SMALL, *OFF, "steps=4", "run=r", "observe=[numbers,samples]")
    assert not DIVERGENCE & rows(study / "r")[-1].keys()
    train(*SMALL, *OFF, "steps=8", "run=r")
    first, second, *later = rows(study / "r")
    assert [row["step"] for row in later] == [6, 8]
    assert not DIVERGENCE & (first.keys() | second.keys())
    assert all(row.keys() >= DIVERGENCE | OTHERS for row in later)


def test_their_pace_and_number_are_settings(train, study):
    train(*SMALL, *OFF, "steps=4", "run=r", "observe.outputs.every=3", "observe.divergence.num_samples=20")
    at = {row["step"]: row for row in rows(study / "r")}
    assert [step for step, row in at.items() if "outputs/real_q50" in row] == [3, 4]
    assert "on 20 training images" in labels(study / "r")["divergence/jsd"]
    error = train(*SMALL, *OFF, "run=other", "observe.gradients.num_samples=8", expect=1).stderr
    assert "num_samples=8 must be at least 16: fewer tell nothing" in error
    assert error.count("\n") == 1
    assert not Path(study / "other").exists()
