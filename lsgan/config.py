"""From YAML to an experiment: the settings, the check of the whole config, the assembly of its components.

Nothing here imports torch before the config is known to be sound.
"""

import dataclasses
import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING, DictConfig, OmegaConf

from lsgan.errors import LsganError
from lsgan.instantiate import check_arguments, did_you_mean, instantiate, takes, typed
from lsgan.world import World

if TYPE_CHECKING:
    from torch import nn

    from lsgan.architectures.networks import Networks
    from lsgan.data.dataset import Dataset
    from lsgan.latents import Latent
    from lsgan.losses import Loss
    from lsgan.penalties import Penalty
    from lsgan.tracking.tracker import Service
    from lsgan.training.collapse import CollapseWatch
    from lsgan.training.problem import Schedule
    from lsgan.training.runtime import Runtime
    from lsgan.training.state import TrainState


@dataclass
class Settings:
    """The root of the config: the component groups, and the scalars of conf/train.yaml."""

    dataset: Any = MISSING
    architecture: Any = MISSING
    latent: Any = MISSING
    loss: Any = MISSING
    penalty: Any = MISSING
    optimizer: Any = MISSING
    runtime: Any = MISSING
    tracker: Any = MISSING
    steps: int = MISSING
    images: int | None = MISSING
    batch_size: int = MISSING
    discriminator_steps: int = MISSING
    ema_halflife_images: float = MISSING
    seed: int = MISSING
    on_collapse: str = MISSING
    collapse_steps: int = MISSING
    collapse_diversity: float = MISSING
    study: str = MISSING
    run: str | None = MISSING
    runs_dir: Path = MISSING
    data_dir: Path = MISSING
    device_cache_gb: float = MISSING
    log_every: int = MISSING
    sample_every: int = MISSING
    checkpoint_every: int = MISSING
    keep_checkpoints: int = MISSING
    best_metric: str | None = MISSING
    best_mode: str = MISSING
    resume: Path | None = MISSING
    resume_override: bool = MISSING


_COMPONENTS = ("dataset", "architecture", "latent", "loss", "penalty", "runtime", "tracker")
_AT_LEAST = {
    "steps": 1,
    "images": 1,
    "batch_size": 1,
    "discriminator_steps": 1,
    "ema_halflife_images": 0,
    "device_cache_gb": 0,
    "seed": 0,
    "collapse_steps": 1,
    "collapse_diversity": 0,
    "log_every": 1,
    "sample_every": 1,
    "checkpoint_every": 1,
    "keep_checkpoints": 1,
}
_FINE_TO_CHANGE_ON_RESUME = (
    "steps",
    "on_collapse",
    "log_every",
    "sample_every",
    "checkpoint_every",
    "keep_checkpoints",
    "best_metric",
    "best_mode",
    "data_dir",
    "device_cache_gb",
    "dataset.root",
    "dataset.archive",
    "runtime",
    "tracker",
)
_NO_PART_OF_AN_EXPERIMENT = ("images", "run", "runs_dir", "resume", "resume_override", "dataset.classes")


@dataclass(frozen=True)
class Experiment:
    """A checked config and the objects that it describes. No data has been read yet."""

    settings: Settings
    loss: "Loss"
    penalty: "Penalty"
    latent: "Latent"
    dataset: "Dataset"
    service: "Service"
    runtime: "Runtime"
    state: "TrainState"
    schedule: "Schedule"
    conditional: bool  # the networks take labels

    @property
    def run_name(self) -> str:
        """The name given, or loss, seed and time."""
        return self.settings.run or f"{self.loss.name}-s{self.settings.seed}-{datetime.now():%Y%m%d-%H%M%S}"

    @property
    def tags(self) -> list[str]:
        """Loss, data set and architecture by name."""
        return [self.loss.name, self.dataset.name, self.settings.architecture["_target_"].rpartition(".")[2]]

    def collapse_watch(self, rows: Iterable[dict[str, Any]]) -> "CollapseWatch":
        """The watch as set, after it has seen the run's earlier rows of metrics.jsonl."""
        from lsgan.training.collapse import CollapseWatch

        settings = self.settings
        watch = CollapseWatch(
            self.loss.reference, settings.on_collapse, settings.collapse_steps, settings.collapse_diversity
        )
        for row in rows:
            watch.see(row)
        return watch

    def resolved(self, run: str) -> dict[str, Any]:
        """The whole config of the run called `run`, as plain values without any ${…}."""
        data_dir = self.settings.data_dir.absolute()  # the run may be resumed from another folder
        values = {**vars(self.settings), "run": run, "resume": None, "resume_override": False, "data_dir": data_dir}
        dataset = dict(self.settings.dataset)
        if self.conditional and "classes" in dataset:
            dataset["classes"] = self.dataset.num_classes
        for key in {"root", "archive"} & dataset.keys():
            dataset[key] = None if dataset[key] is None else str(Path(dataset[key]).expanduser().absolute())
        values["dataset"] = dataset
        # what `auto` picked here: resumed on another machine, the run keeps its precision
        values["runtime"] = {**self.settings.runtime, "precision": self.runtime.chosen_precision.name}
        return {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}


