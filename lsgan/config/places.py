"""Where the YAML files are: beside the package in a checkout, inside of it when it was installed from a wheel."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from lsgan.evaluation.catalogue import better

_PACKAGE = Path(__file__).resolve().parents[1]
CONF_DIR = next((place for place in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if place.is_dir()), _PACKAGE / "conf")

OmegaConf.register_new_resolver("better", better, replace=True)  # conf/train.yaml: the direction of best_metric


def composed(overrides: Sequence[str] = ()) -> DictConfig:
    """The config as `python train.py <overrides>` composes it, also in the middle of a Hydra job."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
            return compose("train", list(overrides))
    finally:
        GlobalHydra.instance().hydra = outer


def is_group(name: str) -> bool:
    """Whether a choice of that name is a file of a folder, `loss` for example, not a value."""
    return name in groups()


@cache
def groups() -> tuple[str, ...]:
    """The groups of choices."""
    return tuple(sorted(path.name for path in CONF_DIR.iterdir() if path.is_dir()))
