"""Every YAML under conf/ is composed, checked and built."""

from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from lsgan import config
from lsgan.config.identity import identity
from lsgan.errors import LsganError
from lsgan.penalties import NoPenalty, WganGP
from lsgan.streams import stream

CONF = Path(__file__).resolve().parents[1] / "conf"
NEEDED = {
    "loss=lsgan": ("loss.a=-2", "loss.b=2", "loss.c=0"),
    "dataset=image_folder": ("dataset.root=somewhere",),
    "dataset=cats": ("dataset.root=somewhere",),
    "architecture=lsgan_lsun": ("dataset=lsun_church",),
    "architecture=lsgan_hwdb": ("dataset=hwdb",),
    "architecture=lsgan_cats": ("dataset=cats", "dataset.root=somewhere"),
    "architecture=lsgan_synthetic_digits": ("dataset=synthetic_digits",),
    "architecture=mlp": ("dataset=gaussian_ring",),
}
FILES = sorted(CONF.glob("*/*.yaml"))
CHOICES = [f"{path.parent.name}={path.stem}" for path in FILES if path.parent.name != "sweep"]
SWEEPS = sorted(path for path in (CONF / "sweep").glob("*.yaml") if path.stem != "none")
GROUPS = {group: [path.stem for path in FILES if path.parent.name == group] for group in {p.parent.name for p in FILES}}
BRINGING = ("experiment", "dataset", "architecture", "loss")  # they choose in other groups too
README = (CONF.parent / "README.md").read_text()


def assembled(composed, *overrides):
    return config.assemble(composed(*overrides))


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_builds_a_gan_that_fits_together(composed, choice, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: choice == "runtime=cuda")
    if choice == "runtime=cuda":
        assert config.build(config.check(composed(choice)), "runtime").on_gpu
        return
    experiment = assembled(composed, choice, *NEEDED.get(choice, ()))
    labels = (torch.tensor([0, experiment.dataset.num_classes - 1]),) if experiment.conditional else ()
    samples = experiment.state.generator(experiment.recipe.latent.sample(2, stream(0, "z")), *labels)
    assert samples.shape == (2, *experiment.dataset.shape)
    assert experiment.state.discriminator(samples, *labels).shape == (2, 1)
    assert OmegaConf.create(experiment.resolved("name"))["run"] == "name"


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}={path.stem}")
def test_a_choice_writes_into_its_own_group_alone(path):
    """What it wants of another group is a choice there: then one that the user types replaces it, whole."""
    text, group = path.read_text(), path.parent.name
    content = yaml.safe_load(text) or {}
    for default in content.pop("defaults", []):
        ((key, choice),) = default.items() if isinstance(default, dict) else [(f"override /{group}", default)]
        assert key.startswith("override /"), f"{key}: {choice} is no override"
        assert choice in GROUPS[key.removeprefix("override /")]
    if text.startswith("# @package _global_\n"):
        assert not content.keys() & (GROUPS.keys() - {group})
    else:
        assert not content.keys() & GROUPS.keys()