def check(cfg: DictConfig) -> Settings:
    """Keys, types and ranges of the whole config, before anything heavy is imported; interpolations resolved.

    Raises:
        LsganError: one sentence that names the key, the value, the rule and the fix.
    """
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise LsganError(f"{', '.join(missing)} must be given: add {' '.join(f'{key}=<value>' for key in missing)}")
    _check_unread(cfg)
    settings: Settings = typed(Settings, cfg)
    for component in _COMPONENTS:
        check_arguments(getattr(settings, component), component)
    for name, least in _AT_LEAST.items():
        value = getattr(settings, name)
        if value is not None and not (value >= least and math.isfinite(value)):
            raise LsganError(f"{name}={value} must be a number of at least {least}")
    _check_ranks(settings, World.from_environment())
    if settings.collapse_diversity > 1:
        raise LsganError(f"collapse_diversity={settings.collapse_diversity} must be a share of at most 1")
    if settings.on_collapse not in ("warn", "stop"):
        raise LsganError(f"on_collapse={settings.on_collapse} must be warn or stop")
    for name, value in (
        ("dataset.name", settings.dataset.get("name")),
        ("study", settings.study),
        ("run", settings.run),
    ):
        if value is not None and (value in (".", "..") or not re.fullmatch(r"[\w.-]+", str(value), re.ASCII)):
            raise LsganError(f"{name}={value!r} names a folder: use letters, digits, '.', '_' and '-' only")
    if settings.best_mode not in ("min", "max"):
        raise LsganError(f"best_mode={settings.best_mode} must be min or max")
    for side in ("generator", "discriminator"):
        rate = settings.optimizer.get(side, {}).get("lr")
        if rate is not None and not (_is_number(rate) and rate > 0 and math.isfinite(rate)):
            raise LsganError(f"optimizer.{side}.lr={rate} must be a number above 0 (optimizer.lr sets both sides)")
    settings.runs_dir, settings.data_dir = settings.runs_dir.expanduser(), settings.data_dir.expanduser()
    _check_places(settings)
    if settings.images is not None:
        settings.steps = math.ceil(settings.images / settings.batch_size)
    return settings


def assemble(cfg: DictConfig) -> Experiment:
    """Checks the config and builds everything in it but the data.

    Raises:
        LsganError: whatever is wrong with the config.
    """
    settings = check(cfg)
    _keep_precision(settings)
    loss = build(settings, "loss")
    penalty = build(settings, "penalty")
    latent = build(settings, "latent")
    dataset = build(settings, "dataset")
    service = build(settings, "tracker")
    runtime = build(settings, "runtime")
    networks = build_networks(settings, dataset, latent)
    _check_batch_norm(networks, settings.batch_size)
    return Experiment(
        settings=settings,
        loss=loss,
        penalty=penalty,
        latent=latent,
        dataset=dataset,
        service=service,
        runtime=runtime,
        state=_new_state(settings, networks, runtime),
        schedule=_schedule(settings),
        conditional=is_conditional(settings),
    )


def to_yaml(values: dict[str, Any]) -> str:
    """Plain values as YAML."""
    return OmegaConf.to_yaml(OmegaConf.create(values))


def flat(values: dict[str, Any]) -> dict[str, Any]:
    """Nested dicts as one, with dotted keys: `{"loss": {"a": -1}}` is `{"loss.a": -1}`."""
    return {key: value for key, value in _walk(values) if not isinstance(value, dict)}


