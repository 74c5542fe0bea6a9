"""`python train.py …` as a user types it."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch.testing import assert_close

SMALL = ("steps=6", "log_every=2", "sample_every=4", "checkpoint_every=2", "architecture.width=4", "batch_size=8")
OFF = ("tracker=none", "runtime=cpu")


def rows(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def without_speed(run):
    return [{key: value for key, value in row.items() if key != "images_per_second"} for row in rows(run)]


def status(run):
    return json.loads((run / "status.json").read_text())


def state(run, step):
    """What the checkpoint holds, but for what it says of the run."""
    content = torch.load(run / "checkpoints" / f"step-{step:06d}.pt", weights_only=True)
    return {"step": content["step"], "parts": content["parts"]}


def test_the_default_leaves_a_complete_run_folder(train, tmp_path):
    """Only made short: data, network, loss, optimizer and tracker are those of `python train.py`."""
    output = train("steps=6", "log_every=2", "sample_every=3", "checkpoint_every=2").stdout
    (run,) = (tmp_path / "runs" / "digits").iterdir()
    assert re.fullmatch(r"lsgan_b1c0a-1-s0-checkpoint_every2-log_every2-sample_every3-\w{6}", run.name)
    assert {path.name for path in run.iterdir()} == {
        "config.yaml", "status.json", "metrics.jsonl", "labels.json", "history.jsonl", "samples", "checkpoints",
        "train.log", "wandb", ".lock",
    }  # fmt: skip
    assert status(run) == {"status": "finished", "step": 6, "reason": None}
    assert [row["step"] for row in rows(run)] == [2, 3, 4, 6]
    assert sorted(path.name for path in (run / "samples").iterdir()) == ["000003.jpg", "000006.jpg", "real.jpg"]
    with Image.open(run / "samples" / "real.jpg") as real:
        assert np.asarray(real).std() > 60  # digits, not a black picture
    assert sorted(path.name for path in (run / "checkpoints").glob("*.pt")) == [f"step-00000{i}.pt" for i in (2, 4, 6)]
    assert state(run, 6)["step"] == 6
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert (config["run"], config["study"], config["optimizer"]["generator"]["lr"]) == (run.name, "digits", 2e-4)
    relative = run.relative_to(tmp_path)
    for part in (
        "lsgan_b1c0a-1: Pearson χ² (G minimises 0.5·χ²(p_data + p_g ‖ 2 p_g) under an optimal D)",
        "At equilibrium D's loss is 1 and G's 0; if D wins outright G's is 0.5.",
        f"run folder:  {relative}",
        f"last sample: {relative}/samples/000006.jpg",
        f"python train.py resume={relative} steps=12",
        f"W&B: offline; look with `wandb leet {relative}/wandb`",
        f"upload with `wandb sync --no-skip-online {run}/wandb/*run-2*`",
    ):
        assert part in output
    assert "Pearson χ²" in (run / "train.log").read_text()
    assert not (tmp_path / ".hydra").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]  # no data where the user happens to be


def test_wandb_has_the_same_numbers(train, tmp_path):
    train(*SMALL, "run=r")
    run = tmp_path / "runs" / "digits" / "r"
    (file,) = (run / "wandb").glob("offline-run-*/*.wandb")
    reader = [Path(sys.executable).parent / "wandb", "leet", "inspect", "--json", file]
    lines = subprocess.run(reader, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    history = [record["history"]["item"] for record in map(json.loads, lines) if record["type"] == "history"]
    history = [row for row in history if "loss/generator" in row]
    logged = [
        {k: row["_step" if k == "step" else k] for k in told} for row, told in zip(history, rows(run), strict=True)
    ]
    assert logged == rows(run)
    media = run / next(iter((run / "wandb").glob("offline-run-*/files/media/images")))
    assert len(list(media.glob("samples_*.jpg"))) == 2
    assert len(list(media.glob("real_*.jpg"))) == 1


def test_a_bad_wandb_key_costs_a_warning(train, tmp_path):
    output = train(*SMALL, "run=r", WANDB_API_KEY="short").stdout
    assert "warning: W&B does not accept the key" in output
    assert status(tmp_path / "runs" / "digits" / "r")["status"] == "finished"


def test_resume_is_exact_and_every_row_is_there_once(train, tmp_path):
    train(*SMALL, *OFF, "run=whole")
    train(*SMALL, *OFF, "run=cut", "steps=4")
    cut, whole = (tmp_path / "runs" / "digits" / name for name in ("cut", "whole"))
    train(f"resume={cut}", "steps=6")
    assert_close(state(cut, 6), state(whole, 6), atol=0, rtol=0)
    assert without_speed(cut) == without_speed(whole)
    assert status(cut)["step"] == 6
    assert "the run has finished its 6 steps: add steps=<more> to go further" in train(f"resume={cut}").stdout


def test_same_seed_same_numbers(train, tmp_path):
    train(*SMALL, *OFF, "run=a", "seed=3")
    train(*SMALL, *OFF, "run=b", "seed=3", fresh=True)  # whose hashes have another seed
    a, b = (tmp_path / "runs" / "digits" / name for name in "ab")
    assert without_speed(a) == without_speed(b)
    assert_close(state(a, 6), state(b, 6), atol=0, rtol=0)


def test_a_sweep_gives_a_run_each_and_goes_on_after_a_failure(train, tmp_path):
    result = train("-m", "loss=lsgan_b1c0a-1,nsgan", "dataset.resolution=32,30", *SMALL, *OFF, expect=1)
    study = tmp_path / "runs" / "digits"
    runs = sorted(study.glob("[!.]*/"))
    assert [path.name[:5] for path in runs] == ["lsgan", "nsgan"]
    assert all(status(path)["status"] == "finished" for path in runs)
    assert (study / "multirun.yaml").exists()
    assert result.stdout.count("refused: architecture: dcgan cannot make resolution 30") == 2
    assert "4 jobs: 2 finished, 2 refused" in result.stdout.replace("2 refused, 2 finished", "2 finished, 2 refused")
    assert "Traceback" not in result.stdout + result.stderr
    told = [line for line in result.stdout.splitlines() if line.startswith("job ")]
    for what, num in ((": new", 2), (": refused: ", 2), (": starts", 2), (": finished after ", 2)):
        assert sum(what in line for line in told) == num, told  # on a slow machine there are lines between them
    assert "step 6/6  " in result.stdout
    logs = [path.read_text() for path in (study / ".sweep").glob("job-*.log")]
    assert sum("finished:    6 steps" in text for text in logs) == 2
    (run,) = study.glob("nsgan*")
    assert "runtime: cpu" in (run / "train.log").read_text()


@pytest.mark.slow
def test_a_sweep_of_choices_with_their_own_key_and_one_exit_code_for_all(train, tmp_path):
    """Those that have the key take it, the one that has not says so, and all that fail collapse or do not."""
    short = ("steps=2", "architecture.width=4", "batch_size=8", *OFF)
    result = train("penalty=none,r1", "-m", "penalty.r1_gamma=5", *short, expect=1)
    assert "refused: penalty.r1_gamma is read by nothing: take it out" in result.stdout
    (run,) = (tmp_path / "runs" / "digits").glob("[!.]*/")
    assert yaml.safe_load((run / "config.yaml").read_text())["penalty"]["r1_gamma"] == 5
    train("-m", "seed=1,2", *SMALL, *COLLAPSED, *OFF, "on_collapse=stop", expect=3)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_the_missions_command_on_a_local_lsun(train, tmp_path, make_lmdb, drawings, form):
    lmdb_folder = make_lmdb(tmp_path / "my data" / "church_outdoor_train_lmdb", drawings(12))
    if form == "zip":
        shutil.make_archive(str(lmdb_folder), "zip", lmdb_folder.parent, lmdb_folder.name)
        shutil.rmtree(lmdb_folder)
    short = ("steps=1", "batch_size=4")
    output = train("loss=lsgan_b1c0a-1", "dataset=lsun_church", *short, *OFF, LSGAN_DATA=str(lmdb_folder.parent)).stdout
    (run,) = (tmp_path / "runs" / "lsun_church").iterdir()
    content = state(run, 1)
    assert (
        sum(v.numel() for k, v in content["parts"]["generator"].items() if "running" not in k and "num_" not in k)
        == 15_591_427
    )
    assert "lsun_church: 12 images 112×112×3" in output
    with Image.open(run / "samples" / "000001.jpg") as grid:
        assert grid.size == (8 * 114 + 2, 8 * 114 + 2)


def test_a_local_lsun_with_a_small_network(train, tmp_path, make_lmdb, drawings):
    lmdb_folder = make_lmdb(tmp_path / "my data" / "church_outdoor_train_lmdb", drawings(12))
    small = ("architecture=dcgan_small", "architecture.width=4", "dataset.resolution=32", "steps=1", "batch_size=4")
    output = train("loss=lsgan_b1c0a-1", "dataset=lsun_church", *small, *OFF, LSGAN_DATA=str(lmdb_folder.parent)).stdout
    (run,) = (tmp_path / "runs" / "lsun_church").iterdir()
    assert "lsun_church: 12 images 32×32×3" in output
    with Image.open(run / "samples" / "000001.jpg") as grid:
        assert grid.size == (8 * 34 + 2, 8 * 34 + 2)


def test_any_folder_of_images(train, tmp_path):
    (tmp_path / "pictures").mkdir()
    for i in range(5):
        Image.new("RGB", (40, 30), (50 * i, 0, 0)).save(tmp_path / "pictures" / f"{i}.png")
    (tmp_path / "pictures" / "broken.png").write_bytes(b"no")
    output = train("dataset=image_folder", "dataset.root=pictures", "dataset.resolution=16", *SMALL, *OFF).stdout
    assert "warning: skipped 1 of 6 images that cannot be read:\n  " in output
    assert "broken.png: not an image in a format that is known" in output
    assert "image_folder: 5 images 16×16×3" in output


def test_points(train, tmp_path):
    train("dataset=gaussian_ring", "steps=20", "log_every=10", *OFF)
    (run,) = (tmp_path / "runs" / "gaussian_ring").iterdir()
    with Image.open(run / "samples" / "000020.jpg") as scatter:
        assert scatter.size == (900, 460)


@pytest.mark.parametrize("loss", ["lsgan_b1c1a0", "nsgan", "minimax", "hinge", "wgan"])
@pytest.mark.parametrize("penalty", ["none", "r1", "wgan_gp", "lsgan_gp"])
@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=pytest.mark.slow)])
def test_losses_with_penalties(composed, loss, penalty, precision):
    """In process: every pair makes finite steps on real digits."""
    from lsgan import config
    from lsgan.training.gan import Data, Gan

    cfg = composed(
        f"loss={loss}",
        f"penalty={penalty}",
        f"runtime.precision={precision}",
        "architecture.width=4",
        "batch_size=8",
        "discriminator_steps=2",
    )
    experiment = config.assemble(cfg)
    batches = experiment.dataset.open(experiment.settings.data_dir, 8, 0, 0)
    gan = Gan(experiment.state, experiment.recipe, Data(experiment.dataset, batches), experiment.machine)
    for _ in range(3):
        seen = gan.step()
    assert all(t.isfinite().all() for t in seen)
    assert (seen.penalty > 0) == (penalty != "none")


def test_a_loss_that_is_not_finite_stops_the_run(train, tmp_path):
    small = ("architecture.width=4", "log_every=1", "checkpoint_every=1", *OFF)
    result = train("run=r", "steps=200", "optimizer.lr=1.0e+20", *small, expect=1)
    run = tmp_path / "runs" / "digits" / "r"
    assert re.search(
        r"^error: step \d+: (loss|gradient_norm)/(discriminator|generator) is (nan|inf|-inf): lower",
        result.stderr,
    )
    assert result.stderr.count("\n") == 1
    ended = status(run)
    assert ended["status"] == "failed"
    assert " is " in ended["reason"]
    assert ended["reason"] in (run / "train.log").read_text()


COLLAPSED = ("collapse_steps=4", "collapse_diversity=1")  # no young G is as diverse as the data
ALARM = r"G makes nearly one sample: over the last 4 steps the median diversity of its batches is 0\.\d+ of the real"


@pytest.mark.slow
def test_a_disk_that_wandb_fills_costs_nothing_but_time(train, disk, tmp_path):
    """All that is said of it is a few lines; with room again the same command ends with the same run."""
    (disk.path / "ballast").write_bytes(bytes(1_700_000))
    short = ("steps=60", "log_every=1", "sample_every=2", "checkpoint_every=8", "keep_checkpoints=1", *SMALL[4:],
             "runtime=cpu", "run=r")  # fmt: skip
    result = train(*short, f"runs_dir={disk.path}", expect=1, fresh=True)
    assert result.stderr.startswith("error: the last checkpoint could not be written to ")
    assert result.stderr.count("\n") == 1
    assert "W&B died" in result.stdout
    assert not re.search("Traceback|Logging error", result.stdout)
    assert len(result.stdout.splitlines()) < 40
    full, whole = disk.path / "digits" / "r", tmp_path / "runs" / "digits" / "r"
    assert (status(full)["status"], status(full)["step"]) == ("failed", 60)
    disk.make_room()
    shutil.rmtree(full / "wandb")
    train(*short, *OFF, f"runs_dir={disk.path}")
    train(*short, *OFF)
    assert without_speed(full) == without_speed(whole)
    assert_close(state(full, 60), state(whole, 60), atol=0, rtol=0)


def test_a_collapse_is_marked_everywhere_and_training_goes_on(train, tmp_path):
    output = train(*SMALL, *COLLAPSED, "run=r", "runtime=cpu").stdout
    run = tmp_path / "runs" / "digits" / "r"
    (line,) = [line for line in output.splitlines() if "G makes nearly one sample" in line]
    assert re.match(rf"warning: step 4: {ALARM}", line)
    ended = status(run)
    assert (ended["status"], ended["step"], ended["warnings"]["collapsed"]["step"]) == ("finished", 6, 4)
    assert re.match(ALARM, ended["warnings"]["collapsed"]["reason"])
    assert f"WARNING step 4: {ended['warnings']['collapsed']['reason']}" in (run / "train.log").read_text()
    (file,) = (run / "wandb").glob("offline-run-*/*.wandb")
    reader = [Path(sys.executable).parent / "wandb", "leet", "inspect", "--json", file]
    lines = subprocess.run(reader, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    (alert,) = [record["alert"] for record in map(json.loads, lines) if record["type"] == "alert"]
    assert alert["text"] == f"step 4: {ended['warnings']['collapsed']['reason']}"


def test_a_collapse_stops_the_run_with_an_exit_code_of_its_own(train, tmp_path):
    result = train(*SMALL, *COLLAPSED, *OFF, "run=r", "on_collapse=stop", "checkpoint_every=100", expect=3)
    run = tmp_path / "runs" / "digits" / "r"
    assert re.match(rf"error: step 4: {ALARM}", result.stderr)
    assert result.stderr.count("\n") == 1
    ended = status(run)
    assert (ended["status"], ended["step"], ended["warnings"]["collapsed"]["step"]) == ("collapsed", 4, 4)
    assert result.stderr == f"error: {ended['reason']}\n"
    assert [row["step"] for row in rows(run)] == [2, 4]
    assert state(run, 4)["step"] == 4
    again = train(f"resume={run}", expect=3).stderr
    assert re.match(
        rf"error: the run has collapsed \({ALARM}.*\): add on_collapse=warn to go on all the same\n$", again
    )
    train(f"resume={run}", "on_collapse=warn")
    assert status(run) == {**ended, "status": "finished", "step": 6, "reason": None}


def test_a_resumed_run_raises_the_same_alarm_at_the_same_step(train, tmp_path):
    train(*SMALL, *COLLAPSED, *OFF, "run=whole")
    train(*SMALL, *COLLAPSED, *OFF, "run=cut", "steps=2")
    cut, whole = (tmp_path / "runs" / "digits" / name for name in ("cut", "whole"))
    train(f"resume={cut}", "steps=6")
    assert status(cut) == status(whole)
    assert status(whole)["warnings"]["collapsed"]["step"] == 4


def test_a_hostile_name_is_refused_before_anything_is_written(train, tmp_path):
    result = train("study='$(touch x)'", *SMALL, *OFF, expect=1)
    assert result.stderr == "error: study='$(touch x)' names a folder: use letters, digits, '.', '_' and '-' only\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "code", "reason"), [("SIGINT", 130, "Ctrl-C"), ("SIGTERM", 143, "SIGTERM"), ("SIGUSR1", 138, "SIGUSR1")]
)
def test_a_request_to_stop_closes_the_run(start, tmp_path, number, code, reason):
    """The step is finished and saved, long before the next checkpoint is due, and the same command goes on from it."""
    process = start("train.py", "run=r", "log_every=1", "tracker=none")
    run = tmp_path / "runs" / "digits" / "r"
    wait_for_rows(run)
    process.send_signal(getattr(signal, number))
    output, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert (status(run)["status"], status(run)["reason"]) == ("interrupted", reason)
    (checkpoint,) = (run / "checkpoints").glob("*.pt")
    assert torch.load(checkpoint, weights_only=True)["step"] == status(run)["step"] == rows(run)[-1]["step"]
    assert "go on with: python train.py resume=runs/digits/r" in output
    assert "Traceback" not in errors


IN_THE_BACKGROUND = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for `python train.py &`
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_job_in_the_background_ignores_ctrl_c_and_meets_sigterm(start, tmp_path):
    (tmp_path / "background.py").write_text(IN_THE_BACKGROUND)
    process = start("background.py", "train.py", "run=r", "log_every=1", "architecture.width=4", *OFF)
    run = tmp_path / "runs" / "digits" / "r"
    wait_for_rows(run)
    process.send_signal(signal.SIGINT)
    seen = len(rows(run))
    while process.poll() is None and len(rows(run)) < seen + 5:
        time.sleep(0.01)
    process.terminate()
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 143, output + errors
    assert (status(run)["status"], status(run)["reason"]) == ("interrupted", "SIGTERM")


def wait_for_rows(run):
    for _ in range(600):
        if (run / "metrics.jsonl").exists() and (run / "metrics.jsonl").read_text():
            return
        time.sleep(0.1)


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_killed_at_any_moment_the_same_command_ends_with_the_same_run(start, train, tmp_path, kills):
    """benchmarks/chaos.py kills a hundred times."""
    steps = 60 * kills
    long = (f"steps={steps}", "log_every=1", "checkpoint_every=8", "sample_every=50", "architecture.width=4", *OFF)
    train(*long, "run=whole")
    whole, killed = (tmp_path / "runs" / "digits" / name for name in ("whole", "killed"))
    for _ in range(kills):
        process = start("train.py", *long, "run=killed")
        seen = (killed / "metrics.jsonl").stat().st_size if (killed / "metrics.jsonl").exists() else 0
        while process.poll() is None and not (killed / "metrics.jsonl").exists():
            time.sleep(0.01)
        while process.poll() is None and (killed / "metrics.jsonl").stat().st_size < seen + 8_000:
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    train(*long, "run=killed")
    assert_close(state(killed, steps), state(whole, steps), atol=0, rtol=0)
    assert without_speed(killed) == without_speed(whole)
    assert [row["step"] for row in rows(killed)] == list(range(1, steps + 1))
    assert status(killed)["status"] == "finished"


def test_a_named_run_goes_on_only_with_its_own_config(train, tmp_path):
    train(*SMALL, *OFF, "run=r")
    run = tmp_path / "runs" / "digits" / "r"
    before = (run / "metrics.jsonl").read_bytes()
    assert "the run has finished its 6 steps" in train(*SMALL, *OFF, "run=r").stdout
    result = train(*SMALL, *OFF, "run=r", "steps=8", "loss.a=-2", "seed=1", expect=1)
    assert result.stderr == (
        "error: run=r: runs/digits/r was begun with another config (loss.a=-2, not -1; seed=1, not 0): choose another "
        "name, or go on with the new values by resume_override=true\n"
    )
    assert (run / "metrics.jsonl").read_bytes() == before
    train(*SMALL, *OFF, "run=r", "steps=8", "loss.a=-2", "seed=1", "resume_override=true")
    assert [row["step"] for row in rows(run)] == [2, 4, 6, 8]
    assert yaml.safe_load((run / "config.yaml").read_text())["loss"]["a"] == -2
    train(*SMALL, *OFF, "run=r", "steps=9", "loss.a=-2", "seed=1")  # which is its own config now


def test_a_second_process_is_refused(start, train, tmp_path):
    start("train.py", "run=r", "log_every=1", "tracker=none")
    wait_for_rows(tmp_path / "runs" / "digits" / "r")
    result = train("run=r", "log_every=1", "tracker=none", expect=1)
    assert result.stderr == "error: another process is training in runs/digits/r: stop that one, or name another run\n"


def test_the_best_checkpoint_stays(train, tmp_path):
    train(*SMALL, *OFF, "run=r", "best_metric=loss/generator", "keep_checkpoints=1", "log_every=100")
    run = tmp_path / "runs" / "digits" / "r"
    values = {row["step"]: row["loss/generator"] for row in rows(run)}
    assert list(values) == [2, 4, 6]  # checkpoints bring their row along
    best = torch.load(run / "checkpoints" / "best.pt", weights_only=True)
    assert best["step"] == min(values, key=values.__getitem__)
    assert best["best"] == {"metric": "loss/generator", "value": min(values.values())}


MISTAKES = {
    ("optimiser=adam",): "optimiser: no such setting (did you mean optimizer?); python train.py --help lists all",
    ("optimizer.lrr=1",): "optimizer.lrr: no such setting (did you mean optimizer.lr?)",
    ("dataset=gaussian_ring", "dataset.radios=2"): "dataset.radios: no such setting (did you mean dataset.radius?)",
    ("loss=lsgn",): "loss=lsgn: no such choice (did you mean lsgan?); choose one of hinge, lsgan, ",
    ("dataset=imagenet",): "dataset=imagenet: no such choice",
    ("loss.a=one",): "loss.a=one must be a number",
    ("loss=lsgan", "loss.a=1"): "loss.b, loss.c must be given: add loss.b=<value> loss.c=<value>",
    ("steps=many",): "steps=many must be an integer",
    ("dataset.resolution=30",): "architecture: dcgan cannot make resolution 30",
    ("batch_size=0",): "batch_size=0 must be a number of at least 1",
    ("optimizer.lr=-1",): "optimizer.generator.lr=-1 must be a number above 0",
    ("+training.batchsize=3",): "training is read by nothing",
    ("resume=nowhere",): "nowhere is not a run folder: it has no config.yaml",
    ("dataset=image_folder", "dataset.root=empty"): "dataset.root=empty: ",
    (
        "dataset=lsun_church",
        "dataset.archive=nowhere.zip",
    ): "dataset.archive=nowhere.zip is not there: name what holds LSUN",
    ("runtime=cuda",): "runtime: device=cuda, but PyTorch sees no CUDA GPU here",
    ("loss.a=[1",): "loss.a=[1 is not understood: write key=value",
    ("-m", "loss=glob(lsgan_*)", "optimizer.lrr=1"): "optimizer.lrr: no such setting (did you mean optimizer.lr?)",
    ("seed=1,2",): "seed=1,2: several values are a sweep, which takes -m: python train.py -m seed=1,2",
    ("data_dir=~/x",): "data_dir=~/x is not understood: write key=value; a value with special characters needs quotes",
    ("steps",): "steps is not understood: write key=value",
    ("best_mode=most",): "best_mode=most must be min or max",
    ("--loss.a=-1",): "--loss.a=-1: write loss.a=-1; in a W&B sweep's command use ${args_no_hyphens} instead of $",
    ("k" * 5000 + "=1",): f"{'k' * 40}… has 5,000 characters, too many for a name: shorten it",
    ("run=" + "k" * 300,): f"run={'k' * 40}… has 300 characters: a name has at most 200",
    ("resume=",): "resume= names no run folder: resume=<runs_dir>/<study>/<run>, or leave it out",
    ("~nothere",): "~nothere: there is no nothere to take out",
    ("+loss=nsgan",): "+loss: there is a choice of loss already: leave the + out to replace it",
    ("",): "'' is not understood: write key=value",
    ("optimizer.generator.weight_decay=0.1",): "optimizer.generator.weight_decay: the config says nothing of it, "
    "but it is taken: +optimizer.generator.weight_decay=0.1 adds it",
    ("optimizer.weight_decay=0.1",): "optimizer.weight_decay: the config says nothing of it, but it is taken: "
    "+optimizer.generator.weight_decay=0.1 +optimizer.discriminator.weight_decay=0.1 adds it",
    ("architecture.num_classes=3",): "architecture.num_classes: no such setting",  # the data set gives it
    ("best_metric=fid",): "best_metric=fid is no column of metrics.jsonl: choose one of divergence/jsd, ",
}


@pytest.mark.parametrize("arguments", MISTAKES, ids=lambda words: " ".join(words)[:60])
def test_a_mistake_costs_one_sentence_and_leaves_nothing(train, tmp_path, arguments):
    if arguments == ("runtime=cuda",) and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    result = train(*arguments, expect=1)
    assert result.stderr.startswith(f"error: {MISTAKES[arguments]}")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_help_is_for_people(train):
    output = train("--help").stdout
    for part in ("Choices (group=choice)", "lsgan_b1c0a-1", "lsun_church", "python train.py resume=", "batch_size: 32"):
        assert part in output
    assert "Hydra (https" not in output


@pytest.mark.parametrize(
    "arguments", ["--help", "--cfg job", "loss=lsgn", "optimizer.lrr=1", "steps=many", "loss.a=one"]
)
def test_help_and_mistakes_do_not_wait_for_torch(python, arguments):
    expected = 0 if arguments.startswith("--") else 1
    imported = python("-X", "importtime", "train.py", *arguments.split(), expect=expected).stderr
    modules = {
        line.split("|")[-1].strip().split(".")[0] for line in imported.splitlines() if line.startswith("import ")
    }
    assert "hydra" in modules
    assert not modules & {"torch", "torchvision", "wandb", "sklearn", "matplotlib"}


def test_the_shell_completes_choices_without_waiting_for_torch(python):
    line = {"COMP_LINE": "python train.py loss=lsgan_b", "COMP_POINT": "28", "PYTHONPROFILEIMPORTTIME": "1"}
    result = python("train.py", "-sc", "query=bash", fresh=True, **line)
    assert result.stdout.split() == ["loss=lsgan_b1c0a-1", "loss=lsgan_b1c1a0"]
    assert not re.search(r"\| +torch\n", result.stderr)


def test_the_run_tells_how_it_runs_and_keeps_that(train, tmp_path):
    output = train(*SMALL, "run=r", "runtime=cpu", "runtime.threads=1", "tracker=none").stdout
    assert re.search(
        r"^runtime: cpu \(as set; 1 thread\), (fp32|bf16) \(.*(?:AMX|AVX512-BF16).*\), channels last, eager$",
        output,
        re.M,
    )
    assert re.search(r"^most memory: \d\.\d\d GB$", output, re.M)
    saved = yaml.safe_load((tmp_path / "runs" / "digits" / "r" / "config.yaml").read_text())
    assert saved["runtime"]["precision"] in ("fp32", "bf16")


def test_a_bf16_run_resumes_exactly(train, tmp_path):
    """The same machine, threads and precision: the same bits."""
    how = (*SMALL, "tracker=none", "runtime=cpu", "runtime.precision=bf16")
    train(*how, "run=whole")
    train(*how, "run=cut", "steps=4")
    train("resume=runs/digits/cut", "steps=6")
    whole, cut = (tmp_path / "runs" / "digits" / name for name in ("whole", "cut"))
    assert_close(state(cut, 6), state(whole, 6), rtol=0, atol=0)
    assert without_speed(cut)[-1] == without_speed(whole)[-1]


def test_a_number_of_ranks_that_is_none(train, tmp_path):
    for name in ("RANK", "WORLD_SIZE"):
        error = train(**{"RANK": "0", "WORLD_SIZE": "1", name: "x"}, expect=1).stderr
        assert error.startswith(f"error: {name}=x in the environment must be a number, as torchrun sets it: start")
        assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
