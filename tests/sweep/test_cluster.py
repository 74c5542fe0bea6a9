"""`hydra/launcher=slurm` with submitit itself, on a SLURM that is a few lines of shell."""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import MissingConfigException
from slurm_stub import Slurm

from lsgan import command
from lsgan.config import CONF_DIR
from lsgan.sweep import cluster
from lsgan.tracking.run_record import RunRecord

RING = ("dataset=gaussian_ring", "log_every=1", "checkpoint_every=100000", "sample_every=100000", "tracker=none")


@pytest.fixture
def slurm(tmp_path):
    pytest.importorskip("submitit")
    yield Slurm(tmp_path / "slurm")
    for pid in tasks(tmp_path):
        os.kill(pid, signal.SIGKILL)


def tasks(place):
    """Process ids of submitit's tasks whose folder lies there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            words = path.read_bytes().decode(errors="replace").split("\0")
            if "submitit.core._submit" in words and any(word.startswith(str(place)) for word in words):
                found.append(int(path.parent.name))
    return found


@pytest.fixture
def sweep(start, slurm):
    """Starts `python train.py -m …` on the login node."""
    path = f"{slurm.path}{os.pathsep}{os.environ['PATH']}"
    return lambda *overrides: start("train.py", "-m", *overrides, fresh=True, PATH=path)


def test_without_the_extra_it_is_one_sentence():
    told = "In 'hydra/launcher/slurm': Could not load 'hydra/launcher/submitit_slurm'."
    error = MissingConfigException(told, "hydra/launcher/submitit_slurm", ["queue", "basic"])
    expected = 'hydra/launcher=slurm and slurm_local need the package submitit: pip install "lsgan[slurm]"'
    assert command.explain(error) == expected


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ("Job not requeued because: timed-out too many times.", "Job not requeued because: timed-out too many times."),
        (
            "Job 7 (task: 0) with path 7.pkl\nhas not produced any output (state: CANCELLED)\n"
            "No error stream produced. Look at stdout: 7_log.out\n-----\nstep 1\nstep 2",
            "Job 7 (task: 0) with path 7.pkl has not produced any output (state: CANCELLED) No error stream produced. "
            "Look at stdout: 7_log.out",
        ),
        (
            "Job (task=0) failed during processing with trace:\n---\nTrace:\n  x\nKeyError: 1\n---\nYou can\n - look",
            "Job (task=0) failed during processing: KeyError: 1",
        ),
        ("Job (task=0) failed during processing with trace:", "Job (task=0) failed during processing"),
        ("Job (task=0) failed during processing with trace:\n---\n", "Job (task=0) failed during processing"),
        ("sbatch: error: invalid partition specified: gpu", "sbatch: error: invalid partition specified: gpu"),
    ],
)
def test_what_submitit_says_is_one_line(told, sentence):
    error = type("FailedJobError", (RuntimeError,), {"__module__": "submitit.core.utils"})(told)
    assert cluster.explain(error) == f"submitit: {sentence}; the same command goes on with what has not finished"
    assert cluster.explain(RuntimeError(told)) is None


def test_the_choices_leave_time_to_save_and_queue_again():
    pytest.importorskip("submitit")
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        cfg, local = (
            compose("train", [f"hydra/launcher={name}"], return_hydra_config=True) for name in ("slurm", "slurm_local")
        )
    chosen = cfg.hydra.launcher
    assert chosen.max_num_timeout > 0
    assert chosen.signal_delay_s >= 60 + cfg.tracker.finish_timeout
    seconds = chosen.timeout_min * 60
    assert seconds - chosen.signal_delay_s >= min(0.8 * seconds, seconds - 600)  # else it passes for a preemption
    assert chosen.submitit_folder == local.hydra.launcher.submitit_folder == "runs/digits/.slurm/%j"


def reached(study):
    """The step of the only run."""
    return max((RunRecord(path).status.step for path in study.glob("*") if path.is_dir()), default=0)


def weights(study, step):
    (path,) = study.glob(f"*/checkpoints/step-{step:06d}.pt")
    return torch.load(path, weights_only=True)["parts"]["generator"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and SLURM is Linux's")
@pytest.mark.parametrize("name", ["slurm", "slurm_local"])
def test_a_job_whose_time_is_up_saves_is_queued_again_and_ends_with_the_bits_of_an_undisturbed_run(
    sweep, train, slurm, tmp_path, name
):
    command = (*RING, "steps=1500", "seed=3", "runtime.threads=1")
    limits = ("hydra.launcher.timeout_min=1", "hydra.launcher.max_num_timeout=1") if name == "slurm" else ()
    process = sweep(*command, f"hydra/launcher={name}", *limits)
    study = tmp_path / "runs" / "gaussian_ring"
    end = time.monotonic() + 120
    while reached(study) <= 100:
        assert process.poll() is None, process.communicate()[0] + slurm.output
        assert time.monotonic() < end, slurm.output
        time.sleep(0.05)
    (task,) = tasks(tmp_path)
    for number in (signal.SIGTERM, signal.SIGUSR2):  # the order of a preemption
        os.kill(task, number)
    output, errors = process.communicate(timeout=240)

    assert process.returncode == 0, output + errors + slurm.output
    if name == "slurm":
        for flag in ("signal=USR2@300", "time=1", "gpus-per-node=1", "cpus-per-task=4", "open-mode=append"):
            assert f"#SBATCH --{flag}\n" in slurm.script
    (record,) = (RunRecord(path.parent) for path in study.glob("*/history.jsonl"))
    history = [entry for entry in record.history if entry["event"] in ("start", "end")]
    assert [entry["event"] for entry in history] == ["start", "end", "start", "end"]
    assert [entry.get("status") for entry in history] == [None, "interrupted", None, "finished"]
    assert history[2]["step"] == history[1]["step"] > 100  # nothing was lost
    train(*command, "runs_dir=alone")
    for key, value in weights(tmp_path / "alone" / "gaussian_ring", 1500).items():
        assert torch.equal(value, weights(study, 1500)[key])
