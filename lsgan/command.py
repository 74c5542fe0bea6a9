"""What the commands share: mistakes become one sentence, and an exit code that is not 0."""

import functools
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from lsgan.config import all_keys
from lsgan.errors import LsganError, TerminatedError
from lsgan.instantiate import did_you_mean
from lsgan.world import World

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130  # what shells report for Ctrl-C
EXIT_TERMINATED = 143  # and for SIGTERM


def run(main: Callable[[], None], conf_dir: Path | None = None) -> None:
    """Calls `main` and ends the process with a sentence if it fails by the user's mistake.

    The traceback of a run's failure is in its train.log.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra pass exceptions on instead of printing them
    try:
        main()
    except KeyboardInterrupt as error:
        sys.exit(EXIT_TERMINATED if isinstance(error, TerminatedError) else EXIT_INTERRUPTED)
    except (LsganError, HydraException, OmegaConfBaseException) as error:
        if not getattr(error, "shown", False):
            _show(explain(error, conf_dir))
        sys.exit(EXIT_FAILED)


def job(function: Callable[[DictConfig], None]) -> Callable[[DictConfig], None]:
    """A Hydra job whose mistakes are shown at once, also in the middle of a sweep, which goes on."""

    @functools.wraps(function)
    def wrapped(cfg: DictConfig) -> None:
        try:
            function(cfg)
        except LsganError as error:
            _show(str(error))
            if HydraConfig.get().mode == RunMode.RUN:
                raise SystemExit(error.exit_code) from error  # past Hydra, which would add lines of its own
            error.shown = True  # type: ignore[attr-defined]
            raise
        except Exception as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN:  # Hydra shows the first failure of a sweep only
                _show(f"{type(error).__name__}: {error}; the traceback is in the run's train.log")
            raise

    return wrapped


def explain(error: Exception, conf_dir: Path | None = None) -> str:
    """The error as one sentence; `conf_dir` lets it name near misses."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        hint = did_you_mean(choice, error.options)
        return f"{group}={choice}: no such choice{hint}; choose one of {', '.join(error.options)}"
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override} is not understood: write key=value; a value with special characters needs quotes "
            "inside the shell's, for example 'data_dir=\"~/data\"'"
        )
    ambiguous = re.match(r"Ambiguous value for argument '([^']+)'", str(error))
    if ambiguous:
        return f"{ambiguous[1]}: several values are a sweep, which takes -m: python train.py -m {ambiguous[1]}"
    unknown = re.match(r"Could not override '([^']+)'", str(error))
    if unknown:
        key = unknown[1]
        return f"{key}: no such setting{did_you_mean(key, _known_keys(conf_dir))}; python train.py --help lists all"
    told = str(error) or str(error.__cause__ or type(error).__name__)  # Hydra wraps errors without a word
    return told.splitlines()[0]


def _known_keys(conf_dir: Path | None) -> list[str]:
    """Every key that the choices on the command line offer."""
    if conf_dir is None:
        return []
    pairs = [argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument]
    choices = [f"{key}={value.split(',')[0]}" for key, value in pairs if (conf_dir / key).is_dir()]
    groups = [path.name for path in conf_dir.iterdir() if path.is_dir()]
    with initialize_config_dir(str(conf_dir), version_base="1.3"):
        try:
            return groups + all_keys(compose("train", choices))
        except HydraException:  # the choices of a sweep, glob(*) for example, do not compose as they stand
            return groups + all_keys(compose("train"))


def _show(sentence: str) -> None:
    world = World.from_environment()
    of_rank = "" if world.is_main else f" (rank {world.rank})"
    print(f"error{of_rank}: {sentence}", file=sys.stderr)
