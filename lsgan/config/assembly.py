"""From a plan to an experiment: everything in the config is built, but for the data, which only a run reads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from lsgan.config import names, size
from lsgan.config.components import instantiate, is_conditional
from lsgan.config.observers import build_observers
from lsgan.config.planning import Plan, plan
from lsgan.config.settings import Settings
from lsgan.errors import LsganError
from lsgan.world import ALONE, World

if TYPE_CHECKING:
    from torch import nn

    from lsgan.architectures.networks import Networks
    from lsgan.data.dataset import Dataset
    from lsgan.latents import Latent
    from lsgan.observe.observer import Observers
    from lsgan.tracking.tracker import Service
    from lsgan.training.gan import Recipe
    from lsgan.training.machine import Machine
    from lsgan.training.state import TrainState


@dataclass(frozen=True)
class Experiment:
    """A plan and the objects that its config describes. No data has been read yet."""

    plan: Plan
    recipe: "Recipe"
    dataset: "Dataset"
    service: "Service"
    machine: "Machine"
    state: "TrainState"
    observers: "Observers"
    conditional: bool  # the networks take labels
    notes: Sequence[str] = ()  # lines for the log of this start

    @property
    def settings(self) -> Settings:
        """The checked config."""
        return self.plan.settings

    @property
    def run_name(self) -> str:
        """The name given, or loss, seed and what was typed."""
        return self.settings.run or names.run_name(self.recipe.loss.name, self.settings.seed, self.plan.typed)

    @property
    def tags(self) -> list[str]:
        """Loss, data set and architecture by name."""
        return [self.recipe.loss.name, self.dataset.name, self.settings.architecture["_target_"].rpartition(".")[2]]

    def resolved(self, run: str) -> dict[str, Any]:
        """The whole config of the run called `run`, as plain values without any ${…}."""
        import torch

        told = {"run": run, "resume": None, "resume_override": False, "new": False, "trust": False}
        data_dir = self.settings.data_dir.absolute()  # the run may be resumed from another folder
        values = {**vars(self.settings), **told, "data_dir": data_dir}
        dataset = dict(values["dataset"])
        if self.conditional and "classes" in dataset:
            dataset["classes"] = self.dataset.num_classes
        for key in {"root", "archive"} & dataset.keys():
            dataset[key] = None if dataset[key] is None else str(Path(dataset[key]).expanduser().absolute())
        values["dataset"] = dataset
        # what was picked here: resumed on another machine, the run keeps its precision
        values["runtime"] = {**values["runtime"], "precision": self.machine.precision.name}
        if self.machine.device.type == "cpu":
            values["runtime"]["threads"] = torch.get_num_threads()
        return {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}


def assemble(cfg: DictConfig, overrides: Iterable[str] = (), world: World = ALONE) -> Experiment:
    """The experiment of a composed config: for tests and notebooks. Raises as `plan` and `build_experiment`."""
    return build_experiment(plan(cfg, overrides, world))


def build_experiment(plan: Plan, notes: Sequence[str] = ()) -> Experiment:
    """Builds everything that the config says, but the data; `notes` are lines for the log.

    Raises:
        LsganError: whatever a component refuses, or what does not fit together.
    """
    from lsgan.training.gan import Recipe
    from lsgan.training.machine import Machine
    from lsgan.training.memory import enough_for

    settings = plan.settings
    recipe = Recipe(
        loss=build(settings, "loss"),
        penalty=build(settings, "penalty"),
        latent=build(settings, "latent"),
        batch_size=settings.batch_size,
        discriminator_steps=settings.discriminator_steps,
        seed=settings.seed,
        simultaneous=settings.updates == "simultaneous",
    )
    dataset = build(settings, "dataset")
    service = build(settings, "tracker")
    machine = Machine(build(settings, "runtime"), plan.world)
    _check_memory(settings, dataset, recipe.latent, plan.world)
    with enough_for(size.deciding(settings, "architecture", "latent")):
        networks = build_networks(settings, dataset, recipe.latent)
        _check_batch_norm(networks, settings.batch_size)
        state = _new_state(settings, networks, machine)
    return Experiment(
        plan=plan,
        recipe=recipe,
        dataset=dataset,
        service=service,
        machine=machine,
        state=state,
        observers=build_observers(settings),
        conditional=is_conditional(settings.architecture),
        notes=notes,
    )


def build(settings: Settings, key: str, *args: Any, part: str | None = None, **given: Any) -> Any:
    """The component `key` of the config, or its `part`; raises as `instantiate` does."""
    node = getattr(settings, key)
    if part is None:
        return instantiate(node, key, *args, **given)
    return instantiate(node.get(part), f"{key}.{part}", *args, **given)


def build_networks(settings: Settings, dataset: "Dataset", latent: "Latent") -> "Networks":
    """Generator and discriminator on the CPU, their weights a function of the seed alone.

    Raises:
        LsganError: as `instantiate`, or the architecture wants classes and the data set has none.
    """
    import torch

    from lsgan.streams import stream

    given: dict[str, Any] = {"shape": dataset.shape, "z_dim": latent.dim}
    if is_conditional(settings.architecture):
        given["num_classes"] = dataset.num_classes
        if dataset.num_classes is None:
            why = getattr(dataset, "classes_told", "none").removeprefix("none")
            raise LsganError(
                f"architecture: it wants labels, but dataset={dataset.name} has none{why}: choose another one (of a "
                "folder, every image must be in one of at least two class folders, or in labels.json or labels.csv)"
            )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(settings.seed, "weights").initial_seed())
        return build(settings, "architecture", **given)


def _check_memory(settings: Settings, dataset: "Dataset", latent: "Latent", world: World) -> None:
    """Raises LsganError for what is larger than the memory; networks that cannot be built without it are left out."""
    import torch

    from lsgan.training.memory import available_bytes

    available = available_bytes()
    size.expect_room(size.of_batch(settings, dataset.shape, latent.dim, world.size), available)
    try:
        with torch.device("meta"):
            networks = build_networks(settings, dataset, latent)
    except Exception:  # somebody's own, which computes something; or a mistake, which is told where they are built
        return
    size.expect_room(size.of_networks(settings, networks), available)


def _new_state(settings: Settings, networks: "Networks", machine: "Machine") -> "TrainState":
    from lsgan.training.ema import Ema
    from lsgan.training.state import TrainState

    generator, discriminator = (machine.place(network) for network in networks)
    generator_ema = Ema(generator, settings.ema_halflife_images)
    return TrainState(
        generator=machine.compiled(generator),
        discriminator=machine.compiled(discriminator),
        generator_ema=generator_ema,
        generator_optimizer=build(settings, "optimizer", generator.parameters(), part="generator"),
        discriminator_optimizer=build(settings, "optimizer", discriminator.parameters(), part="discriminator"),
    )


def _check_batch_norm(networks: Iterable["nn.Module"], batch_size: int) -> None:
    from torch.nn.modules.batchnorm import _BatchNorm

    if batch_size == 1 and any(isinstance(module, _BatchNorm) for net in networks for module in net.modules()):
        raise LsganError("batch_size=1 must be at least 2: batch norm needs two samples to tell their spread")
