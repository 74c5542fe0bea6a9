"""The check of the whole config, before anything heavy is imported: a mistake is answered within a second."""

import math
import re
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lsgan.config.components import check_arguments, did_you_mean, typed
from lsgan.config.settings import COMPONENTS, RULES, Rule, Settings, is_part, parts
from lsgan.config.signatures import shapes_of
from lsgan.config.trees import walk
from lsgan.errors import LsganError
from lsgan.world import ALONE, World, is_queued_again

_LONGEST_NAME = 200  # of a folder: file systems take 255 bytes, and `-2` may follow


def check(cfg: DictConfig, world: World = ALONE) -> Settings:
    """The settings that a config says, keys, types and ranges checked and interpolations resolved; for all ranks.

    Raises:
        LsganError: one sentence that names the key, the value, the rule and the fix.
    """
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise LsganError(f"{', '.join(missing)} must be given: add {' '.join(f'{key}=<value>' for key in missing)}")
    _check_unread(cfg)
    settings: Settings = typed(Settings, cfg)
    _check_sections(settings)
    _check_value("dataset.name", settings.dataset.get("name"), Rule(RULES["dataset"].role, is_name=True))
    for name, rule in RULES.items():  # the study is called after the data set
        _check_value(name, getattr(settings, name), rule)
    for name, node in parts(settings):
        check_arguments(node, name)
    _check_shape(settings)
    _check_rates(settings)
    settings.runs_dir, settings.data_dir = settings.runs_dir.expanduser(), settings.data_dir.expanduser()
    _check_places(settings)
    _check_ranks(settings, world)
    _check_updates(settings)
    if settings.images is not None:
        settings.steps = math.ceil(settings.images / (settings.batch_size * settings.discriminator_steps))
    return settings


def all_keys(cfg: DictConfig) -> list[str]:
    """Every dotted key of a config, sections included."""
    values: Any = OmegaConf.to_container(cfg, resolve=False)
    return [key for key, _ in walk(values)]


def _check_sections(settings: Settings) -> None:
    for name in COMPONENTS:
        node = getattr(settings, name)
        if not isinstance(node, dict):
            raise LsganError(f"{name}={node} must be a choice of {name} or keys with a _target_")


def _check_value(name: str, value: Any, rule: Rule) -> None:
    if value is None:
        return
    if rule.at_least is not None and not (value >= rule.at_least and math.isfinite(value)):
        raise LsganError(f"{name}={value} must be a number of at least {rule.at_least}")
    if rule.at_most is not None and value > rule.at_most:
        raise LsganError(f"{name}={value} must be a share of at most {rule.at_most}")
    if rule.choices and value not in rule.choices:
        raise LsganError(f"{name}={value} must be {' or '.join(rule.choices)}")
    if rule.is_name and len(str(value)) > _LONGEST_NAME:
        raise LsganError(
            f"{name}={str(value)[:40]}… has {len(str(value)):,} characters: a name has at most {_LONGEST_NAME}"
        )
    if rule.is_name and (value in (".", "..") or not re.fullmatch(r"[\w.-]+", str(value), re.ASCII)):
        raise LsganError(f"{name}={value!r} names a folder: use letters, digits, '.', '_' and '-' only")


def _check_shape(settings: Settings) -> None:
    """A resolution that the architecture does not make; other shapes are known when the data set is built."""
    side, channels = settings.dataset.get("resolution"), settings.dataset.get("channels", 3)
    target = str(settings.architecture.get("_target_"))
    shapes = shapes_of(target)
    if shapes is not None and isinstance(side, int):
        try:
            shapes.expect(target.rpartition(".")[2], (channels, side, side))
        except ValueError as error:
            raise LsganError(f"architecture: {error}") from error


def _check_rates(settings: Settings) -> None:
    for side in ("generator", "discriminator"):
        rate = settings.optimizer.get(side, {}).get("lr")
        is_number = isinstance(rate, (int, float)) and not isinstance(rate, bool)
        if rate is not None and not (is_number and rate > 0 and math.isfinite(rate)):
            raise LsganError(f"optimizer.{side}.lr={rate} must be a number above 0 (optimizer.lr sets both sides)")


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


def _check_ranks(settings: Settings, world: World) -> None:
    if world.restarts and settings.new:
        raise LsganError("new=true would begin another run at each restart: take it out, or --max-restarts")
    if settings.new and is_queued_again():
        raise LsganError("new=true would begin another run each time that the job is queued again: take it out")
    if settings.batch_size % world.size:
        raise LsganError(
            f"batch_size={settings.batch_size} must be divisible by the {world.size} ranks, which share each batch: "
            f"set batch_size={math.ceil(settings.batch_size / world.size) * world.size} or start another number of them"
        )


def _check_updates(settings: Settings) -> None:
    if settings.updates == "simultaneous" and settings.discriminator_steps > 1:
        raise LsganError(
            "updates=simultaneous is one update of D and G each, and "
            f"discriminator_steps={settings.discriminator_steps} wants more of D: set discriminator_steps=1, "
            "or updates=alternating"
        )


def _check_unread(cfg: DictConfig) -> None:
    """Every root key must be a setting; a value outside a component must serve the components beside it.

    `optimizer.lr` does: `optimizer.generator.lr` refers to it, or did before it was overridden.
    """
    raw: Any = OmegaConf.to_container(cfg, resolve=False)
    for key, value in raw.items():
        if key not in RULES:
            known = {*RULES, *(name for name in all_keys(cfg) if name.split(".")[0] != key)}
            raise LsganError(f"{key} is read by nothing{did_you_mean(key, known)}: take it out")
        if isinstance(value, dict) and not is_part(value):
            components = [part for part in value.values() if is_part(part)]
            for name, part in value.items():
                if not is_part(part) and not any(name in component for component in components):
                    raise LsganError(f"{key}.{name} is read by nothing: take it out")
