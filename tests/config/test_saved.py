"""Configs of run folders: of this version, of earlier ones, and of strangers."""

import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from lsgan import config
from lsgan.arguments import for_saved_config
from lsgan.config.saved import going_on
from lsgan.errors import LsganError

OLD = Path(__file__).resolve().parents[1] / "fixtures" / "runs-0.1"


@pytest.fixture
def folder(tmp_path):
    """A run folder of version 0.1: digits, Adam at 2e-4, log_every=1."""
    return shutil.copytree(OLD / "digits" / "digits", tmp_path / "run")


def changed(folder, *overrides):
    return config.check(going_on(folder, [f"resume={folder}", *overrides]))


def test_overrides_are_applied_to_the_saved_config(tmp_path):
    """Also to keys that the default data set does not have."""
    values = config.assemble(config.composed(["dataset=image_folder", f"dataset.root={tmp_path}/old"])).resolved("r")
    (tmp_path / "config.yaml").write_text(config.to_yaml(values))
    assert changed(tmp_path, f"dataset.root={tmp_path}/new").dataset["root"] == f"{tmp_path}/new"


def test_what_referred_to_a_changed_value_follows_it(folder):
    """config.yaml holds values only: conf/ tells that both rates were `${optimizer.lr}`."""
    settings = changed(folder, "optimizer.lr=1e-3", "resume_override=true")
    assert settings.optimizer["generator"]["lr"] == settings.optimizer["discriminator"]["lr"] == 1e-3
    assert changed(folder, "log_every=7").observe["numbers"]["every"] == 7
    cfg = OmegaConf.load(folder / "config.yaml")
    cfg.optimizer.generator.lr = 5e-4  # the run had a rate of its own
    OmegaConf.save(cfg, folder / "config.yaml")
    settings = changed(folder, "optimizer.lr=1e-3", "resume_override=true")
    assert (settings.optimizer["generator"]["lr"], settings.optimizer["discriminator"]["lr"]) == (5e-4, 1e-3)


def test_what_a_loss_could_not_be_told_then_can_be_changed_now(folder):
    assert changed(folder).loss["k"] == 2
    with pytest.raises(LsganError, match=r"^resume goes on with the run's own config, so loss.k cannot be changed"):
        changed(folder, "loss.k=3")
    assert changed(folder, "loss.k=3", "resume_override=true").loss["k"] == 3


def test_a_key_that_was_never_there(folder):
    with pytest.raises(LsganError, match=r"^optimiser.lr: no such setting \(did you mean optimizer\?\)"):
        changed(folder, "optimiser.lr=1", "resume_override=true")
    with pytest.raises(LsganError, match=r"^optimizer.lrr: no such setting \(did you mean optimizer.lr\?\); \+optimi"):
        changed(folder, "optimizer.lrr=1", "resume_override=true")
    added = changed(folder, "+optimizer.generator.weight_decay=0.5", "resume_override=true")
    assert added.optimizer["generator"]["weight_decay"] == 0.5


@pytest.mark.parametrize("command", ["study=x", "run=x", "runs_dir=x", "new=true"])
def test_what_is_about_another_command(folder, command):
    with pytest.raises(LsganError, match=r"^resume goes on with the run's own config, so \w+ cannot be changed; only"):
        changed(folder, command, "resume_override=true")


def test_choices_and_removals(folder):
    settings = changed(folder, "runtime=reference", "tracker=none", "~observe.histograms")
    assert settings.runtime["deterministic"] is True
    assert "histograms" not in settings.observe
    assert "samples" in settings.observe


FOREIGN = {
    "latent": "os.system",
    "loss": "lsgan.files.os.system",  # through a module of ours
    "dataset": "lsgan.data.store.open_store",  # a function where classes are wanted
    "architecture": "lsgan.architectures.networks.init_dcgan",  # it makes no networks
    "penalty": "lsgan.latents.Normal",  # of another group
    "runtime": "lsgan.training.runtime.os.system",
}


@pytest.mark.parametrize("group", FOREIGN)
def test_a_strangers_config_builds_nothing_foreign(folder, group):
    cfg = OmegaConf.load(folder / "config.yaml")
    cfg[group] = {"_target_": FOREIGN[group]}
    OmegaConf.save(cfg, folder / "config.yaml")
    sentence = (
        rf"config.yaml: {group}._target_={FOREIGN[group]} is not lsgan's, and would run when it is built: add trus"
    )
    with pytest.raises(LsganError, match=sentence):
        config.load(folder)
    with pytest.raises(LsganError, match=sentence):
        going_on(folder, [f"resume={folder}"])
    assert config.load(folder, trust=True)[group]["_target_"] == FOREIGN[group]


def test_a_foreign_target_is_found_at_any_depth(folder):
    cfg = OmegaConf.load(folder / "config.yaml")
    cfg.optimizer.generator._target_ = "torch.optim.os.system"
    OmegaConf.save(cfg, folder / "config.yaml")
    with pytest.raises(LsganError, match=r"optimizer.generator._target_=torch.optim.os.system is not lsgan's"):
        config.load(folder)


def test_a_text_that_becomes_a_component_is_no_way_around_it(folder):
    """`${oc.decode:…}` and `${oc.create:…}` would make a node out of a text, after the look at `_target_`."""
    saved = OmegaConf.load(folder / "config.yaml")
    for resolver in ("oc.decode:'{_target_: os.system, command: \"true\"}'", "oc.create:{_target_: os.system}"):
        (folder / "config.yaml").write_text(
            config.to_yaml({**OmegaConf.to_container(saved), "latent": "${" + resolver + "}"})
        )
        with pytest.raises(LsganError, match=r"latent=\$\{oc\..* is no value.*; write the value, or add trust=true"):
            config.load(folder)
        config.load(folder, trust=True)


