"""Several gloo processes against one. What each of them computes is in tests/ranks.py."""

import json
import os
import re
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import ranks
import torch
import yaml
from filelock import FileLock
from torch import nn
from torch.distributed.run import get_args_parser
from torch.testing import assert_close

from lsgan import config
from lsgan.errors import LsganError
from lsgan.training.sync_batch_norm import SyncBatchNorm, synchronise_batch_norm
from lsgan.world import World

ROOT = Path(__file__).resolve().parents[2]
CPU = ("runtime=cpu", "runtime.precision=fp32")
SMALL = ("batch_size=8", "architecture.width=4", "tracker=none", *CPU, "log_every=1", "sample_every=1000")
TOLERANCE: dict[str, Any] = {
    "rtol": 1e-9,
    "atol": 1e-11,
}  # of float64 numbers after five steps; docs/distributed.md tells what is reached


@pytest.fixture(scope="module")
def ranks_of(fork_server):
    """Starts a script once for each rank, as torchrun does; what is left of them dies with the tests."""
    started = []

    def start_ranks(num, *arguments, cwd):
        shared = {"WORLD_SIZE": str(num), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        for rank in range(num):
            env = {**environment(), **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            started.append(fork_server.start(map(str, arguments), cwd, env))
        return started[-num:]

    yield start_ranks
    for process in started:
        process.kill()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment():
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


# The same numbers


@pytest.fixture(scope="module")
def results(ranks_of, tmp_path_factory):
    """`results(case, size)[rank]`: what each rank of 1, 2 or 4 saw and computed; once for all workers of xdist."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "ranks"
    folder.mkdir(exist_ok=True)

    def result(name, size):
        with FileLock(folder / f"{size}.lock"):
            if not (folder / f"{size} done").exists():
                compute(size)
                (folder / f"{size} done").touch()
        return [torch.load(folder / f"{name} {rank} of {size}.pt", weights_only=False) for rank in range(size)]

    def compute(size):
        if size == 1:
            ranks.main(folder)
            return
        for process in ranks_of(size, ranks.__file__, folder, cwd=folder):
            _, errors = process.communicate(timeout=200)
            assert process.returncode == 0, errors

    return result


SIZES = [2, pytest.param(4, marks=pytest.mark.slow)]


@pytest.mark.parametrize("name", ranks.CASES)
@pytest.mark.parametrize("size", SIZES)
def test_weights_and_logged_numbers_are_those_of_one_process(results, name, size):
    (alone,), together = results(name, 1), results(name, size)
    assert_close(together[0]["weights"], alone["weights"], **TOLERANCE)
    assert_close(together[0]["scalars"], alone["scalars"], **TOLERANCE)
    for rank in together[1:]:
        assert_close(rank["weights"], together[0]["weights"], atol=0, rtol=0)
        assert rank["scalars"].keys() == alone["scalars"].keys()


@pytest.mark.parametrize("name", ranks.CASES)
@pytest.mark.parametrize("size", SIZES)
def test_images_and_noise_are_exact_slices_of_those_of_one_process(results, name, size):
    (alone,), together = results(name, 1), results(name, size)
    for what in ("real", "z"):
        whole = [torch.cat(parts) for parts in zip(*(rank[what] for rank in together), strict=True)]
        assert len(whole) >= 5
        assert_close(whole, alone[what], atol=0, rtol=0)


def test_a_step_communicates_gradients_once_a_half_step_and_else_batch_norm_alone(results):
    gradients, passes = 2, 2 * 2 + 2 * 3  # G has two batch norms, D one: real, fake, and fake again for G; and back
    assert results("points, R1", 2)[1]["communicated"] == {"gloo:all_reduce": gradients}
    assert results("images", 2)[1]["communicated"] == {"gloo:all_reduce": gradients + passes}
    logits = 2 * 2 + 2 + 1  # real and fake of D's half step and back, and of G's, where the real ones have no gradient
    assert results("points, Ra", 2)[1]["communicated"] == {"gloo:all_reduce": gradients + logits}
    assert results("points, Rp", 2)[1]["communicated"] == {"gloo:all_reduce": gradients}


def test_what_was_frozen_stays_frozen_on_all_ranks(results):
    case = ranks.CASES["points, a frozen layer"]
    before = list(ranks.new_state(case, seed=0).discriminator.parameters())
    names = list(ranks.new_state(case, seed=0).discriminator.state_dict())
    for rank in results("points, a frozen layer", 2):
        after = [rank["weights"]["discriminator"][name] for name in names]
        assert [torch.equal(old, new) for old, new in zip(before, after, strict=True)] == [True] + [False] * (
            len(names) - 1
        )


def test_training_moves_the_weights_by_far_more_than_the_tolerance(results):
    for name, case in ranks.CASES.items():
        before = ranks.new_state(case, seed=0).discriminator.state_dict()
        after = results(name, 1)[0]["weights"]["discriminator"]
        assert max((after[key] - before[key]).abs().max() for key in before if "num" not in key) > 1e-3


# Batch norm


@pytest.mark.parametrize("momentum", [0.1, None])
def test_synchronous_batch_norm_of_one_rank_is_batch_norm(momentum, monkeypatch):
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda values: None)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 1)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
    torch.manual_seed(0)
    usual, other = (nn.Sequential(nn.Sequential(nn.BatchNorm2d(3, momentum=momentum))).double() for _ in range(2))
    nn.init.uniform_(usual[0][0].weight)
    other.load_state_dict(usual.state_dict())
    parameters = list(other.parameters())
    synchronise_batch_norm(other)
    assert isinstance(other[0][0], SyncBatchNorm)
    assert all(a is b for a, b in zip(other.parameters(), parameters, strict=True))
    for shift in (0, 100, 100):
        images = shift + torch.randn(4, 3, 5, 5, dtype=torch.float64)
        x, y = images.clone().requires_grad_(), images.clone().requires_grad_()
        outputs = usual(x), other(y)
        gradients = [
            torch.autograd.grad(out.pow(3).sum(), into, create_graph=True)[0]
            for out, into in zip(outputs, (x, y), strict=True)
        ]
        second = [torch.autograd.grad(g.pow(2).sum(), into)[0] for g, into in zip(gradients, (x, y), strict=True)]
        for a, b in (outputs, gradients, second):
            assert_close(a, b, rtol=1e-9, atol=1e-9)
    assert_close(other.state_dict(), usual.state_dict())
    assert_close(other.eval()(images), usual.eval()(images))


# `torchrun train.py`


@pytest.fixture
def start_ranks(ranks_of, tmp_path):
    """Starts `train.py …` as so many ranks in an empty folder."""

    def start_training(num, *overrides):
        return ranks_of(num, ROOT / "train.py", *overrides, cwd=tmp_path)

    return start_training


@pytest.fixture
def run(start_ranks):
    """All that the ranks wrote, once they have ended; `expect` is what rank 0 ends with."""

    def run_training(num, *overrides, expect=0):
        processes = start_ranks(num, *overrides)
        outputs, errors = map("".join, zip(*(process.communicate(timeout=120) for process in processes), strict=True))
        assert processes[0].returncode == expect, outputs + errors
        assert all(bool(process.returncode) == bool(expect) for process in processes), outputs + errors
        return outputs, errors

    return run_training


@pytest.fixture
def torchrun(start):
    """Starts `torchrun train.py …` in an empty folder: its ranks are started by Python itself."""
    started = []

    def start_torchrun(num, *overrides, options=()):
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num}", *options]
        started.append(start(*launcher, ROOT / "train.py", *overrides, OMP_NUM_THREADS="1"))
        return started[-1]

    yield start_torchrun
    for process in started:
        if process.poll() is None:
            for pid in workers(process):
                os.kill(pid, signal.SIGKILL)


def workers(process):
    """Process numbers of the ranks that a torchrun started, rank 0 first."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            rank = re.search(rb"\0RANK=(\d+)\0", (path / "environ").read_bytes())
        except OSError:  # it has just ended
            continue
        if parent == process.pid and rank:
            found[int(rank[1])] = int(path.name)
    return [found[rank] for rank in sorted(found)]


def rows(folder):
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for_steps(process, folder, num):
    for _ in range(600):
        if (found := rows(folder)) and found[-1]["step"] >= num:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    pytest.fail(f"no step {num} within a minute")


def status(folder):
    return json.loads((folder / "status.json").read_text())


def test_ranks_train_in_bf16_too(run, train, tmp_path):
    """Near to what one process does: batch norm's statistics are of the whole batch, in float32."""
    how, study = (*SMALL, "steps=3", "runtime.precision=bf16"), tmp_path / "runs" / "digits"
    run(2, *how, "run=ranks")
    train(*how, "run=alone")
    for row, alone in zip(rows(study / "ranks"), rows(study / "alone"), strict=True):
        for name in ("loss/discriminator", "loss/generator", "diversity/fake"):
            assert row[name] == pytest.approx(alone[name], rel=0.05)
    assert "precision: bf16" in (study / "ranks" / "config.yaml").read_text()
    train(*how, "run=fp32", "runtime.precision=fp32")
    assert rows(study / "fp32")[-1]["loss/discriminator"] != rows(study / "alone")[-1]["loss/discriminator"]


def test_one_run_folder_the_same_numbers_and_a_resume_with_another_number_of_ranks(run, train, tmp_path):
    (output, _), study = run(2, *SMALL, "run=r", "steps=3"), tmp_path / "runs" / "digits"
    assert output.count("run folder: ") == 2  # at the beginning and the end: rank 0 alone speaks
    assert [path.name for path in study.iterdir()] == ["r"]
    assert [path.name for path in (study / "r" / "checkpoints").glob("*.pt")] == ["step-000003.pt"]
    train("resume=runs/digits/r", "steps=5")  # alone
    run(2, "resume=runs/digits/r", "steps=6")
    assert [row["step"] for row in rows(study / "r")] == [1, 2, 3, 4, 5, 6]
    assert status(study / "r") == {"status": "finished", "step": 6, "reason": None}
    train(*SMALL, "run=alone", "steps=6")
    for row, alone in zip(rows(study / "r"), rows(study / "alone"), strict=True):
        for key in alone.keys() - {"images_per_second"}:  # what was once a last step was looked at more closely
            tolerance = 0.05 if key.startswith("divergence/") else 1e-3  # made of ranks: rounding exchanges two samples
            assert row[key] == pytest.approx(alone[key], rel=tolerance, abs=1e-4), key
    ours, alones = (torch.load(study / name / "checkpoints" / "step-000006.pt") for name in ("r", "alone"))
    for part in ("generator", "discriminator", "generator_ema"):
        assert list(ours["parts"][part]) == list(alones["parts"][part])


def test_a_killed_rank_ends_the_others(start_ranks, tmp_path):
    first, killed = start_ranks(2, *SMALL, "run=r", "steps=1000000")
    wait_for_steps(first, tmp_path / "runs" / "digits" / "r", 3)
    killed.kill()
    _, errors = first.communicate(timeout=60)
    assert first.returncode == 1
    assert "error: rank 0 of 2 has lost another rank" in errors


def test_a_killed_rank_ends_the_job_within_a_minute(torchrun, tmp_path):
    process, folder = torchrun(2, *SMALL, "run=r", "steps=1000000"), tmp_path / "runs" / "digits" / "r"
    wait_for_steps(process, folder, 3)
    os.kill(workers(process)[1], signal.SIGKILL)
    killed = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - killed < 60
    assert process.returncode == 1
    assert "error: rank 0 of 2 has lost another rank" in errors or "Signal 9 (SIGKILL)" in errors
    assert "exitcode  : -9" in errors


def test_a_rank_that_does_not_answer_ends_the_job(start_ranks, tmp_path):
    first, stopped = start_ranks(2, *SMALL, "run=r", "steps=1000000", "runtime.rank_timeout_seconds=2")
    folder = tmp_path / "runs" / "digits" / "r"
    wait_for_steps(first, folder, 3)
    stopped.send_signal(signal.SIGSTOP)
    _, errors = first.communicate(timeout=60)
    assert first.returncode == 1
    assert status(folder)["status"] == "failed"
    assert "error: rank 0 of 2 has lost another rank, or waited 2 s for it in vain: " in errors


@pytest.mark.slow
def test_an_elastic_restart_goes_on_from_the_last_checkpoint(run, torchrun, tmp_path):
    folder = tmp_path / "runs" / "digits" / "r"
    run(2, *SMALL, "run=r", "steps=1")
    again = (*SMALL, "run=r", "steps=1000000", "checkpoint_every=5")
    process = torchrun(2, *again, options=("--max-restarts=1",))
    wait_for_steps(process, folder, 6)
    first = workers(process)
    os.kill(first[0], signal.SIGKILL)
    for _ in range(600):
        if set(workers(process)).isdisjoint(first) and len(workers(process)) == 2:
            break
        time.sleep(0.1)
    reached = rows(folder)[-1]["step"]
    wait_for_steps(process, folder, reached + 3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert [row["step"] for row in rows(folder)] == list(range(1, len(rows(folder)) + 1))  # none lost, none twice


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "options"), [(signal.SIGTERM, ()), (signal.SIGUSR1, ("--signals-to-handle=SIGTERM,SIGUSR1",))]
)
def test_told_that_the_time_is_up_torchrun_tells_the_ranks_which_save(torchrun, tmp_path, number, options):
    """As `sbatch --signal` does; that of all signals it knows SIGTERM is so of every torchrun."""
    if options and "--signals-to-handle" not in get_args_parser().format_help():
        pytest.skip("this torchrun forwards no SIGUSR1")
    process, folder = torchrun(2, *SMALL, "run=r", "steps=1000000", options=options), tmp_path / "runs" / "digits" / "r"
    wait_for_steps(process, folder, 3)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert status(folder)["reason"] == number.name
    assert (folder / "checkpoints" / f"step-{status(folder)['step']:06d}.pt").exists()


def test_ctrl_c_stops_all_ranks_after_the_same_step(start_ranks, tmp_path):
    processes, folder = start_ranks(2, *SMALL, "run=r", "steps=1000000"), tmp_path / "runs" / "digits" / "r"
    wait_for_steps(processes[0], folder, 3)
    for process in processes:  # as torchrun passes it on
        process.send_signal(signal.SIGINT)
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 130
    assert status(folder)["status"] == "interrupted"
    (checkpoint,) = (folder / "checkpoints").glob("*.pt")
    assert torch.load(checkpoint)["step"] == status(folder)["step"] == rows(folder)[-1]["step"]


def test_a_loss_that_is_not_finite_stops_all_ranks(run, tmp_path):
    started = time.monotonic()
    _, errors = run(2, *SMALL, "run=r", "steps=500", "optimizer.lr=1.0e+20", expect=1)
    assert time.monotonic() - started < 60
    sentence = r"^error( \(rank 1\))?: step \d+: (loss|gradient_norm)/(discriminator|generator) is (nan|inf|-inf): "
    assert re.search(sentence, errors, re.M)
    assert "lost another rank" not in errors
    assert status(tmp_path / "runs" / "digits" / "r")["status"] == "failed"


def test_a_collapse_stops_all_ranks(run, tmp_path):
    watched = ("log_every=2", "collapse_steps=4", "collapse_diversity=1", "on_collapse=stop")
    _, errors = run(2, *SMALL, *watched, "run=r", "steps=500", expect=3)
    folder = tmp_path / "runs" / "digits" / "r"
    assert "step 4: G makes nearly one sample" in errors
    assert status(folder)["status"] == "collapsed"
    (checkpoint,) = (folder / "checkpoints").glob("*.pt")
    assert checkpoint.name == "step-000005.pt"  # the next step tells the others


OBSERVERS = """
import time

import torch

from lsgan.observe.observer import Finding, Observer


class Slow(Observer):
    columns = ("slow",)

    def __init__(self, every, seconds):
        self.every, self.seconds = every, seconds

    def see(self, view):
        time.sleep(self.seconds)
        return Finding({"slow": sum(len(fakes) for fakes in view.fakes(12))})


class SlowOnAllRanks(Slow):
    columns = ("shared", "reals")
    on_all_ranks = True

    def see(self, view):
        fakes, reals = (torch.cat(list(draw(12))) for draw in (view.fakes, view.reals))
        if view.row:  # rank 0, which has seen the other's column
            time.sleep(self.seconds)
        assert len(fakes) == 6
        return Finding({"shared": len(view.gather(fakes)), "reals": len(view.gather(reals))})
"""


def test_slow_observers_do_not_look_like_dead_ranks(run, tmp_path, monkeypatch):
    """Each takes longer than a rank may be waited for; they come from a module that is not the project's."""
    (tmp_path / "outside.py").write_text(OBSERVERS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    slow = ["+observe.slow._target_=outside.Slow", "+observe.slow.every=2", "+observe.slow.seconds=2"]
    shared = [override.replace("slow.", "two.").replace("Slow", "SlowOnAllRanks") for override in slow]
    usual = ("~observe.numbers", "steps=2", "runtime.rank_timeout_seconds=1")
    run(2, *SMALL, *slow, *shared, *usual, "run=ranks")
    (row,) = rows(tmp_path / "runs" / "digits" / "ranks")
    assert (row["step"], row["slow"], row["shared"], row["reals"]) == (2, 12, 12, 12)


# Settings


def test_a_batch_must_be_divisible_by_the_ranks(composed):
    expected = "batch_size=32 must be divisible by the 3 ranks, which share each batch: set batch_size=33 or "
    with pytest.raises(LsganError, match=expected):
        config.check(composed(), World(1, 3))
    assert config.check(composed("batch_size=33"), World(1, 3)).batch_size == 33


def test_a_restart_must_find_the_run(composed, monkeypatch):
    """By its name, which the same command gives again; unless it is to begin another."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "TORCHELASTIC_MAX_RESTARTS": "3", **place}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LsganError, match=r"new=true would begin another run at each restart: take it out, or --max-re"):
        config.check(composed("new=true"), World.from_environment())
    config.check(composed(), World.from_environment())
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "0")
    config.check(composed("new=true"), World.from_environment())


def test_a_resolved_config_names_what_concerns_ranks(composed):
    runtime = yaml.safe_load(config.to_yaml(config.check(composed()).runtime))
    assert (runtime["sync_batch_norm"], runtime["rank_timeout_seconds"]) == (True, 45)
