"""What the commands share: mistakes become one sentence, and an exit code that is not 0."""

import errno
import functools
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lsgan import arguments, terminal
from lsgan.config import all_keys, composed
from lsgan.config.components import did_you_mean
from lsgan.config.identity import takes
from lsgan.config.places import groups, is_group
from lsgan.errors import LsganError, TerminatedError
from lsgan.files import is_refusal, refusal, remedy
from lsgan.sweep import cluster
from lsgan.tracking import agent
from lsgan.tracking.console import show_log_lines
from lsgan.training.interrupt import hand_on
from lsgan.world import ALONE, World, is_queued_again

EXIT_FAILED = 1  # also of a sweep whose jobs failed in different ways
EXIT_SIGNALLED = 128  # and the signal's number, as shells tell of a command that it has ended
EXIT_INTERRUPTED = EXIT_SIGNALLED + signal.SIGINT

T = TypeVar("T")

_failed: list[int] = []  # exit codes of the failed jobs of this process's sweep


def run(
    main: Callable[[], None],
    world: World = ALONE,
    *,
    read: Callable[[Sequence[str]], list[str]] = arguments.plain,
    after: Callable[[], None] = lambda: None,
) -> None:
    """Calls `main` and ends the process with a sentence if it fails by the user's mistake.

    `read` makes the arguments ready for it; `after` is called when it has ended well or has failed by the user's
    mistake, but not if it was stopped. The traceback of a run's failure is in its train.log.
    """
    terminal.make_undemanding()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra pass exceptions on instead of printing them
    try:
        with _refusals_told():
            sys.argv[1:] = read(agent.meant(sys.argv[1:]))
            main()
            after()
    except TerminatedError as error:
        sys.exit(128 + error.number)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        if not getattr(error, "shown", False):
            _show(sentence, world)
        code = getattr(error, "exit_code", EXIT_FAILED)
        if code < EXIT_SIGNALLED:
            after()
        sys.exit(arguments.exit_code(_failed) or code)


def job(world: World = ALONE) -> Callable[[Callable[[DictConfig], T]], Callable[[DictConfig], T]]:
    """A Hydra job whose mistakes are shown at once, also in the middle of a sweep, which goes on."""

    def decorate(function: Callable[[DictConfig], T]) -> Callable[[DictConfig], T]:
        @functools.wraps(function)
        def wrapped(cfg: DictConfig) -> T:
            terminal.make_undemanding()  # a launcher may have started a process for this job
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                show_log_lines(world, brief=True)
            try:
                with _refusals_told():
                    return function(cfg)
            except TerminatedError as error:
                hand_on(error)
                raise
            except Exception as error:
                sentence, code = explain(error), getattr(error, "exit_code", EXIT_FAILED)
                is_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
                if sentence is None:
                    if is_sweep:  # Hydra shows the first failure of a sweep only
                        _show(f"{type(error).__name__}: {error}; the traceback is in the run's train.log", world)
                        _failed.append(code)
                    raise
                _show(sentence, world)
                if not is_sweep:  # past Hydra, which would add lines of its own
                    raise SystemExit(code) from error
                _failed.append(code)
                error.shown = not is_queued_again()  # type: ignore[attr-defined]  # else in the job's own file alone
                raise

        return wrapped

    return decorate


@contextmanager
def _refusals_told() -> Iterator[None]:
    """What a disk refuses where nobody expects it is a sentence, too."""
    try:
        yield
    except OSError as error:
        if not is_refusal(error) or error.errno == errno.ENAMETOOLONG:  # `explain` has a sentence for that
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


