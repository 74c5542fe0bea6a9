"""The launcher with real processes: a small application in the place of a training."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APP = Path(__file__).with_name("app.py")
LAUNCHER = (
    "hydra.output_subdir=null",
    "hydra/job_logging=none",
    "hydra.sweep.dir=.",
    "hydra.sweep.subdir=.",
    "hydra/launcher=local_queue",
)
SECONDS = 60


@pytest.fixture
def sweep(tmp_path):
    """Starts `python app.py -m …`; what is left of it dies with the test."""
    started = []

    def start(*overrides, **env):
        arguments = [sys.executable, APP, "-m", *overrides, *LAUNCHER, "hydra.launcher.folder=out"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **env}
        environment = {name: value for name, value in environment.items() if value is not None}
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            arguments,
            cwd=tmp_path,
            env=environment,
            stdout=pipe,
            stderr=pipe,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # else as in the background
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ended(process, expect):
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == expect, output + errors
    return output + errors


def wait_for(*paths):
    end = time.monotonic() + SECONDS
    while not all(path.exists() for path in paths):
        assert time.monotonic() < end, paths
        time.sleep(0.05)


def log(tmp_path, number):
    (path,) = tmp_path.glob(f"out/job-{number}-*.log")
    return path.read_text()


def is_alive(path):
    try:
        os.kill(int(path.read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def test_each_job_is_a_process_with_its_overrides_and_a_file_for_its_output(sweep, tmp_path):
    told = ended(sweep("+n=1,2,3", OMP_NUM_THREADS="1"), 0)

    pids = {(tmp_path / f"started-{n}").read_text() for n in (1, 2, 3)}
    assert len(pids) == 3
    assert "3 jobs: 3 finished" in told
    assert "job 2 OMP_NUM_THREADS=1" in log(tmp_path, 1)
    assert "app.py +n=2" in log(tmp_path, 1)


def test_as_many_at_a_time_as_there_are_workers_with_the_threads_divided(sweep, tmp_path):
    process = sweep("+n=1,2,3", "+seconds=100", "hydra.launcher.workers=2", OMP_NUM_THREADS=None)
    wait_for(tmp_path / "started-1", tmp_path / "started-2")
    time.sleep(0.5)
    assert not (tmp_path / "started-3").exists()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SECONDS)
    share = max(1, len(os.sched_getaffinity(0)) // 2)
    assert f"OMP_NUM_THREADS={share}" in log(tmp_path, 0)


def test_one_that_fails_is_told_at_once_and_the_others_go_on(sweep, tmp_path):
    told = ended(sweep("+n=1,2", "+exit=4"), 4)
    assert "job 0 +n=1: failed" in told
    assert "what went wrong" in told
    assert re.search(r"its output: out/job-0-[0-9a-f]{6}\.log", told)
    assert "2 jobs: 2 failed" in told
    assert "Traceback" not in told


def test_codes_of_failures_that_differ_are_1(sweep):
    ended(sweep("+n=1,2", "+exit=4,5"), 1)


def test_with_on_failure_stop_the_others_save_and_none_begins(sweep, tmp_path):
    process = sweep("+seconds=1,100", "+exit=4", "+n=1,2", "hydra.launcher.workers=3", "hydra.launcher.on_failure=stop")
    told = ended(process, 1)
    assert "not begun" in told
    assert "failed" in told


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)])
def test_asked_to_stop_it_passes_that_on_and_waits_for_all(sweep, tmp_path, number, code):
    process = sweep("+n=1,2,3", "+seconds=100", "hydra.launcher.workers=2")
    wait_for(tmp_path / "started-1", tmp_path / "started-2")
    process.send_signal(number)
    told = ended(process, code)
    assert not is_alive(tmp_path / "started-1")
    assert not is_alive(tmp_path / "started-2")
    assert "1 not begun" in told
    assert (tmp_path / "saved-1").exists() == (number == signal.SIGINT)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part in it is Linux's")
def test_killed_it_leaves_no_orphan(sweep, tmp_path):
    process = sweep("+n=1,2", "+seconds=100", "hydra.launcher.workers=2")
    wait_for(tmp_path / "started-1", tmp_path / "started-2")
    process.kill()
    end = time.monotonic() + SECONDS
    while is_alive(tmp_path / "started-1") or is_alive(tmp_path / "started-2"):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_job_that_is_killed_is_told_and_the_others_go_on(sweep, tmp_path):
    process = sweep("+n=1,2", "+seconds=3")
    wait_for(tmp_path / "started-1")
    os.kill(int((tmp_path / "started-1").read_text()), signal.SIGKILL)
    told = ended(process, 1)
    assert "killed" in told
    assert "by signal 9" in told
    assert (tmp_path / "ended-2").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("workers=0", "workers=0 must be a whole number of at least 1"),
        ("jobs_per_device=0", "jobs_per_device=0 must be"),
        ("on_failure=ignore", "on_failure=ignore must be continue or stop"),
        ("devices=[0]", "there is no device 0"),
    ],
)
def test_what_cannot_be_is_one_sentence(sweep, setting, message):
    told = ended(sweep("+n=1,2", f"hydra.launcher.{setting}", CUDA_VISIBLE_DEVICES=""), 1)
    assert message in told


def test_gpus_are_dealt_out(sweep, tmp_path):
    process = sweep("+n=1,2", "hydra.launcher.devices=[1,0]", CUDA_VISIBLE_DEVICES="3,5")
    ended(process, 0)
    logs = {log(tmp_path, i).split("CUDA_VISIBLE_DEVICES=")[1].split()[0] for i in (0, 1)}
    assert logs == {"3", "5"}
