"""The root of the config: every setting declared once, with its type, its bounds and its role when a run goes on."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import MISSING


class Role(Enum):
    """What it means for a run that goes on if a setting differs from before."""

    IDENTITY = "it is another run"
    FREE = "the same run"
    PLACE = "the same run, even by name: where things lie, or are shown"
    COMMAND = "nothing: it is about this command alone"


@dataclass(frozen=True)
class Rule:
    """What a setting may be.

    Args:
        role: when a run goes on.
        at_least: the smallest number; inf and nan are never allowed.
        at_most: the largest number.
        choices: the texts that it may be.
        is_name: it names a folder.
        home: the group holds what `_target_` builds, or named parts that each do; and those that a stranger's config
            may name are in this module or package.
        free: keys of a component that may differ although the others may not: they say where its data lie.
    """

    role: Role
    at_least: float | None = None
    at_most: float | None = None
    choices: Sequence[str] = ()
    is_name: bool = False
    home: str | None = None
    free: Sequence[str] = ()


def _setting(role: Role, **rule: Any) -> Any:
    return dataclasses.field(default=MISSING, metadata={"rule": Rule(role, **rule)})


def _component(role: Role, home: str, **rule: Any) -> Any:
    return _setting(role, home=home, **rule)


def _components(role: Role, home: str) -> Any:
    return dataclasses.field(default_factory=dict, metadata={"rule": Rule(role, home=home)})  # perhaps none at all


@dataclass
class Settings:
    """The component groups, and the scalars of conf/train.yaml, where each is explained."""

    dataset: Any = _component(Role.IDENTITY, "lsgan.data.sets", free=("root", "archive", "sources", "classes"))
    architecture: Any = _component(Role.IDENTITY, "lsgan.architectures")
    latent: Any = _component(Role.IDENTITY, "lsgan.latents")
    loss: Any = _component(Role.IDENTITY, "lsgan.losses")
    penalty: Any = _component(Role.IDENTITY, "lsgan.penalties")
    optimizer: Any = _component(Role.IDENTITY, "torch.optim")
    runtime: Any = _component(Role.FREE, "lsgan.training.runtime")
    features: Any = _component(Role.FREE, "lsgan.evaluation.extractors")
    observe: Any = _components(Role.FREE, "lsgan.observe")
    tracker: Any = _component(Role.PLACE, "lsgan.tracking")
    steps: int = _setting(Role.FREE, at_least=1)
    images: int | None = _setting(Role.FREE, at_least=1)
    batch_size: int = _setting(Role.IDENTITY, at_least=1)
    discriminator_steps: int = _setting(Role.IDENTITY, at_least=1)
    updates: str = _setting(Role.IDENTITY, choices=("alternating", "simultaneous"))
    ema_halflife_images: float = _setting(Role.IDENTITY, at_least=0)
    seed: int = _setting(Role.IDENTITY, at_least=0)
    on_collapse: str = _setting(Role.FREE, choices=("warn", "stop"))
    collapse_steps: int = _setting(Role.FREE, at_least=1)
    collapse_diversity: float = _setting(Role.FREE, at_least=0, at_most=1)
    study: str = _setting(Role.COMMAND, is_name=True)
    run: str | None = _setting(Role.COMMAND, is_name=True)
    runs_dir: Path = _setting(Role.COMMAND)
    data_dir: Path = _setting(Role.PLACE)
    device_cache_gb: float = _setting(Role.PLACE, at_least=0)
    log_every: int = _setting(Role.FREE, at_least=1)
    sample_every: int = _setting(Role.FREE, at_least=1)
    checkpoint_every: int = _setting(Role.FREE, at_least=1)
    keep_checkpoints: int = _setting(Role.FREE, at_least=1)
    best_metric: str | None = _setting(Role.FREE)
    best_mode: str = _setting(Role.FREE, choices=("min", "max"))
    resume: Path | None = _setting(Role.COMMAND)
    resume_override: bool = _setting(Role.COMMAND)
    new: bool = _setting(Role.COMMAND)
    trust: bool = _setting(Role.COMMAND)
    workers: int | None = _setting(Role.COMMAND, at_least=1)
    devices: list[int] | None = _setting(Role.COMMAND)
    jobs_per_device: int = _setting(Role.COMMAND, at_least=1)
    on_failure: str = _setting(Role.COMMAND, choices=("continue", "stop"))
    retry_failed: bool = _setting(Role.COMMAND)
    dry_run: bool = _setting(Role.COMMAND)
    trials: int = _setting(Role.COMMAND, at_least=1)
    sampler: str = _setting(Role.COMMAND, choices=("tpe", "random"))
    sampler_seed: int = _setting(Role.COMMAND, at_least=0)
    pruner: str = _setting(Role.COMMAND, choices=("none", "median"))
    pruner_warmup: int = _setting(Role.COMMAND, at_least=0)


RULES: dict[str, Rule] = {field.name: field.metadata["rule"] for field in dataclasses.fields(Settings)}
COMPONENTS = tuple(name for name, rule in RULES.items() if rule.home)


def role(key: str) -> Role:
    """Of a dotted key: that of its root, but for what only says where a component's data lie."""
    root, _, rest = key.partition(".")
    rule = RULES[root]
    return Role.PLACE if rest.partition(".")[0] in rule.free else rule.role


def parts(settings: Settings) -> Iterator[tuple[str, dict[str, Any]]]:
    """Dotted name and node of everything in the config that `_target_` builds."""
    for name in COMPONENTS:
        node = getattr(settings, name)
        if "_target_" in node:
            yield name, node
        else:
            yield from ((f"{name}.{part}", inner) for part, inner in node.items() if is_part(inner))


def is_part(node: Any) -> bool:
    """Whether `_target_` builds it."""
    return isinstance(node, dict) and "_target_" in node
