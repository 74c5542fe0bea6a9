"""Every YAML under conf/ is composed, checked and built."""

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from lsgan import config
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
CHOICES = sorted(f"{path.parent.name}={path.stem}" for path in CONF.glob("*/*.yaml"))
README = (CONF.parent / "README.md").read_text()


def assembled(composed, *overrides):
    return config.assemble(composed(*overrides))


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_builds_a_gan_that_fits_together(composed, choice, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: choice == "runtime=cuda")
    if choice == "runtime=cuda":
        assert config.build(config.check(composed(choice)), "runtime").torch_device.type == "cuda"
        return
    experiment = assembled(composed, choice, *NEEDED.get(choice, ()))
    labels = (torch.tensor([0, experiment.dataset.num_classes - 1]),) if experiment.conditional else ()
    samples = experiment.state.generator(experiment.latent.sample(2, stream(0, "z")), *labels)
    assert samples.shape == (2, *experiment.dataset.shape)
    assert experiment.state.discriminator(samples, *labels).shape == (2, 1)
    assert OmegaConf.create(experiment.resolved("name"))["run"] == "name"


@pytest.mark.parametrize("group", sorted(path.name for path in CONF.iterdir() if path.is_dir()))
def test_the_readme_names_every_choice(group):
    (row,) = (line for line in README.splitlines() if line.startswith(f"| `{group}` |"))
    for path in (CONF / group).glob("*.yaml"):
        assert f"`{path.stem}`" in row or path.stem == "none"


def test_the_default(composed):
    experiment = assembled(composed)
    assert experiment.loss.name == "lsgan_b1c0a-1"
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
    assert (experiment.loss.a, experiment.loss.b, experiment.loss.c) == (0, 1, 1)
    assert experiment.state.generator_optimizer.defaults["lr"] == 1e-3
    assert experiment.schedule.batch_size == 64
    assert experiment.schedule.steps == 1_000_000
    z = experiment.latent.sample(100, stream(0, "z"))
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
    assert (experiment.loss.a, experiment.loss.b, experiment.loss.c) == targets
    assert (experiment.schedule.batch_size, experiment.schedule.steps) == (64, steps)
    z = experiment.latent.sample(100, stream(0, "z"))
    assert z.shape == (100, z_dim)
    assert -1 <= z.min() < -0.99


def test_cats_come_with_their_network(composed):
    experiment = assembled(composed, "dataset=cats", "dataset.root=somewhere")
    state = experiment.state
    assert (parameters(state.generator), parameters(state.discriminator)) == (7_682_051, 4_341_121)
    assert experiment.latent.dim == 100
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


def test_a_conditional_run_writes_down_how_many_classes_a_folder_has(composed, tmp_path):
    for i, name in enumerate("abc"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{i}.png").touch()
    folder = ("dataset=image_folder", f"dataset.root={tmp_path}")
    experiment = assembled(composed, *folder, "architecture=dcgan_small_conditional")
    assert experiment.resolved("r")["dataset"]["classes"] == 3
    assert assembled(composed, *folder).resolved("r")["dataset"]["classes"] is None


def test_paper_gaussian_mixture(composed):
    experiment = assembled(composed, "experiment=paper_gaussian_mixture")
    state = experiment.state
    assert (parameters(state.generator), parameters(state.discriminator)) == (49_666, 17_025)
    assert state.generator_optimizer.defaults["lr"] == 1e-3
    assert state.discriminator_optimizer.defaults["lr"] == 1e-4
    assert (experiment.schedule.batch_size, experiment.schedule.steps) == (512, 35_000)
    assert (experiment.loss.a, experiment.loss.b, experiment.loss.c) == (0, 1, 1)


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
    assert (experiment.loss.a, experiment.loss.b, experiment.loss.c) == targets
    assert experiment.dataset.scene == "bedroom"
    assert experiment.latent.dim == 1024


def test_wgan_comes_with_its_penalty(composed):
    assert isinstance(assembled(composed, "loss=wgan").penalty, WganGP)
    assert isinstance(assembled(composed, "loss=wgan", "penalty=none").penalty, NoPenalty)
    assert isinstance(assembled(composed, "loss=hinge").penalty, NoPenalty)


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
    assert assembled(composed, "loss.a=-0.5", "seed=3").run_name.startswith("lsgan_b1c0a-0.5-s3-20")
    assert assembled(composed, "run=mine").run_name == "mine"


def test_images_replace_steps(composed):
    assert assembled(composed, "images=1000", "batch_size=64").schedule.steps == 16


def test_data_dir_from_the_environment(composed, monkeypatch):
    monkeypatch.delenv("LSGAN_DATA", raising=False)
    assert config.check(composed()).data_dir == Path("~/.cache/lsgan").expanduser()
    monkeypatch.setenv("LSGAN_DATA", "/somewhere/else")
    assert str(config.check(composed()).data_dir) == "/somewhere/else"
    assert str(config.check(composed("data_dir=here")).data_dir) == "here"
