"""The command of a job: the one that somebody would type for it alone."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

_SWEEP = ("hydra.mode", "hydra.sweep", "hydra.launcher", "hydra/launcher", "hydra/sweeper")  # also hydra.sweeper


def command(overrides: Sequence[str], hydra_overrides: Sequence[str] = ()) -> list[str]:
    """Arguments of Python: the script or module of this process, its flags about where configs are, the overrides."""
    kept = [override for override in hydra_overrides if not override.lstrip("+~").startswith(_SWEEP)]
    return [*_program(), *config_flags(), *overrides, *kept]


def _program() -> list[str]:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is not None:  # python -m package.module
        return ["-m", spec.name.removesuffix(".__main__")]
    return [str(Path(sys.argv[0]).absolute())]


def config_flags() -> list[str]:
    """Those of Hydra's flags in this process's command that change what is composed."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-name", "-cn")
    parser.add_argument("--config-path", "-cp")
    parser.add_argument("--config-dir", "-cd")
    known, _ = parser.parse_known_args(sys.argv[1:])
    given = {"--config-name": known.config_name, "--config-path": known.config_path, "--config-dir": known.config_dir}
    return [word for flag, value in given.items() if value is not None for word in (flag, value)]