def explain(error: Exception) -> str | None:
    """The error as one sentence; None if it is no mistake of the user's but a bug."""
    of_cluster = cluster.explain(error)
    if of_cluster is not None:
        return of_cluster
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        name = max(Path(str(error.filename)).parts, key=len)
        return f"{name[:40]}… has {len(name):,} characters, too many for a name: shorten it"
    if _is_out_of_memory(error):
        numbers = [word for word in sys.argv[1:] if re.fullmatch(r"[\w.]+=\d+", word)]
        return f"the memory does not suffice: make something smaller ({', '.join(numbers) or 'nothing was typed'})"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        hint = did_you_mean(choice, error.options)
        return f"{group}={choice}: no such choice{hint}; choose one of {', '.join(error.options)}"
    if isinstance(error, OverrideParseException):
        word = error.override or "''"
        return (
            f"{word} is not understood: write key=value; a value with special characters needs "
            "quotes inside the shell's, for example 'data_dir=\"~/data\"'"
        )
    if not isinstance(error, (LsganError, HydraException, OmegaConfBaseException)):
        return None
    if isinstance(error, InstantiationException) and isinstance(error.__cause__, HydraException):
        return str(error.__cause__)  # of a launcher or sweeper
    for pattern, sentence in _OF_HYDRA.items():
        found = re.match(pattern, str(error))
        if found:
            return sentence(found[1])
    told = str(error) or str(error.__cause__ or type(error).__name__)  # Hydra wraps errors without a word
    key = getattr(error, "full_key", None) if isinstance(error, OmegaConfBaseException) else None
    return f"{key}: {told.splitlines()[0]}" if key else told.splitlines()[0]


def _is_out_of_memory(error: Exception) -> bool:
    """Of what nobody has explained nearer to where it happened."""
    if isinstance(error, MemoryError) or "torch" not in sys.modules:
        return isinstance(error, MemoryError)

    from lsgan.training.memory import is_out_of_memory

    return is_out_of_memory(error)


def _unknown(key: str) -> str:
    """Of a key that the composed config does not have; its component may take it all the same."""
    cfg = _composed()
    section, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, section) if section else None
    close = did_you_mean(name, node) if isinstance(node, DictConfig) else ""
    adds = "" if close else _adding(cfg, section, name)
    if adds:
        return f"{key}: the config says nothing of it, but it is taken: {adds} adds it"
    return f"{key}: no such setting{did_you_mean(key, [*groups(), *all_keys(cfg)])}; python train.py --help lists all"


def _adding(cfg: DictConfig, section: str, name: str) -> str:
    """What to type for an argument of a component, or of all parts of a group; nothing if there is no such argument."""
    found = []
    for part in (section, *(f"{section}.{inner}" for inner in ("generator", "discriminator"))):
        node = OmegaConf.select(cfg, part) if section else None
        if isinstance(node, DictConfig) and takes(part, OmegaConf.to_container(node, resolve=True), name):
            found.append(f"+{part}.{name}={_typed_value(f'{section}.{name}')}")
    return " ".join(found)


def _typed_value(key: str) -> str:
    return next((word.partition("=")[2] for word in sys.argv[1:] if word.partition("=")[0] == key), "<value>")


def _composed() -> DictConfig:
    """The config of the choices on the command line; of a sweep, the first."""
    pairs = [argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument]
    choices = [f"{key}={value.split(',')[0]}" for key, value in pairs if is_group(key)]
    try:
        return composed(choices)
    except HydraException:  # the choices of a sweep, glob(*) for example, do not compose as they stand
        return composed()


_OF_HYDRA: dict[str, Callable[[str], str]] = {  # how Hydra puts it -> the sentence
    r"(?:Ambiguous value for argument|Sweep parameters) '([^']+)'": lambda argument: (
        f"{argument}: several values are a sweep, which takes -m: python train.py -m {argument}"
    ),
    r"Could not override '([^']+)'": _unknown,
    r"Could not delete from config\. '([^']+)' does not exist": lambda key: (
        f"~{key}: there is no {key} to take out{did_you_mean(key, all_keys(_composed()))}"
    ),
    r"Multiple values for (\S+)\. To override": lambda group: (
        f"+{group}: there is a choice of {group} already: leave the + out to replace it"
    ),
}


def _show(sentence: str, world: World) -> None:
    of_rank = "" if world.is_main else f" (rank {world.rank})"
    print(f"error{of_rank}: {sentence}", file=sys.stderr)