@cache
def node_of(choice):
    """The node that a choice makes when nothing else is chosen."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return OmegaConf.to_container(compose("train", [choice]), resolve=False)[choice.split("=")[0]]


BRINGERS = [choice for choice in CHOICES if choice.startswith(("experiment=", "dataset="))]


@pytest.mark.parametrize("choice", BRINGERS)
def test_what_is_typed_wins(composed, choice):
    """Whatever a data set or an experiment brings. Each one meets other choices, all of them are met by some."""
    group, turn = choice.split("=")[0], BRINGERS.index(choice)
    others = GROUPS.keys() - {group, "experiment", "sweep"}
    typed = {name: f"{name}={GROUPS[name][turn % len(GROUPS[name])]}" for name in sorted(others)}
    plain = {name: choice for name, choice in typed.items() if name not in BRINGING}
    for overrides in (plain, typed):  # first beside the architecture and loss that it brings
        found = OmegaConf.to_container(composed(choice, *overrides.values()), resolve=False)
        for name, override in overrides.items():
            assert found[name] == node_of(override)


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_the_readme_names_every_choice(group):
    (row,) = (line for line in README.splitlines() if line.startswith(f"| `{group}` |"))
    for path in (CONF / group).glob("*.yaml"):
        assert f"`{path.stem}`" in row or path.stem == "none"


def test_the_default(composed):
    experiment = assembled(composed)
    assert experiment.recipe.loss.name == "lsgan_b1c0a-1"
    assert experiment.dataset.shape == (1, 32, 32)
    for optimizer in (experiment.state.generator_optimizer, experiment.state.discriminator_optimizer):
        assert isinstance(optimizer, torch.optim.Adam)
        assert optimizer.defaults["lr"] == 2e-4
        assert tuple(optimizer.defaults["betas"]) == (0.5, 0.999)


def test_lsun_comes_with_the_papers_network(composed):
    state = assembled(composed, "loss=lsgan_b1c0a-1", "dataset=lsun_church").state
    assert (parameters(state.generator), parameters(state.discriminator)) == (15_591_427, 4_333_441)
    other = assembled(composed, "dataset=lsun_church", "architecture=dcgan", "dataset.resolution=64")
    assert other.dataset.shape == (3, 64, 64)


def test_paper_lsun_church(composed):
    experiment = assembled(composed, "experiment=paper_lsun_church")
    assert (experiment.recipe.loss.a, experiment.recipe.loss.b, experiment.recipe.loss.c) == (0, 1, 1)
    assert experiment.state.generator_optimizer.defaults["lr"] == 1e-3
    assert experiment.settings.batch_size == 64
    assert experiment.settings.steps == 1_000_000
    z = experiment.recipe.latent.sample(100, stream(0, "z"))
    assert z.shape == (100, 1024)
    assert -1 <= z.min() < -0.99


@pytest.mark.parametrize(
    ("name", "counts", "z_dim", "targets", "steps"),
    [
        ("paper_hwdb", (9_417_857, 21_392_155), 1024, (0, 1, 1), 1_000_000),
        ("paper_synthetic_digits", (4_944_129, 1_252_671), 100, (-1, 1, 0), 50_000),
    ],
)
def test_other_experiments_of_the_papers(composed, name, counts, z_dim, targets, steps):
    experiment = assembled(composed, f"experiment={name}")
    state = experiment.state
    assert (parameters(state.generator), parameters(state.discriminator)) == counts
    for optimizer in (state.generator_optimizer, state.discriminator_optimizer):
        assert (optimizer.defaults["lr"], optimizer.defaults["betas"][0]) == (2e-4, 0.5)
    assert (experiment.recipe.loss.a, experiment.recipe.loss.b, experiment.recipe.loss.c) == targets
    assert (experiment.settings.batch_size, experiment.settings.steps) == (64, steps)
    z = experiment.recipe.latent.sample(100, stream(0, "z"))
    assert z.shape == (100, z_dim)
    assert -1 <= z.min() < -0.99


def test_cats_come_with_their_network(composed):
    experiment = assembled(composed, "dataset=cats", "dataset.root=somewhere")
    state = experiment.state
    assert (parameters(state.generator), parameters(state.discriminator)) == (7_682_051, 4_341_121)
    assert experiment.recipe.latent.dim == 100
    assert not experiment.conditional


def test_conditional_networks_get_the_classes_of_the_data_set(composed, tmp_path):
    experiment = assembled(composed, "architecture=dcgan_small_conditional")
    assert experiment.conditional
    assert experiment.state.generator.label_map.rows.num_embeddings == 10
    assert not assembled(composed, "architecture=dcgan_small").conditional
    with pytest.raises(LsganError, match="architecture: it wants labels, but dataset=celeba has none: choose another"):
        assembled(composed, "architecture=dcgan_conditional", "dataset=celeba")
    with pytest.raises(LsganError, match="it wants labels, but dataset=gaussian_ring has none"):
        assembled(composed, "dataset=gaussian_ring", "architecture=dcgan_conditional")


@pytest.mark.parametrize("conditioning", ["concatenated", "projection"])
@pytest.mark.parametrize("architecture", ["dcgan_small", "dcgan_no_bn"])
def test_any_network_is_told_the_class_by_one_key(composed, architecture, conditioning):
    choices = (f"architecture={architecture}", f"architecture.conditioning={conditioning}", "architecture.width=4")
    experiment = assembled(composed, *choices, "architecture.label_dim=5")
    assert experiment.conditional
    assert experiment.state.generator.label_map.bias.shape == (5,)
    with pytest.raises(LsganError, match="it wants labels, but dataset=celeba has none"):
        assembled(composed, *choices, "dataset=celeba")
    with pytest.raises(LsganError, match="architecture: conditioning=maps must be one of none, concatenated, proj"):
        assembled(composed, *choices, "architecture.conditioning=maps")


def test_a_conditional_preset_is_the_plain_one_with_one_key_more(composed):
    for name in ("dcgan", "dcgan_small"):
        plain, told = (composed(f"architecture={preset}").architecture for preset in (name, f"{name}_conditional"))
        assert told == {**plain, "conditioning": "concatenated"}


def test_points_are_in_full_precision_unless_a_runtime_is_typed(composed):
    assert composed("dataset=gaussian_ring").runtime.precision == "fp32"
    for runtime in ("auto", "cpu"):
        assert composed("dataset=gaussian_ring", f"runtime={runtime}").runtime.precision == "auto"


def test_the_ring_alone_brings_a_recipe_that_covers_it(composed):
    """Which one was measured: docs/mixture.md. The experiment of the paper stays the paper's."""
    experiment = assembled(composed, "dataset=gaussian_ring")
    state = experiment.state
    assert experiment.recipe.loss.name == "nsgan"
    assert {o.defaults["lr"] for o in (state.generator_optimizer, state.discriminator_optimizer)} == {1e-3}
    assert (parameters(state.generator), experiment.settings.batch_size) == (49_666, 512)
    assert assembled(composed, "dataset=gaussian_ring", "loss=lsgan_b1c1a0").recipe.loss.name == "lsgan_b1c1a0"


