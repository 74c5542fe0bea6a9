"""What is typed, as Hydra gets it."""

import pytest
from omegaconf import OmegaConf

from lsgan.arguments import OF_QUEUE, OF_SEARCH, exit_code, for_hydra, plain
from lsgan.config import CONF_DIR
from lsgan.errors import LsganError

REFUSED = {
    "=3": "=3 has no key: write key=value",
    "--loss.a=-1": "--loss.a=-1: write loss.a=-1; in a W&B sweep's command use ${args_no_hyphens} instead of ${args}",
    "--run=mine": "--run=mine: write run=mine; in a W&B",  # --run is Hydra's, and takes no value
    "--unknown": "--unknown: no such flag; a setting is unknown=<value>, without hyphens, and python train.py",
    "--resume runs/r": "--resume: no such flag; a setting is resume=<value>, without hyphens",
    "-x": "-x: no such flag",
    "--cfg": "argument --cfg/-c: expected one argument; python train.py --hydra-help lists the flags",
    "--cfg foo": "argument --cfg/-c: invalid choice: 'foo'",
    "-m seed=1,2 --cfg job": "--cfg shows one config, and -m runs several: leave one of them out",
    "--cfg job -m": "--cfg shows one config, and -m runs several",
    "--resolve": "--resolve belongs to --cfg: add --cfg job",
    "loss=3": "loss=3 must be the name of a choice: hinge, lsgan, ",
    "loss=null": "loss=null must be the name of a choice: hinge",
    "experiment=null": "experiment=null must be the name of a choice: none, ",
    "-m loss=nsgan,3": "loss=nsgan,3 must be the name of a choice",
    "loss=[nsgan,wgan]": "loss=[nsgan,wgan] must be one choice: python train.py -m loss=nsgan,wgan tries each of ",
    "-m run=mine steps=20,40": "run=mine: 2 jobs of this sweep would share 1 run, and each go on where",
    "steps=20,40 run=mine -m": "run=mine: 2 jobs",
    "-m run=a,b steps=range(1,4)": "run=a,b: 6 jobs of this sweep would share 2 runs",
    "-m run=mine loss=glob(lsgan_b1*)": "run=mine: 2 jobs",
    "hydra.mode=MULTIRUN run=mine seed=1,2": "run=mine: 2 jobs",
    "-m run=mine loss.a=interval(-2,0) hydra/sweeper=optuna": "run=mine: 2 jobs",
    "-m run=mine sweep=targets": "run=mine: 21 jobs",
    "sweep=targets": "sweep=targets is many runs, which takes -m: python train.py -m sweep=targets",
    "+sweep=targets loss=nsgan": "sweep=targets is many runs, which takes -m",
    "hydra/sweeper=optuna": "hydra/sweeper=optuna is many runs, which takes -m",
    "-m sweep=targets,penalties": "sweep=targets,penalties: one sweep at a time; what it sweeps can be typed",
    "-m sweep=glob(*)": "sweep=glob(*): one sweep at a time",
    "-m sweep=targets +sweep=penalties": "sweep=targets sweep=penalties: one sweep at a time",
    "dry_run=true": "dry_run=true is about a sweep, which takes -m: leave it out, or type python train.py -m",
    "workers=2 seed=1": "workers=2 is about a sweep, which takes -m",
    "++devices=[0]": "++devices=[0] is about a sweep, which takes -m",
    "resume=r retry_failed=true": "retry_failed=true is about a sweep",
    "trials=3": "trials=3 is about a sweep",
    "-m hydra/launcher=slurm dry_run=true seed=1,2": "dry_run=true is for the queue, which hydra/launcher=slurm repl",
    "-m hydra/launcher=basic workers=2": "workers=2 is for the queue, which hydra/launcher=basic replaces: leave one",
    "-m trials=3 seed=1,2": "trials=3 is about a search: add hydra/sweeper=optuna, or leave it out",
    "-m devices=0,1": "devices=0,1: devices is about the whole sweep, so it cannot be swept itself: write devices=[",
    "-m workers=1,2": "workers=1,2: workers is about the whole sweep, so it cannot be swept itself: write one value",
    "-m resume=r steps=20,40": "resume=r: 2 jobs of this sweep would share 1 run, and each go on where the one before "
    "ended: resume them one by one",
}


