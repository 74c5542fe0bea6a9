"""From YAML to an experiment: settings, check, identity, assembly. What others use of the package is named here."""

from lsgan.config.assembly import (
    Experiment,
    assemble,
    build,
    build_experiment,
    build_networks,
)
from lsgan.config.checking import all_keys, check
from lsgan.config.components import is_conditional
from lsgan.config.observers import build_observers
from lsgan.config.places import CONF_DIR, composed
from lsgan.config.planning import Plan, plan
from lsgan.config.saved import load, to_yaml
from lsgan.config.settings import Settings
from lsgan.config.trees import flat

__all__ = [
    "CONF_DIR",
    "Experiment",
    "Plan",
    "Settings",
    "all_keys",
    "assemble",
    "build",
    "build_experiment",
    "build_networks",
    "build_observers",
    "check",
    "composed",
    "flat",
    "is_conditional",
    "load",
    "plan",
    "to_yaml",
]
