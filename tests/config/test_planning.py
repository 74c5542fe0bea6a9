"""Which run a command means, and what it is told when that run was another."""

import json

import pytest

from lsgan import config, provenance
from lsgan.errors import LsganError


@pytest.fixture
def begin(tmp_path):
    """Begins a run as `python train.py <overrides>` does, as far as its folder tells."""

    def begin(name, *overrides, code=None, **status):
        settings = config.plan(config.composed(where(overrides)), overrides).settings
        folder = tmp_path / "digits" / name
        (folder / "checkpoints").mkdir(parents=True)
        values = {**vars(settings), "run": name, "data_dir": str(settings.data_dir), "runs_dir": str(settings.runs_dir)}
        (folder / "config.yaml").write_text(config.to_yaml(values))
        if code is not None:
            (folder / "history.jsonl").write_text(json.dumps({"event": "start", "code": code}) + "\n")
        if status:
            (folder / "status.json").write_text(json.dumps(status))
            (folder / "checkpoints" / f"step-{status['step']:06d}.pt").touch()
        return folder

    def where(overrides):
        return [f"runs_dir={tmp_path}", *overrides]

    begin.plan = lambda *overrides: config.plan(config.composed(where(overrides)), overrides)
    return begin


def test_a_new_command_begins_a_run(begin):
    assert begin.plan("seed=3").folder is None


def test_the_same_command_means_the_same_run(begin):
    name = config.assemble(config.composed(["seed=3"]), ["seed=3"]).run_name
    folder = begin(name, "seed=3")
    assert begin.plan("seed=3").folder == folder
    assert begin.plan("seed=3", "tracker=none").folder == folder
    assert begin.plan("seed=4").folder is None
    assert begin.plan("seed=3", "new=true").folder is None


def test_to_wandbs_agent_a_command_that_was_run_before_is_another_run(begin, monkeypatch):
    """W&B waits for each run that it has asked for. The agent's own run is gone on with."""
    name = config.assemble(config.composed(["seed=3"]), ["seed=3"]).run_name
    folder = begin(name, "seed=3")
    monkeypatch.setenv("WANDB_RUN_ID", "abcd1234")
    assert begin.plan("seed=3").folder == folder  # no agent
    monkeypatch.setenv("WANDB_SWEEP_ID", "efgh5678")
    planned = begin.plan("seed=3")
    assert (planned.folder, planned.settings.new) == (None, True)
    (folder / "wandb").mkdir()
    (folder / "wandb" / "run-id").write_text("abcd1234")
    assert begin.plan("seed=3").folder == folder


def test_a_job_that_is_queued_again_must_not_begin_another_run_each_time(begin, monkeypatch):
    assert begin.plan("new=true").settings.new
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    with pytest.raises(LsganError, match=r"^new=true would begin another run each time that the job is queued again: "):
        begin.plan("new=true")


def test_a_config_that_has_changed_is_refused(begin):
    folder = begin("r", "run=r", "loss.a=-2")
    with pytest.raises(LsganError) as caught:
        begin.plan("run=r", "seed=1", "steps=8", "+optimizer.generator.amsgrad=true")
    assert str(caught.value) == (
        f"run=r: {folder} was begun with another config (loss.a=-1, not -2; seed=1, not 0): choose another name, or go "
        "on with the new values by resume_override=true"
    )
    assert begin.plan("run=r", "seed=1", "resume_override=true").folder == folder
    assert begin.plan("run=r", "loss.a=-2.0", "steps=8").folder == folder


def test_other_images_are_not_held_out_later(begin):
    folder = begin("r", "run=r", "dataset.held_out=0.1")
    with pytest.raises(LsganError) as caught:
        begin.plan("run=r")
    assert str(caught.value).startswith(f"run=r: {folder} was begun with another config (dataset.held_out=0, not 0.1):")
    with pytest.raises(LsganError, match=r"goes on with the run's own config, so dataset.held_out cannot be changed"):
        begin.plan(f"resume={folder}", "dataset.held_out=200")
    assert begin.plan("run=r", "dataset.held_out=0.1", "steps=9").folder == folder


def test_a_name_that_is_taken_is_not_begun_anew(begin):
    begin("r", "run=r")
    with pytest.raises(
        LsganError, match=r"^run=r: .*digits/r is there, and new=true begins another: choose another na"
    ):
        begin.plan("run=r", "new=true")
    assert begin.plan("run=other", "new=true").folder is None


def other_code(**changes):
    return {**provenance.code([]), "sha256": "0" * 64, "lsgan": "0.0.9", "commit": "f" * 40, "changed": True, **changes}


def test_metrics_of_a_run_keep_their_meaning(begin):
    typed = ("observe=[default,metrics]", "run=r")
    folder = begin("r", *typed)
    sentence = r"has metrics already, and these would mean something else \("
    resumed = (f"resume={folder}", "features=pixels")
    for changed in ((*typed, "features=pixels"), (*typed, "observe.metrics.num_samples=99"), resumed):
        with pytest.raises(LsganError, match=sentence):
            begin.plan(*changed)
        assert begin.plan(*changed, "resume_override=true").folder == folder
    assert begin.plan(*typed, "observe.metrics.every=7").folder == folder
    assert begin.plan("run=r", "observe=[default]", "features=pixels").folder == folder  # no metrics are taken