def test_an_experiment_takes_another_network(composed):
    """The values that it has for its own network do not land on this one."""
    overrides = ("architecture=lsgan_lsun", "latent=normal", "dataset=lsun_church")
    experiment = assembled(composed, "experiment=stability_bn_g", *overrides)
    assert parameters(experiment.state.discriminator) == 4_333_441
    assert (experiment.recipe.latent.dim, experiment.recipe.loss.a) == (128, 0)


def test_a_conditional_run_writes_down_how_many_classes_a_folder_has(composed, tmp_path):
    for i, name in enumerate("abc"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{i}.png").touch()
    folder = ("dataset=image_folder", f"dataset.root={tmp_path}")
    experiment = assembled(composed, *folder, "architecture=dcgan_small_conditional")
    assert experiment.resolved("r")["dataset"]["classes"] == 3
    assert assembled(composed, *folder).resolved("r")["dataset"]["classes"] is None


def test_a_folder_without_classes_says_why(composed, tmp_path):
    for name in ("cat/1.png", "dog/2.png", "3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(
        LsganError, match=r"image_folder has none \(outside of the folders cat, dog: 1 of 3 images, first"
    ):
        assembled(composed, "dataset=image_folder", f"dataset.root={tmp_path}", "architecture=dcgan_conditional")


def test_the_split_is_part_of_what_a_run_is(composed):
    def settings(*more):
        return config.check(composed("dataset=image_folder", "dataset.root=somewhere", *more))

    runs = [settings(*more) for more in ((), ("dataset.split=val",), ("dataset.split=[val,test]",))]
    assert [config.build(run, "dataset").split for run in runs] == [None, "val", ["val", "test"]]
    assert len({identity(run).digest for run in runs}) == 3
    with pytest.raises(LsganError, match="dataset: split=3 must be the name of a split, such as train, several"):
        config.build(settings("dataset.split=3"), "dataset")


def test_paper_gaussian_mixture(composed):
    experiment = assembled(composed, "experiment=paper_gaussian_mixture")
    state = experiment.state
    assert (parameters(state.generator), parameters(state.discriminator)) == (49_666, 17_025)
    assert state.generator_optimizer.defaults["lr"] == 1e-3
    assert state.discriminator_optimizer.defaults["lr"] == 1e-4
    assert (experiment.settings.batch_size, experiment.settings.steps) == (512, 35_000)
    assert (experiment.recipe.loss.a, experiment.recipe.loss.b, experiment.recipe.loss.c) == (0, 1, 1)


@pytest.mark.parametrize(
    ("name", "discriminator_parameters", "optimizer", "targets"),
    [
        ("stability_bn_g", 4_316_545, torch.optim.Adam, (0, 1, 1)),
        ("stability_bn_gd", 4_314_753, torch.optim.RMSprop, (-1, 1, 0)),
    ],
)
def test_stability_experiments(composed, name, discriminator_parameters, optimizer, targets):
    experiment = assembled(composed, f"experiment={name}")
    state = experiment.state
    assert (parameters(state.generator), parameters(state.discriminator)) == (12_702_851, discriminator_parameters)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in state.generator.modules())
    assert isinstance(state.generator_optimizer, optimizer)
    assert (experiment.recipe.loss.a, experiment.recipe.loss.b, experiment.recipe.loss.c) == targets
    assert experiment.dataset.scene == "bedroom"
    assert experiment.recipe.latent.dim == 1024


def test_wgan_comes_with_its_penalty(composed):
    assert isinstance(assembled(composed, "loss=wgan").recipe.penalty, WganGP)
    assert isinstance(assembled(composed, "loss=wgan", "penalty=none").recipe.penalty, NoPenalty)
    assert isinstance(assembled(composed, "loss=hinge").recipe.penalty, NoPenalty)


def test_separate_learning_rates(composed):
    state = assembled(composed, "optimizer.lr=1.0e-3", "optimizer.generator.lr=5.0e-5").state
    assert state.generator_optimizer.defaults["lr"] == 5e-5
    assert state.discriminator_optimizer.defaults["lr"] == 1e-3


