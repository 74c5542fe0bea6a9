"""What the commands share: mistakes become one sentence, and an exit code that is not 0."""

import functools
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from lsgan import terminal
from lsgan.config import CONF_DIR, all_keys, composed
from lsgan.config.components import did_you_mean
from lsgan.config.places import is_group
from lsgan.config.saved import REMOVED
from lsgan.errors import LsganError, TerminatedError
from lsgan.files import is_refusal, refusal, remedy
from lsgan.tracking.console import show_log_lines
from lsgan.world import ALONE, World

EXIT_FAILED = 1
EXIT_INTERRUPTED = 128 + signal.SIGINT  # as shells tell of a command that a signal has ended


def run(main: Callable[[], None], world: World = ALONE) -> None:
    """Calls `main` and ends the process with a sentence if it fails by the user's mistake.

    The traceback of a run's failure is in its train.log.
    """
    terminal.make_undemanding()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra pass exceptions on instead of printing them
    sys.argv[1:] = for_saved_config(sys.argv[1:])
    try:
        with _refusals_told():
            main()
    except TerminatedError as error:
        sys.exit(128 + error.number)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except (LsganError, HydraException, OmegaConfBaseException) as error:
        if not getattr(error, "shown", False):
            _show(explain(error), world)
        sys.exit(EXIT_FAILED)


def job(world: World = ALONE) -> Callable[[Callable[[DictConfig], None]], Callable[[DictConfig], None]]:
    """A Hydra job whose mistakes are shown at once, also in the middle of a sweep, which goes on."""

    def decorate(function: Callable[[DictConfig], None]) -> Callable[[DictConfig], None]:
        @functools.wraps(function)
        def wrapped(cfg: DictConfig) -> None:
            terminal.make_undemanding()  # a launcher may have started a process for this job
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                show_log_lines(world, brief=True)
            try:
                with _refusals_told():
                    function(cfg)
            except (LsganError, HydraException, OmegaConfBaseException) as error:
                _show(explain(error), world)
                if HydraConfig.get().mode == RunMode.RUN:  # past Hydra, which would add lines of its own
                    raise SystemExit(getattr(error, "exit_code", EXIT_FAILED)) from error
                error.shown = True  # type: ignore[union-attr]
                raise
            except Exception as error:
                if HydraConfig.get().mode == RunMode.MULTIRUN:  # Hydra shows the first failure of a sweep only
                    _show(f"{type(error).__name__}: {error}; the traceback is in the run's train.log", world)
                raise

        return wrapped

    return decorate


@contextmanager
def _refusals_told() -> Iterator[None]:
    """What a disk refuses where nobody expects it is a sentence, too."""
    try:
        yield
    except OSError as error:
        if not is_refusal(error):
            raise
        raise LsganError(f"{refusal(error)}: {remedy(error)} and start again") from error


def world_or_exit() -> World:
    """The ranks, as the environment tells them; the process ends with a sentence where that makes no sense."""
    terminal.make_undemanding()
    try:
        return World.from_environment()
    except LsganError as error:
        _show(str(error), ALONE)
        sys.exit(EXIT_FAILED)


def for_saved_config(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments, with keys forced upon Hydra where `resume=` is among them.

    What follows `resume=` is about the run's own config, not about the one that Hydra composes, which may have no such
    key: `resume=<folder> dataset.root=<new place>`, for example.
    """
    if not any(argument.startswith("resume=") for argument in arguments):
        return list(arguments)
    return [_forced(argument) for argument in arguments]


def _forced(argument: str) -> str:
    if re.fullmatch(r"~[\w.]+", argument) and not is_group(argument[1:]):
        return f"++{argument[1:]}='{REMOVED}'"
    key = argument.partition("=")[0]
    is_value = re.fullmatch(r"[\w.]+", key) and "=" in argument and key.partition(".")[0] != "hydra"
    return f"++{argument}" if is_value and not is_group(key) and key != "resume" else argument


def explain(error: Exception) -> str:
    """The error as one sentence."""
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
        return f"{key}: no such setting{did_you_mean(key, _known_keys())}; python train.py --help lists all"
    told = str(error) or str(error.__cause__ or type(error).__name__)  # Hydra wraps errors without a word
    return told.splitlines()[0]


def _known_keys() -> list[str]:
    """Every key that the choices on the command line offer."""
    pairs = [argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument]
    choices = [f"{key}={value.split(',')[0]}" for key, value in pairs if is_group(key)]
    groups = [path.name for path in CONF_DIR.iterdir() if path.is_dir()]
    try:
        return groups + all_keys(composed(choices))
    except HydraException:  # the choices of a sweep, glob(*) for example, do not compose as they stand
        return groups + all_keys(composed())


def _show(sentence: str, world: World) -> None:
    of_rank = "" if world.is_main else f" (rank {world.rank})"
    print(f"error{of_rank}: {sentence}", file=sys.stderr)
