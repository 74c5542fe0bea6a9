"""The config in a run folder: read with care, for the folder may be a stranger's, and gone on with."""

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from lsgan.config.checking import all_keys
from lsgan.config.components import did_you_mean
from lsgan.config.moved import migrated
from lsgan.config.places import CONF_DIR, composed, is_group
from lsgan.config.settings import RULES, Role, role
from lsgan.config.signatures import source_of
from lsgan.config.trees import walk
from lsgan.errors import LsganError

REMOVED = "~"  # the value that stands for `~key` where Hydra must not see it


def load(folder: Path, *, trust: bool = False) -> DictConfig:
    """The config of the run in a run folder; settings that the version which wrote it did not have get their defaults.

    Args:
        folder: of the run.
        trust: let it build what is not this project's (or an optimizer of PyTorch's). Code runs where a component is
            built, so a stranger's folder must not choose it.

    Raises:
        LsganError: there is no run folder, its config cannot be read, or it names something foreign.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        raise LsganError(f"{folder} is not a run folder: it has no config.yaml (runs are at <runs_dir>/<study>/<run>)")
    try:
        cfg = OmegaConf.load(path)
    except Exception as error:  # YAML errors are of several families
        raise LsganError(f"{path} is not readable YAML: {' '.join(str(error).split())}") from error
    if not isinstance(cfg, DictConfig) or not cfg:
        raise LsganError(f"{path} is not the config of a run")
    values = migrated(OmegaConf.to_container(cfg, resolve=False))
    if not trust:
        _check_targets(path, values)
    cfg = OmegaConf.create(values)
    for name in RULES.keys() - cfg.keys():
        cfg[name] = _raw(_defaults(_dataset_of(cfg) if name == "features" else ""), name)
    if (
        isinstance(cfg["runtime"], DictConfig) and "precision" not in cfg["runtime"]
    ):  # versions that knew no other ran in fp32
        OmegaConf.update(cfg, "runtime.precision", "fp32", force_add=True)
    cfg["resume"], cfg["new"] = None, False
    return cfg


def going_on(folder: Path, overrides: Iterable[str], now: DictConfig | None = None) -> DictConfig:
    """The config of the run in `folder`, with what the command line changes in it.

    Args:
        folder: of the run.
        overrides: the command line, as `for_saved_config` writes it.
        now: what Hydra composed by it, where choices come from the user's own folders too.

    Raises:
        LsganError: as `load`; a key is unknown, or its change makes another run and is not meant (`resume_override`).
    """
    typed = {parsed.key_or_group: parsed for parsed in OverridesParser.create().parse_overrides(list(overrides))}
    cfg = load(folder, trust=_says(typed, "trust"))
    precision = OmegaConf.select(cfg, "runtime.precision")
    for key, override in sorted(typed.items()):
        if key not in ("resume", "resume_override", "trust"):
            _check_may_change(key, override=_says(typed, "resume_override"))
            _apply(cfg, key, override, now)
    if "runtime.precision" not in typed and OmegaConf.select(cfg, "runtime.precision") == "auto":
        cfg["runtime"]["precision"] = precision  # it stays, whatever `auto` would pick here
    if "images" not in typed:
        cfg["images"] = None
    cfg["resume"] = str(folder)
    for flag in ("resume_override", "trust"):
        cfg[flag] = _says(typed, flag)
    return cfg


def to_yaml(values: dict[str, Any]) -> str:
    """Plain values as YAML."""
    return OmegaConf.to_yaml(OmegaConf.create(values))


def _says(typed: dict[str, Override], flag: str) -> bool:
    return flag in typed and str(typed[flag].value()).lower() in ("true", "1", "yes", "on")


def _check_may_change(key: str, *, override: bool) -> None:
    root = key.partition(".")[0]
    if root not in RULES and not is_group(key):
        raise LsganError(f"{key}: no such setting{did_you_mean(root, RULES)}; python train.py --help lists all")
    what = role(key) if root in RULES else Role.COMMAND  # `experiment` chooses everything
    if what is Role.COMMAND or (what is Role.IDENTITY and not override):
        fine = [name for name, rule in RULES.items() if rule.role in (Role.FREE, Role.PLACE)]
        fine += [f"{name}.{key}" for name, rule in RULES.items() for key in rule.free]
        raise LsganError(
            f"resume goes on with the run's own config, so {key} cannot be changed; only {', '.join(fine)} can"
            + ("" if what is Role.COMMAND else ", and anything else by resume_override=true")
        )


def _apply(cfg: DictConfig, key: str, override: Override, now: DictConfig | None) -> None:
    """One change: a choice of a group as composed, a value as typed, to all that referred to it too."""
    if is_group(key):
        cfg[key] = _raw(now or composed([override.input_line or ""]), key)
        return
    if override.is_delete() or override.value() == REMOVED:
        parent, _, last = key.rpartition(".")
        with open_dict(cfg):
            OmegaConf.select(cfg, parent or "", default=cfg).pop(last, None)
        return
    known = all_keys(cfg)
    if key not in known and not override.is_add():  # ++ is what `for_saved_config` wrote
        raise LsganError(f"{key}: no such setting{did_you_mean(key, known)}; +{key}= adds it")
    before = OmegaConf.select(cfg, key)
    for other in (key, *_referring_to(key)):
        if other == key or (OmegaConf.select(cfg, other) == before and before is not None):
            OmegaConf.update(cfg, other, override.value(), merge=False, force_add=True)


def _raw(cfg: DictConfig, name: str) -> Any:
    """A node with its interpolations, so that they follow the config that it is put into."""
    return OmegaConf.to_container(cfg, resolve=False)[name]  # type: ignore[call-overload,index]


@cache
def _defaults(dataset: str = "") -> DictConfig:
    return composed([f"dataset={dataset}"] if dataset else [])


def _dataset_of(cfg: DictConfig) -> str:
    """The choice of `dataset` that the run's data set was, and that brings features which suit it; "" if none is."""
    name = OmegaConf.select(cfg, "dataset.name")
    return str(name) if (CONF_DIR / "dataset" / f"{name}.yaml").is_file() else ""