@pytest.mark.parametrize("run", ["digits/digits", "digits/classes", "gaussian_ring/ring"])
def test_run_folders_of_version_0_1(run):
    """What they lack has its default; their components are found where they are now."""
    cfg = config.load(OLD / run)
    assert cfg.observe.numbers.every == cfg.log_every == 1
    experiment = config.assemble(cfg)
    assert experiment.settings.seed in (0, 3)


def test_what_is_no_run_folder(tmp_path):
    with pytest.raises(LsganError, match=r"is not a run folder: it has no config.yaml"):
        config.load(tmp_path)
    for content, sentence in (
        ("a: [1", "is not readable YAML"),
        ("- 1", "is not the config"),
        ("", "is not the config"),
    ):
        (tmp_path / "config.yaml").write_text(content)
        with pytest.raises(LsganError, match=sentence):
            config.load(tmp_path)


@pytest.mark.parametrize(("name", "value"), [("dataset", None), ("optimizer", None), ("observe", 3), ("latent", [1])])
def test_a_section_that_a_hand_has_spoilt(folder, name, value):
    cfg = OmegaConf.load(folder / "config.yaml")
    cfg[name] = value
    OmegaConf.save(cfg, folder / "config.yaml")
    with pytest.raises(LsganError, match=rf"^{name}=.* must be a choice of {name} or keys with a _target_$"):
        config.check(config.load(folder))


def test_a_run_of_a_version_that_knew_no_precision_goes_on_in_fp32(folder):
    cfg = OmegaConf.load(folder / "config.yaml")
    del cfg.runtime["precision"]
    OmegaConf.save(cfg, folder / "config.yaml")
    for change in ([], ["runtime=cpu"], ["runtime.threads=1"]):
        assert changed(folder, *change).runtime["precision"] == "fp32"


def test_resume_keeps_the_experiment_and_changes_the_rest(tmp_path):
    values = config.assemble(config.composed(["seed=7", "images=320", "tracker=none"])).resolved(run="mine")
    (tmp_path / "config.yaml").write_text(config.to_yaml(values))
    settings = changed(tmp_path, "steps=50", "tracker=wandb", "tracker.mode=offline")
    assert (settings.seed, settings.steps, settings.tracker["mode"]) == (7, 50, "offline")
    assert changed(tmp_path).steps == 10
    settings = changed(tmp_path, "runtime=cpu", "runtime.channels_last=false")
    assert settings.runtime["channels_last"] is False
    assert settings.tracker["_target_"].endswith("NoService")  # what the run had, not the default
    for forbidden in ("loss=hinge", "seed=8", "+loss.a=1", "optimizer.lr=1"):
        with pytest.raises(LsganError, match=r"resume goes on with the run's own config, so [\w.]+ cannot be changed"):
            changed(tmp_path, forbidden)


def test_a_run_of_an_older_version_gets_the_settings_that_it_lacks(tmp_path):
    values = config.assemble(config.composed(["seed=7"])).resolved("r")
    for key in ("on_collapse", "best_metric", "resume_override", "observe", "trust"):
        del values[key]
    (tmp_path / "config.yaml").write_text(config.to_yaml(values))
    settings = changed(tmp_path, "on_collapse=stop")
    assert (settings.seed, settings.on_collapse, settings.best_metric) == (7, "stop", None)
    assert settings.observe["collapse"]["on_collapse"] == "stop"


@pytest.mark.parametrize("word", ["true", "1", "yes"])
def test_a_yes_is_a_yes(folder, word):
    assert changed(folder, "seed=5", f"resume_override={word}").seed == 5


def test_an_observer_of_the_runs_own_can_be_taken_out(folder):
    """Hydra composes a config that has none of it, and would complain."""
    cfg = OmegaConf.load(folder / "config.yaml")
    cfg.observe = {"mine": {"_target_": "lsgan.observe.numbers.Numbers", "every": 3}}
    OmegaConf.save(cfg, folder / "config.yaml")
    typed = for_saved_config([f"resume={folder}", "~observe.mine"])
    assert config.composed(typed).observe.mine == "~"
    assert config.check(going_on(folder, typed)).observe == {}


def test_choices_from_the_users_own_folders(folder):
    now = config.composed()
    now.runtime.rank_timeout_seconds = 7  # as a YAML of --config-dir would
    assert config.check(going_on(folder, [f"resume={folder}", "runtime=own"], now)).runtime["rank_timeout_seconds"] == 7


def test_an_experiment_is_no_change_of_a_run(folder):
    with pytest.raises(LsganError, match=r"^resume goes on with the run's own config, so experiment cannot be changed"):
        changed(folder, "experiment=stability_bn_g", "resume_override=true")


def test_a_secret_of_the_environment_is_not_put_into_a_strangers_list(folder):
    cfg = OmegaConf.load(folder / "config.yaml")
    cfg.dataset.sources = ["https://example.org/${oc.env:HOME}"]
    OmegaConf.save(cfg, folder / "config.yaml")
    with pytest.raises(LsganError, match=r"dataset.sources=.* is no value, and what it becomes is not known before"):
        config.load(folder)