def load(folder: Path) -> DictConfig:
    """The config of the run in a run folder.

    Raises:
        LsganError: there is no run folder, or its config cannot be read.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        raise LsganError(f"{folder} is not a run folder: it has no config.yaml (runs are at <runs_dir>/<study>/<run>)")
    try:
        cfg = OmegaConf.load(path)
    except Exception as error:  # YAML errors are of several families
        raise LsganError(f"{path} is not readable YAML: {' '.join(str(error).split())}") from error
    if not isinstance(cfg, DictConfig):
        raise LsganError(f"{path} is not the config of a run")
    return cfg


def for_resume(folder: Path, now: DictConfig, overrides: Iterable[str]) -> DictConfig:
    """The config of the run in `folder`, with those changes from the command line that keep the experiment.

    Raises:
        LsganError: there is no run folder, or the command line changes something else.
    """
    cfg = load(folder)
    precision = _precision_of(cfg)  # stays, whatever `auto` would pick here
    changed = {override.lstrip("+~").split("=")[0] for override in overrides} - {"resume"}
    for key in sorted(changed):
        if not {key, key.split(".")[0]} & set(_FINE_TO_CHANGE_ON_RESUME):
            raise LsganError(
                f"resume goes on with the run's own config, so {key} cannot be changed; "
                f"only {', '.join(_FINE_TO_CHANGE_ON_RESUME)} can"
            )
        OmegaConf.update(cfg, key, OmegaConf.select(now, key), merge=False)
    if OmegaConf.select(cfg, "runtime.precision") in (None, "auto"):
        OmegaConf.update(cfg, "runtime.precision", precision, force_add=True)
    if "steps" in changed:
        cfg["images"] = None
    for name in now.keys() - cfg.keys():  # settings that the version which began the run did not have
        cfg[name] = now[name]
    cfg["resume"] = str(folder)
    return cfg


def _precision_of(cfg: DictConfig) -> str:
    """That of a run, given its config; versions that knew no other ran in fp32."""
    return str(OmegaConf.select(cfg, "runtime.precision", default="fp32"))


def check_same_run(settings: Settings) -> None:
    """A command that names a run which is there already must be the command that began it.

    Raises:
        LsganError: another experiment; unless `resume_override` is set.
    """
    folder = _folder_to_go_on_with(settings)
    if folder is None or settings.resume_override:
        return
    saved: Any = OmegaConf.to_container(load(folder))
    before, now = flat(saved), flat(vars(settings))
    named = [
        f"{key}={now[key]}, not {before[key]}"
        for key in sorted(before.keys() & now.keys())
        if not {key, key.split(".")[0]} & {*_FINE_TO_CHANGE_ON_RESUME, *_NO_PART_OF_AN_EXPERIMENT}
        and str(before[key]) != str(now[key])
    ]
    if named:
        raise LsganError(
            f"run={settings.run}: {folder} was begun with another config ({'; '.join(named)}): choose another name, or "
            "go on with the new values by resume_override=true"
        )


def _folder_to_go_on_with(settings: Settings) -> Path | None:
    """That of the run which the command names, if it has been begun."""
    if settings.run is None or settings.resume is not None:
        return None
    folder = settings.runs_dir / settings.study / settings.run
    return folder if (folder / "config.yaml").exists() else None


def build(settings: Settings, key: str, *args: Any, part: str | None = None, **given: Any) -> Any:
    """The component `key` of the config, or its `part`; raises as `instantiate` does."""
    node = getattr(settings, key)
    if part is None:
        return instantiate(node, key, *args, **given)
    return instantiate(node.get(part), f"{key}.{part}", *args, **given)


def is_conditional(settings: Settings) -> bool:
    """Whether the networks take labels: their architecture has a parameter `num_classes`."""
    return takes(settings.architecture, "architecture", "num_classes")


def build_networks(settings: Settings, dataset: "Dataset", latent: "Latent") -> "Networks":
    """Generator and discriminator on the CPU, their weights a function of the seed alone.

    Raises:
        LsganError: as `instantiate`, or the architecture wants classes and the data set has none.
    """
    import torch

    from lsgan.streams import stream

    given: dict[str, Any] = {"shape": dataset.shape, "z_dim": latent.dim}
    if is_conditional(settings):
        given["num_classes"] = dataset.num_classes
        if dataset.num_classes is None:
            raise LsganError(
                f"architecture: it wants labels, but dataset={dataset.name} has none: choose another one (of a folder, "
                "every image must be in one of at least two class folders, or in labels.json or labels.csv)"
            )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(settings.seed, "weights").initial_seed())
        return build(settings, "architecture", **given)


def all_keys(cfg: DictConfig) -> list[str]:
    """Every dotted key of a config, sections included."""
    return [key for key, _ in _walk(OmegaConf.to_container(cfg, resolve=False))]


def _keep_precision(settings: Settings) -> None:
    """A run that goes on does so in the precision that it was begun in, whatever `auto` would pick here."""
    folder = _folder_to_go_on_with(settings)
    if folder is not None and settings.runtime.get("precision") == "auto":
        settings.runtime["precision"] = _precision_of(load(folder))


def _new_state(settings: Settings, networks: "Networks", runtime: "Runtime") -> "TrainState":
    from lsgan.training.ema import Ema
    from lsgan.training.state import TrainState

    generator, discriminator = (runtime.place(network) for network in networks)
    generator_ema = Ema(generator, settings.ema_halflife_images)
    return TrainState(
        generator=runtime.compiled(generator),
        discriminator=runtime.compiled(discriminator),
        generator_ema=generator_ema,
        generator_optimizer=build(settings, "optimizer", generator.parameters(), part="generator"),
        discriminator_optimizer=build(settings, "optimizer", discriminator.parameters(), part="discriminator"),
    )


def _schedule(settings: Settings) -> "Schedule":
    from lsgan.training.loop import COLUMNS
    from lsgan.training.problem import Schedule

    if settings.best_metric not in (None, *COLUMNS):
        raise LsganError(
            f"best_metric={settings.best_metric} is no column of metrics.jsonl: choose one of {', '.join(COLUMNS)}"
        )
    return Schedule(**{field.name: getattr(settings, field.name) for field in dataclasses.fields(Schedule)})


def _check_ranks(settings: Settings, world: World) -> None:
    if world.size > 1 and settings.run is None and os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") != "0":
        raise LsganError(
            "run must be given with torchrun --max-restarts, so that a restart finds the run: add run=<name>"
        )
    if settings.batch_size % world.size:
        raise LsganError(
            f"batch_size={settings.batch_size} must be divisible by the {world.size} ranks, which share each batch: "
            f"set batch_size={math.ceil(settings.batch_size / world.size) * world.size} or start another number of them"
        )


def _check_batch_norm(networks: Iterable["nn.Module"], batch_size: int) -> None:
    from torch.nn.modules.batchnorm import _BatchNorm

    if batch_size == 1 and any(isinstance(module, _BatchNorm) for net in networks for module in net.modules()):
        raise LsganError("batch_size=1 must be at least 2: batch norm needs two samples to tell their spread")


def _check_places(settings: Settings) -> None:
    """What is written must not lie among the images that are read."""
    root = settings.dataset.get("root")
    for name in ("data_dir", "runs_dir"):
        place = getattr(settings, name)
        if root is not None and place.absolute().is_relative_to(Path(str(root)).expanduser().absolute()):
            raise LsganError(
                f"{name}={place} lies inside dataset.root={root}, where its pictures would be taken for images: "
                f"set {name}=<a folder elsewhere>"
            )


def _check_unread(cfg: DictConfig) -> None:
    """Every root key must be a setting; a value outside a component must serve the components beside it.

    `optimizer.lr` does: `optimizer.generator.lr` refers to it, or did before it was overridden.
    """
    raw: Any = OmegaConf.to_container(cfg, resolve=False)
    for key, value in raw.items():
        if key not in Settings.__dataclass_fields__:
            known = {*Settings.__dataclass_fields__, *(name for name in all_keys(cfg) if name.split(".")[0] != key)}
            raise LsganError(f"{key} is read by nothing{did_you_mean(key, known)}: take it out")
        if isinstance(value, dict) and "_target_" not in value:
            components = {name: part for name, part in value.items() if isinstance(part, dict) and "_target_" in part}
            for name in value:
                if name not in components and not any(name in component for component in components.values()):
                    raise LsganError(f"{key}.{name} is read by nothing: take it out")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _walk(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of every entry of nested dicts, sections included."""
    for key, value in node.items():
        yield f"{prefix}{key}", value
        if isinstance(value, dict):
            yield from _walk(value, f"{prefix}{key}.")