@cache
def _references() -> dict[str, list[str]]:
    """Key -> the keys that conf/ says are `${key}`. A run's own config holds values only."""
    found: dict[str, list[str]] = {}
    for path in CONF_DIR.glob("*/*.yaml"):
        content: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        text = path.read_text(encoding="utf-8")
        prefix = "" if "@package _global_" in text.partition("\n")[0] else f"{path.parent.name}."
        for key, value in walk(content) if isinstance(content, dict) else ():
            reference = re.fullmatch(r"\$\{([\w.]+)\}", value) if isinstance(value, str) else None
            if reference:
                found.setdefault(reference[1], []).append(f"{prefix}{key}")
    return found


def _referring_to(key: str) -> list[str]:
    return _references().get(key, [])


def _check_targets(path: Path, values: Any) -> None:
    for key, value in walk(values):
        if not isinstance(value, dict) and "${" in str(value):  # ${oc.decode:…} makes a whole component of a text
            raise LsganError(
                f"{path}: {key}={value} is no value, and what it becomes is not known before: a run's config says "
                "values only; write the value, or add trust=true if you know the run to be yours"
            )
        if key.rpartition(".")[2] == "_target_" and not _is_ours(key.partition(".")[0], str(value)):
            raise LsganError(
                f"{path}: {key}={value} is not lsgan's, and would run when it is built: "
                "add trust=true if you know the run to be yours"
            )


def _is_ours(group: str, target: str) -> bool:
    """Whether it is a class of the group's home, or a function that makes networks; nothing is imported to tell."""
    home = RULES[group].home if group in RULES else None
    if home is None or not target.startswith(f"{home}."):
        return False
    if home == "torch.optim":
        return re.fullmatch(r"[A-Z]\w*", target.removeprefix("torch.optim.")) is not None
    definition = source_of(target)
    if isinstance(definition, ast.FunctionDef):
        return group == "architecture" and ast.unparse(definition.returns or ast.Constant(None)) == "Networks"
    return definition is not None
