import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from lsgan import config
from lsgan.errors import LsganError

ROOT = Path(__file__).resolve().parents[2]
MISTAKES = {
    "steps=many": "steps=many must be an integer",
    "steps=2.5": "steps=2.5 must be an integer",
    "steps=0": "steps=0 must be a number of at least 1",
    "images=0": "images=0 must be a number of at least 1",
    "images=lots": "images=lots must be an integer or null",
    "batch_size=0": "batch_size=0 must be a number of at least 1",
    "batch_size=1": "batch_size=1 must be at least 2: batch norm needs two samples to tell their spread",
    "discriminator_steps=0": "discriminator_steps=0 must be a number of at least 1",
    "updates=both": "updates=both must be alternating or simultaneous",
    "ema_halflife_images=-1": "ema_halflife_images=-1.0 must be a number of at least 0",
    "ema_halflife_images=inf": "ema_halflife_images=inf must be a number of at least 0",
    "seed=-1": "seed=-1 must be a number of at least 0",
    "log_every=0": "log_every=0 must be a number of at least 1",
    "sample_every=0": "sample_every=0 must be a number of at least 1",
    "checkpoint_every=0": "checkpoint_every=0 must be a number of at least 1",
    "keep_checkpoints=0": "keep_checkpoints=0 must be a number of at least 1",
    "on_collapse=explode": "on_collapse=explode must be warn or stop",
    "collapse_steps=0": "collapse_steps=0 must be a number of at least 1",
    "collapse_steps=long": "collapse_steps=long must be an integer",
    "collapse_diversity=-0.1": "collapse_diversity=-0.1 must be a number of at least 0",
    "collapse_diversity=1.5": "collapse_diversity=1.5 must be a share of at most 1",
    "run=a/b": "run='a/b' names a folder: use letters, digits, '.', '_' and '-' only",
    "dataset.name=../up": "dataset.name='../up' names a folder",
    "dataset.name=3/4": "dataset.name='3/4' names a folder",
    "study=..": "study='..' names a folder",
    "optimizer.lr=-1.0e-3": "optimizer.generator.lr=-0.001 must be a number above 0",
    "optimizer.lr=0": "optimizer.generator.lr=0 must be a number above 0",
    "optimizer.lr=fast": "optimizer.generator.lr=fast must be a number above 0",
    "optimizer.discriminator.lr=-1": "optimizer.discriminator.lr=-1 must be a number above 0",
    "optimizer.betas=[0.5,1.5]": "optimizer.generator: Invalid beta parameter",
    "loss.a=one": "loss.a=one must be a number",
    "loss.a=1": "loss: a=1 and b=1 must differ",
    "loss.c=.inf": "loss.c=.inf must be a number",
    "loss=lsgan": "loss.a, loss.b, loss.c must be given: add loss.a=<value> loss.b=<value> loss.c=<value>",
    "dataset=image_folder": "dataset.root must be given: add dataset.root=<value>",
    "dataset.resolution=30": "architecture: dcgan cannot make resolution 30: it must be 4·2^k or 7·2^k",
    "dataset.resolution=big": "dataset.resolution=big must be an integer",
    "dataset.channels=2": "dataset: channels=2 must be 1 or 3",
    "architecture=mlp": "architecture: mlp makes points, but the data set holds images",
    "architecture=lsgan_lsun": "architecture: lsgan_lsun cannot make resolution 32: it must be 112",
    "architecture.generator_batch_norm=maybe": "architecture.generator_batch_norm=maybe must be true or false",
    "latent.dim=0": "latent: dim=0 must be at least 1",
    "tracker.init_timeout=0": "tracker: init_timeout=0 must be a number of seconds above 0",
    "tracker.finish_timeout=-1": "tracker: finish_timeout=-1 must be a number of seconds above 0",
    "tracker.mode=loud": "tracker: mode=loud must be one of auto, online, offline, disabled",
    "runtime.device=tpu": "runtime: device=tpu must be auto, cpu or cuda",
    "+optimiser.lr=1": "optimiser is read by nothing (did you mean optimizer?): take it out",
    "+training.batchsize=3": "training is read by nothing: take it out",
    "+loss.foo=1": "loss.foo is read by nothing: take it out",
    "+dataset.resolutoin=3": "dataset.resolutoin is read by nothing (did you mean resolution?): take it out",
    "~optimizer.generator": "optimizer.generator has no _target_",
    "optimizer.betas=[0.5]": "optimizer.generator.betas=[0.5] must be a list of 2 values",
    "optimizer.betas=1": "optimizer.generator.betas=1 must be a list",
    "+optimizer.generator.weight_decay=abc": "optimizer.generator.weight_decay=abc must be a number",
    "best_metric=fid": "best_metric=fid is no column of metrics.jsonl: choose one of divergence/jsd, ",
    "observe.numbers.every=0": "observe.numbers.every=0 must be",
    "+observe.numbers.evry=1": "observe.numbers.evry is read by nothing (did you mean every?): take it out",
    "+optimizer.foo.bar=1": "optimizer.foo is read by nothing: take it out",
    "+optimizer.momentum=1": "optimizer.momentum is read by nothing: take it out",
    "+optimizer.generator.nesterow=1": "optimizer.generator.nesterow is read by nothing",
    "+architecture.shape=[3,8,8]": "architecture.shape is read by nothing",
    "loss._target_=lsgan.losses.LeastSquare": "loss._target_=lsgan.losses.LeastSquare cannot be imported",
}


