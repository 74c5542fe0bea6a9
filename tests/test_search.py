"""Named sweeps and searches, with real trainings."""

import json
import signal
import time

import pytest

RING = ("dataset=gaussian_ring", "loss=lsgan_b1c0a-1", "architecture.width=4", "batch_size=8")
SMALL = (*RING, "log_every=5", "tracker=none", "runtime=cpu")
SECONDS = 240


def runs(folder):
    return sorted(path.name for path in folder.iterdir() if (path / "config.yaml").exists())


def test_a_sweep_finds_the_run_that_was_typed_alone(train, tmp_path):
    train(*SMALL, "steps=5", "loss=nsgan", "seed=0")
    (name,) = runs(tmp_path / "runs/gaussian_ring")
    told = train("-m", "+sweep=targets", *SMALL, "steps=5", "loss=nsgan", "seed=0").stdout
    assert f"finished: runs/gaussian_ring/{name} has its 5 steps" in told
    assert runs(tmp_path / "runs/gaussian_ring") == [name]


def test_a_search_finds_the_best_beside_a_job_that_fails(train, tmp_path):
    pytest.importorskip("optuna")
    command = ("-m", "hydra/sweeper=optuna", *SMALL, "steps=10", "trials=4", "best_metric=loss/generator", "workers=2")
    told = train(*command, "loss.a=-1,1", "sampler=random").stdout  # with a = b there is no such loss
    (name,) = runs(tmp_path / "runs/gaussian_ring")
    rows = (tmp_path / "runs/gaussian_ring" / name / "metrics.jsonl").read_text().splitlines()
    best = min(json.loads(row)["loss/generator"] for row in rows)
    assert "loss.a=1: " in told
    assert "all are done" in told
    assert f", loss/generator {best:.6g}\n  loss.a=-1\n  runs/gaussian_ring/{name}" in told


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on_with_the_same_runs(train, start, tmp_path):
    pytest.importorskip("optuna")
    settings = (*SMALL, "steps=3000", "checkpoint_every=50", "best_metric=loss/generator", "workers=2", "trials=3")
    command = ("-m", "hydra/sweeper=optuna", *settings, "optimizer.lr=tag(log,interval(1e-5,1e-2))")
    study = tmp_path / "runs/gaussian_ring"
    killed = start("train.py", *command)
    end = time.monotonic() + SECONDS
    while len(list(study.glob("*/checkpoints/*.pt"))) < 2:
        assert time.monotonic() < end
        assert killed.poll() is None
        time.sleep(0.1)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    begun = runs(study)
    told = train(*command).stdout
    assert "search: of 3 trials 3 finished; all are done" in told
    assert set(begun) <= set(runs(study))
    assert len(runs(study)) == 3
    starts = [(study / name / "history.jsonl").read_text().count('"start"') for name in begun]
    assert starts == [2] * len(begun)
    again = train(*command).stdout
    assert "starts" not in again
    assert told.splitlines()[-3:] == again.splitlines()[-3:]