def test_what_was_exported_is_no_run(begin):
    folder = begin("r")
    (folder / "model.safetensors").touch()
    for typed in (f"resume={folder}", "run=r"):
        with pytest.raises(LsganError, match=r"is what was exported of a run, and has nothing to go on from: name the"):
            begin.plan(typed)
    (folder / "checkpoints" / "step-000060.pt").touch()  # somebody keeps it in a run's folder
    assert begin.plan(f"resume={folder}").folder == folder


def test_other_code_is_asked_for(begin):
    folder = begin("r", "run=r", code=other_code())
    for command, called, fix in (
        (("run=r",), f"run=r: {folder}", "choose another name"),
        ((f"resume={folder}",), f"resume={folder}", "begin another run"),
    ):
        with pytest.raises(LsganError) as caught:
            begin.plan(*command)
        message = str(caught.value)
        assert message.startswith(
            f"{called} was begun by other code (lsgan 0.0.9 at fffffffff with uncommitted changes, and this is "
        )
        assert message.endswith(f": {fix}, or go on with this code by resume_override=true")
        assert begin.plan(*command, "resume_override=true").folder == folder


def test_the_same_code_and_code_that_nobody_wrote_down_go_on(begin):
    assert begin.plan(f"resume={begin('a', 'run=a', code=provenance.code([]))}").folder.name == "a"
    assert begin.plan(f"resume={begin('b', 'run=b')}").folder.name == "b"


def test_a_finished_run_is_done_unless_more_steps_are_asked_for(begin):
    begin("r", "run=r", "steps=6", status="finished", step=6, code=other_code())
    line = begin.plan("run=r", "steps=6").done  # whatever the code: nothing is trained
    assert "digits/r: the run has finished its 6 steps: add steps=<more> to go further (other code: lsgan 0.0.9" in line
    with pytest.raises(LsganError, match="begun by other code"):
        begin.plan("run=r", "steps=7")
    begin("s", "run=s", "steps=6", status="running", step=6)
    assert begin.plan("run=s", "steps=6").done is None


@pytest.mark.parametrize("ended", ["finished", "interrupted"])
def test_what_was_done_is_not_taken_back(begin, ended):
    folder = begin("r", "run=r", "steps=60", "batch_size=8", status=ended, step=60)
    for typed, wanted in {"steps=30": "steps=30", "images=80": r"images=80 \(10 steps\)"}.items():
        for named in (["run=r", "batch_size=8"], [f"resume={folder}"]):
            with pytest.raises(LsganError, match=rf"^{wanted}: {folder} has done 60 steps already: ask for more, or "):
                begin.plan(*named, typed)
    for enough in ("steps=60", "steps=61", "images=480"):
        assert begin.plan(f"resume={folder}", enough).folder == folder
    (folder / "config.yaml").write_text((folder / "config.yaml").read_text().replace("steps: 60", "steps: 30"))
    assert begin.plan(f"resume={folder}").folder == folder  # nobody typed it


def test_two_lengths_are_one_too_many(begin):
    with pytest.raises(LsganError, match=r"^images=64 and steps=4 both say how long to train: leave one of them out$"):
        begin.plan("images=64", "steps=4")
    with pytest.raises(LsganError, match=r"^images=64 and steps=4 both say .*: add images=null, or leave steps out$"):
        config.plan(config.composed(["images=64", "steps=4"]), ["steps=4"])  # images by an experiment
    assert begin.plan("images=64", "batch_size=8", "discriminator_steps=3").settings.steps == 3  # 24 images a step


@pytest.mark.parametrize(("saved", "kept"), [("bf16", "bf16"), ("fp32", "fp32")])
def test_a_run_goes_on_in_the_precision_it_was_begun_in(begin, saved, kept):
    folder = begin("r", "run=r", f"runtime.precision={saved}")
    for command in (["run=r"], [f"resume={folder}"], [f"resume={folder}", "runtime=cpu"], ["run=r", "runtime=auto"]):
        assert begin.plan(*command).settings.runtime["precision"] == kept
    for override in ("runtime.precision=fp32", "runtime=reference"):
        assert begin.plan(f"resume={folder}", override).settings.runtime["precision"] == "fp32"


def test_a_run_goes_on_with_its_threads(begin, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    begin("r", "run=r", "runtime.threads=1")
    assert begin.plan("run=r", "runtime=auto").settings.runtime["threads"] == 1
    assert begin.plan("run=r", "runtime.threads=2").settings.runtime["threads"] == 2


@pytest.mark.parametrize(("typed", "called"), [("123", "123"), ("true", "True"), ("'~/none'", "/.*/none")])
def test_resume_takes_whatever_names_a_folder(typed, called):
    overrides = [f"resume={typed}"]
    with pytest.raises(LsganError, match=f"^{called} is not a run folder"):
        config.plan(config.composed(overrides), overrides)