@pytest.mark.parametrize("override", MISTAKES)
def test_a_mistake_is_one_sentence(composed, override):
    with pytest.raises(LsganError) as caught:
        config.assemble(composed(override))
    assert str(caught.value).startswith(MISTAKES[override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "overrides",
    [
        ("steps=1", "batch_size=2", "seed=0", "ema_halflife_images=0"),
        ("batch_size=1", "dataset=gaussian_ring"),  # no batch norm there
        (
            "batch_size=1",
            "architecture.generator_batch_norm=false",
            "architecture.discriminator_batch_norm=false",
        ),
        ("loss.a=-1", "loss.b=2", "loss.c=0.5"),
        ("updates=simultaneous", "discriminator_steps=1"),
        ("+optimizer.generator.amsgrad=true",),  # an argument that the YAML does not list
        ("run=A.b_c-1", "study=x"),
        ("on_collapse=stop", "collapse_steps=1", "collapse_diversity=1"),
        ("collapse_diversity=0", "tracker.init_timeout=0.5", "tracker.finish_timeout=1"),
        ("optimizer.fused=false", "optimizer.generator.lr=1", "optimizer.discriminator.lr=2"),
        ("dataset.resolution=28", "dataset.channels=3"),
    ],
)
def test_the_other_side_of_each_bound_is_fine(composed, overrides):
    config.assemble(composed(*overrides))


@pytest.mark.parametrize("key", ["study", "run", "dataset.name"])
@pytest.mark.parametrize("name", ["$(touch x)", "`id`", "a;id", "<script>", "../up", "/tmp/x", "a b", "a\nb", "é", ""])
def test_a_name_holds_nothing_that_a_shell_a_path_or_a_page_could_run(composed, key, name):
    """Study, run and data set name folders, W&B ids and tags, and commands that people copy from the console."""
    cfg = composed()
    OmegaConf.update(cfg, key, name)
    with pytest.raises(LsganError) as caught:
        config.check(cfg)
    assert str(caught.value) == f"{key}={name!r} names a folder: use letters, digits, '.', '_' and '-' only"


def test_one_update_of_d_at_the_same_time_as_one_of_g(composed):
    sentence = "^updates=simultaneous is one update of D and G each, and discriminator_steps=2 wants more of D: set"
    with pytest.raises(LsganError, match=sentence):
        config.check(composed("updates=simultaneous", "discriminator_steps=2"))
    assert config.check(composed("updates=alternating", "discriminator_steps=2")).discriminator_steps == 2


def test_mistakes_are_found_before_torch_is_needed(composed):
    """`check` alone knows types, ranges, missing and unread root keys, and needs no torch."""
    for override in ("steps=many", "batch_size=0", "optimizer.lr=-1", "loss=lsgan", "+training.batchsize=3"):
        with pytest.raises(LsganError):
            config.check(composed(override))
    program = (
        "import sys; from lsgan import command, config; sys.exit('torch' in sys.modules or 'wandb' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_resolved_config_builds_the_same_experiment(composed, tmp_path):
    experiment = config.assemble(composed("loss.a=-0.5", "optimizer.lr=1.0e-3", "study=s"))
    values = experiment.resolved(run="mine")
    assert "${" not in config.to_yaml(values)
    (tmp_path / "config.yaml").write_text(config.to_yaml(values))
    again = config.assemble(config.load(tmp_path))
    assert again.resolved(run="mine") == values
    assert again.recipe.loss == experiment.recipe.loss
    assert config.flat(values)["loss.a"] == -0.5
    assert config.flat(values)["optimizer.generator.lr"] == 1e-3


@pytest.mark.parametrize("key", ["data_dir", "runs_dir"])
def test_what_is_written_must_not_lie_among_the_images(composed, tmp_path, key):
    where = {"data_dir": tmp_path / "elsewhere", "runs_dir": tmp_path / "elsewhere", key: tmp_path / "pets" / "here"}
    overrides = ("dataset=image_folder", f"dataset.root={tmp_path / 'pets'}", *(f"{k}={v}" for k, v in where.items()))
    with pytest.raises(LsganError, match=rf"{key}=.*here lies inside dataset.root=.*pets, where its pictures would be"):
        config.check(composed(*overrides))
    config.check(composed(*overrides, f"{key}={tmp_path / 'pets2'}"))


def test_the_place_of_the_images_is_written_down_in_full(composed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = config.assemble(composed("dataset=image_folder", "dataset.root=pets"))
    assert experiment.resolved("r")["dataset"]["root"] == str(tmp_path / "pets")