def test_weights_depend_on_the_seed_alone(composed):
    first, second, other = (
        assembled(composed, *overrides).state.generator.state_dict()["0.weight"]
        for overrides in (("loss=nsgan",), ("loss=hinge", "optimizer=rmsprop"), ("seed=1",))
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_an_overridden_target_shows_in_the_runs_name(composed):
    assert assembled(composed, "loss.a=-0.5", "seed=3").run_name.startswith("lsgan_b1c0a-0.5-s3-")
    assert assembled(composed, "run=mine").run_name == "mine"


def test_exponent_and_pairing_show_in_the_runs_name(composed):
    for typed, name in (
        ("loss.k=3", "lsgan_b1c0a-1k3-s0"),
        ("loss=lsgan_rp", "lsgan_rp_b1c0a-1-s0"),
        ("loss=lsgan_ra", "lsgan_ra_b1c0a-1-s0"),
        ("loss=lsgan_b1c0a-1", "lsgan_b1c0a-1-s0"),
    ):
        experiment = assembled(composed, typed)
        assert experiment.run_name.startswith(f"{name}-")
        assert experiment.tags[0] == experiment.recipe.loss.name == name.removesuffix("-s0")
    with pytest.raises(LsganError, match=r"^loss: k=0.5 must be a finite number of at least 1: below 1"):
        assembled(composed, "loss.k=0.5")


def test_images_replace_steps(composed):
    assert assembled(composed, "images=1000", "batch_size=64").settings.steps == 16


def test_data_dir_from_the_environment(composed, monkeypatch):
    monkeypatch.delenv("LSGAN_DATA", raising=False)
    assert config.check(composed()).data_dir == Path("~/.cache/lsgan").expanduser()
    monkeypatch.setenv("LSGAN_DATA", "/somewhere/else")
    assert str(config.check(composed()).data_dir) == "/somewhere/else"
    assert str(config.check(composed("data_dir=here")).data_dir) == "here"


def jobs_of(*arguments):
    """The overrides of each job of `python train.py -m <arguments>`, as the queue gets them."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        swept = loader.load_configuration("train", list(arguments), RunMode.MULTIRUN).hydra
        lines = [f"{key}={value}" for key, value in swept.sweeper.params.items()] + list(arguments)
        (jobs,) = BasicSweeper.split_arguments(OverridesParser.create(loader).parse_overrides(lines), None)
        launcher = instantiate(swept.launcher, folder="out", workers=None, devices=None)
    return [launcher.handed_on(job) for job in jobs]


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_the_jobs_of_a_sweep_can_be_trained(composed, path):
    jobs = jobs_of(f"sweep={path.stem}")
    assert f"({len(jobs)} runs)" in path.read_text().splitlines()[1]
    seen = set()
    for job in jobs:
        assert job[-1].startswith("seed=")
        if not seen.issuperset(job[:-1]):  # each choice once
            config.check(composed(*job))
            seen.update(job[:-1])
    assert len({job[-1] for job in jobs}) >= 3


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_sweep_says_which_question_it_answers_where_people_look(path):
    question = path.read_text().splitlines()[1].removeprefix("# ")
    assert f"| `{path.stem}` | {question} |" in (CONF.parent / "docs/sweeps.md").read_text()


def test_what_is_typed_wins_over_the_sweep():
    jobs = jobs_of("sweep=targets", "seed=7,8", "loss=nsgan", "steps=5")
    assert jobs == [["loss=nsgan", "seed=7", "steps=5"], ["loss=nsgan", "seed=8", "steps=5"]]


def test_a_job_of_a_sweep_is_the_run_that_is_typed_alone(composed):
    """Whether the queue leaves the sweep out, or Hydra's own launcher does not."""
    alone = ["loss=nsgan", "seed=0", "steps=5"]
    name = config.plan(composed(*alone), alone).typed
    (job,) = jobs_of("sweep=targets", *alone)
    for overrides in (job, ["sweep=targets", *job]):
        assert config.plan(composed(*overrides), overrides).typed == name
    assert name == {"loss": "nsgan", "seed": 0, "steps": 5}


def test_the_best_of_a_metric_is_what_suits_it_unless_it_is_said(composed):
    def mode(*typed):
        settings = config.check(composed("observe=[default,metrics]", *typed))
        assert settings.observe["best"]["mode"] == settings.best_mode
        return settings.best_mode

    assert mode() == mode("best_metric=metric/fid") == mode("best_metric=loss/generator") == "min"
    assert mode("best_metric=metric/recall") == "max"
    assert mode("best_metric=metric/recall", "best_mode=min") == "min"
