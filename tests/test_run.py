"""One run after another in the same folder, in this process: what was made is never lost."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from lsgan import config
from lsgan import run as module
from lsgan.errors import LsganError
from lsgan.files import is_refusal
from lsgan.tracking.run_folder import RunFolder

OLD = Path(__file__).parent / "fixtures" / "runs-0.1"
SMALL = (
    "architecture=dcgan_small", "architecture.width=2", "latent.dim=8", "batch_size=8", "log_every=1", "sample_every=3",
    "checkpoint_every=2", "runtime=cpu",
)  # fmt: skip


@pytest.fixture
def go(composed, tmp_path, monkeypatch):
    """Trains as `python train.py <overrides>` does: six steps of the run r, if nothing else is said."""
    monkeypatch.setattr(module, "show_log_lines", lambda world: None)  # caplog listens

    def run(*overrides):
        if not any(override.startswith("resume=") for override in overrides):
            overrides = (*SMALL, "tracker=none", "steps=6", "run=r", f"runs_dir={tmp_path / 'runs'}", *overrides)
        plan = config.plan(composed(*overrides), overrides)
        if plan.done is None:
            module.run(config.build_experiment(plan))

    return run


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "runs" / "digits" / "r"


@pytest.fixture
def trained(go, folder, tmp_path_factory):
    """A run of six steps in `folder`; a copy of one that was trained once."""
    kept = tmp_path_factory.getbasetemp() / "a-trained-run"
    if not kept.exists():
        go()
        shutil.copytree(folder, kept)
        return folder
    return shutil.copytree(kept, folder)


def rows(folder):
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "images_per_second"} for row in found]


def status(folder):
    return json.loads((folder / "status.json").read_text())


def weights(folder, step=6):
    return torch.load(folder / "checkpoints" / f"step-{step:06d}.pt", weights_only=True)["parts"]


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


# Checkpoints that are lost


def all_damaged(checkpoints):
    for path in checkpoints.glob("*.pt"):
        damage(path)


def all_renamed(checkpoints):
    """As earlier versions left it."""
    for path in checkpoints.glob("step-*.pt"):
        path.rename(f"{path}.damaged")


def emptied(checkpoints):
    for path in checkpoints.iterdir():
        path.write_bytes(b"")


def folders_in_their_place(checkpoints):
    for path in checkpoints.glob("*.pt"):
        path.unlink()
        path.mkdir()


LOSSES = [all_damaged, all_renamed, emptied, folders_in_their_place, shutil.rmtree]


@pytest.mark.parametrize("lose", LOSSES)
def test_a_run_whose_checkpoints_are_lost_is_never_begun_anew(go, trained, folder, lose):
    lose(folder / "checkpoints")
    before = files(folder)
    with pytest.raises(LsganError, match=r"r has had checkpoints, but .* holds no sound checkpoint") as raised:
        go("steps=8")
    assert str(raised.value).endswith(": put one back, or choose another name")
    assert "\n" not in str(raised.value)
    with pytest.raises(LsganError, match=r"put one back, or begin another run$"):
        go(f"resume={folder}", "steps=8")
    assert files(folder) == before


def test_a_run_without_a_name_begins_another_by_new(go, tmp_path):
    go("run=null")
    (run,) = (tmp_path / "runs" / "digits").iterdir()
    shutil.rmtree(run / "checkpoints")
    before = files(run)
    with pytest.raises(LsganError, match=r"put one back, or begin another run by new=true$"):
        go("run=null")
    go("run=null", "new=true")
    assert files(run) == before
    assert weights(run.with_name(f"{run.name}-2"))


def test_the_best_checkpoint_is_offered_and_goes_on(go, folder):
    go("best_metric=loss/generator")
    whole = rows(folder), weights(folder)
    step = torch.load(folder / "checkpoints" / "best.pt", weights_only=True)["step"]
    for path in (folder / "checkpoints").glob("step-*"):
        path.unlink()
    with pytest.raises(LsganError, match=rf"put one back \(`cp .*best.pt .*step-{step:06d}.pt` takes the best") as told:
        go("best_metric=loss/generator")
    subprocess.run(str(told.value).split("`")[1], shell=True, check=True)
    go("best_metric=loss/generator")
    assert_close((rows(folder), weights(folder)), whole, atol=0, rtol=0)


def test_a_damaged_one_gives_way_to_the_one_before(go, trained, folder, caplog):
    whole = weights(folder)
    damage(folder / "checkpoints" / "step-000006.pt")
    go("steps=8")
    assert "step-000006.pt is damaged, it does not have its checksum; going on from the one before" in caplog.text
    assert [row["step"] for row in rows(folder)] == list(range(1, 9))
    assert_close(weights(folder), whole, atol=0, rtol=0)
    assert [json.loads(line)["step"] for line in (folder / "metrics.set-aside.jsonl").open()] == [5, 6]


def test_a_file_in_the_place_of_the_checkpoints(go, trained, folder):
    shutil.rmtree(folder / "checkpoints")
    (folder / "checkpoints").write_text("moved to tape")
    before = files(folder)
    for _ in range(2):
        with pytest.raises(LsganError, match=r"checkpoints cannot be read \(Not a directory\): mend that first$"):
            go()
    assert files(folder) == before


def test_a_checkpoint_of_another_run(go, trained, folder):
    go("run=other", "seed=5")
    shutil.copy(folder.with_name("other") / "checkpoints" / "step-000006.pt", folder / "checkpoints" / "step-000007.pt")
    before = files(folder)
    for _ in range(2):
        with pytest.raises(
            LsganError, match=r"7.pt is a checkpoint of another run \(seed=0, not 5\): put this run's own"
        ):
            go("steps=8")
    assert files(folder) == before


def test_a_run_of_an_earlier_version_is_not_begun_anew_either(go, tmp_path):
    folder = shutil.copytree(OLD / "digits" / "digits", tmp_path / "old")
    shutil.rmtree(folder / "checkpoints")
    for told in ("finished", "running"):
        (folder / "status.json").write_text(json.dumps({"status": told, "step": 4}))
        with pytest.raises(LsganError, match="has had checkpoints, but"):
            go(f"resume={folder}", "steps=8", f"data_dir={os.environ['LSGAN_DATA']}")
    (folder / "metrics.jsonl").write_text("")
    go(f"resume={folder}", "steps=8", f"data_dir={os.environ['LSGAN_DATA']}")  # nothing says that there was one


class KilledError(BaseException):
    """As good as SIGKILL: nothing is written any more."""


def kill_at(monkeypatch, step):
    log = RunFolder.log

    def killed(folder, record):
        log(folder, record)
        if record.step == step:
            folder._lock.release()
            monkeypatch.setattr(RunFolder, "_end", lambda *_: None)
            raise KilledError

    monkeypatch.setattr(RunFolder, "log", killed)


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(go, trained, folder, monkeypatch, caplog):
    caplog.set_level("INFO")
    whole = shutil.move(trained, trained.with_name("whole"))
    with monkeypatch.context() as patch:
        kill_at(patch, 1)
        with pytest.raises(KilledError):
            go()
    assert (status(folder)["status"], len(rows(folder))) == ("running", 1)
    go()
    assert "it ended before its first checkpoint, and begins at step 0 again" in caplog.text
    assert [json.loads(line)["step"] for line in (folder / "metrics.set-aside.jsonl").open()] == [1]
    assert rows(folder) == rows(whole)
    assert_close(weights(folder), weights(whole), atol=0, rtol=0)
    assert not (whole / "metrics.set-aside.jsonl").exists()


# A full disk


def full_from(disk, monkeypatch, name):
    """Fills the disk when `RunFolder.name` is called."""
    method = getattr(RunFolder, name)

    def called(*args, **options):
        disk.fill()
        return method(*args, **options)

    monkeypatch.setattr(RunFolder, name, called)


def full_at(disk, monkeypatch, step):
    """Fills the disk before what there is to say of a step is written."""
    log = RunFolder.log

    def called(folder, record):
        if record.step == step:
            disk.fill()
        log(folder, record)

    monkeypatch.setattr(RunFolder, "log", called)


@pytest.mark.parametrize("step", [0, 1, 2, 4, 6])
def test_a_disk_that_becomes_full_costs_nothing_but_time(go, trained, folder, disk, monkeypatch, caplog, step):
    run = disk.path / "digits" / "r"
    last = (
        "goes on from step 4" if step == 6 else "goes on from step 2" if step == 4 else "begins at step 0 again, noth"
    )
    with monkeypatch.context() as patch:
        full_at(disk, patch, step)
        with pytest.raises(
            LsganError,
            match=r"^the last checkpoint could not be written to .*checkpoints \(No space left on device\): make room "
            rf"there and start again, python train.py resume={run} {last}",
        ) as told:
            go(f"runs_dir={disk.path}")
    assert status(run) == {"status": "failed", "step": 6, "reason": str(told.value)}
    assert [path.suffix for path in run.rglob("*") if path.suffix in (".part", ".new")] == []
    disk.make_room()
    caplog.clear()
    go(f"resume={run}")
    assert rows(run) == rows(folder)
    assert_close(weights(run), weights(folder), atol=0, rtol=0)
    assert status(run)["status"] == "finished"


@pytest.mark.parametrize("moment", ["open", "start"])
def test_a_disk_that_is_full_at_the_start_is_one_sentence(go, trained, folder, disk, monkeypatch, moment):
    run = disk.path / "digits" / "r"
    for _ in range(2):
        with monkeypatch.context() as patch:
            full_from(disk, patch, moment)
            with pytest.raises(LsganError, match=r"cannot be written \(No space left on device.*\): .*make room there"):
                go(f"runs_dir={disk.path}")
    disk.make_room()
    go(f"runs_dir={disk.path}")
    assert rows(run) == rows(folder)


def test_a_disk_that_becomes_full_while_a_run_is_closed(go, trained, folder, disk, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        full_from(disk, patch, "_end")
        go(f"runs_dir={disk.path}")
    assert status(disk.path / "digits" / "r") == {"status": "finished", "step": 6, "reason": None}
    assert rows(disk.path / "digits" / "r") == rows(folder)


@pytest.mark.parametrize("place", ["file", "r" * 300])
def test_places_that_cannot_be(go, tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises((LsganError, OSError)) as told:  # the command makes a sentence of both
        go(f"runs_dir={tmp_path / place}")
    assert isinstance(told.value, LsganError) or is_refusal(told.value)