@pytest.mark.parametrize("typed", REFUSED)
def test_what_is_refused_before_hydra_sees_it(typed):
    with pytest.raises(LsganError) as caught:
        for_hydra(typed.split())
    assert str(caught.value).startswith(REFUSED[typed])


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "loss.a=-1 seed=3",
        "--cfg job --resolve loss=nsgan",
        "--config-dir=conf loss=nsgan",
        "--info=defaults",
        "observe=[default,none]",
        "loss={a:-2}",
        "-m seed=1,2",
        "-m sweep=targets",
        "sweep=none",
        "-m hydra/sweeper=optuna optimizer.lr=interval(1,2) batch_size=range(1,3)",
        "-m run=mine",
        "-m run=a,b",
        "-m run=mine-${seed} seed=1,2",
        "-m resume=a,b",
        "-m run=null seed=1,2",
        "-m dry_run=true workers=2 devices=[0,1] seed=1,2",
        "-m hydra/launcher=queue dry_run=true",
        "-m hydra/sweeper=optuna trials=3 pruner=median workers=2 seed=1,2",
        "workers=null dry_run=false trials=20 devices=null",  # says nothing
        "--cfg job workers=2",
        "steps",  # Hydra has a sentence for it
    ],
)
def test_what_is_sound_stays_as_it_is(typed):
    assert [word.removeprefix("++") for word in for_hydra(typed.split())] == typed.split()


def test_a_sweep_under_torchrun_is_refused(monkeypatch):
    told = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert for_hydra(["seed=1"]) == ["seed=1"]
    with pytest.raises(LsganError, match=r"^-m under torchrun: each of its 2 processes would run the whole sweep; "):
        for_hydra(["-m", "seed=1,2"])
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("RANK", "0")
    assert for_hydra(["-m", "seed=1,2"]) == ["-m", "seed=1,2"]


def test_what_is_about_the_sweep_is_kept_from_its_jobs():
    queue = OmegaConf.load(CONF_DIR / "hydra/launcher/queue.yaml")
    assert set(queue.leave_out) == {"sweep", *OF_QUEUE, *OF_SEARCH}


def test_other_commands_have_no_dry_run_either():
    with pytest.raises(LsganError, match=r"^dry_run=true is about a sweep"):
        plain(["dataset=mnist", "dry_run=true"])


def test_flags_may_stand_anywhere():
    assert for_hydra(["loss=nsgan", "-m", "seed=1,2"]) == ["-m", "loss=nsgan", "seed=1,2"]
    assert for_hydra(["loss=nsgan", "--cfg", "job", "seed=1"]) == ["--cfg", "job", "loss=nsgan", "seed=1"]


@pytest.mark.parametrize("choices", ["wgan_gp,lsgan_gp", "none,wgan_gp", "glob(*_gp)", "choice('none','wgan_gp')"])
def test_a_key_that_only_swept_choices_have_is_forced(choices):
    typed = ["-m", f"penalty={choices}", "penalty.weight=5", "optimizer.lrr=1", "seed=2"]
    assert for_hydra(typed) == ["-m", f"penalty={choices}", "++penalty.weight=5", "optimizer.lrr=1", "seed=2"]


def test_a_key_of_a_group_that_a_swept_choice_brings_is_forced():
    """`loss=wgan` chooses a penalty."""
    assert for_hydra(["-m", "loss=nsgan,wgan", "penalty.weight=5"])[-1] == "++penalty.weight=5"
    assert for_hydra(["-m", "loss=nsgan,hinge", "penalty.weight=5"])[-1] == "penalty.weight=5"


def test_a_sweep_ends_with_what_all_its_failed_jobs_ended_with():
    assert [exit_code(codes) for codes in ([], [3], [3, 3], [1, 3], [3, 1, 1], [1])] == [0, 3, 3, 1, 1, 1]


def test_other_commands_take_no_hyphens_either():
    assert plain(["run=r", "--help"]) == ["run=r", "--help"]
    with pytest.raises(LsganError, match=r"^--num_images=3: write num_images=3; in a W&B"):
        plain(["run=r", "--num_images=3"])


@pytest.mark.parametrize("flag", ["-m", "--multirun", "hydra.mode=MULTIRUN"])
def test_a_sweep_may_be_typed_as_hydra_would_have_it(flag):
    assert for_hydra([flag, "+sweep=targets", "seed=0,1"]) == [flag, "sweep=targets", "seed=0,1"]


def test_a_sweep_is_no_matter_of_other_commands():
    with pytest.raises(LsganError, match=r"sweep=paper_mixture is many runs, which takes -m: python train.py"):
        plain(["sweep=paper_mixture"])


def test_a_key_that_only_some_choices_have_is_forced_in_a_sweep_and_left_out_by_a_search():
    swept = ["-m", "sweep=penalties", "penalty.weight=5"]
    assert for_hydra(swept) == ["-m", "sweep=penalties", "++penalty.weight=5"]
    grid = ["-m", "loss=nsgan,lsgan_b1c0a-1", "loss.a=-1,0"]
    assert for_hydra(grid)[-1] == "++loss.a=-1,0"
    search = [*grid, "loss.b=2", "hydra/sweeper=optuna"]
    assert for_hydra(search)[2:] == ["loss.a=-1,0", "++loss.b=2", "hydra/sweeper=optuna"]
