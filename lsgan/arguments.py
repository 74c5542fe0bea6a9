"""What is typed behind a command, made ready for Hydra.

What Hydra would answer with a traceback or its usage is a sentence here.
Which jobs a sweep has is asked here too, whatever launches them.
"""

import argparse
import math
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override
from hydra.errors import HydraException
from omegaconf import OmegaConf

from lsgan.config import CONF_DIR, all_keys, composed
from lsgan.config.places import is_group
from lsgan.config.saved import REMOVED
from lsgan.errors import LsganError
from lsgan.world import World

_LISTS = ("observe",)  # groups of which several choices make one config

# Settings of the whole sweep, which a run by itself would not heed: conf/hydra/launcher/queue.yaml has jobs go without.
OF_QUEUE = ("workers", "devices", "jobs_per_device", "on_failure", "retry_failed", "dry_run")
OF_SEARCH = ("trials", "sampler", "sampler_seed", "pruner", "pruner_warmup")
_QUEUES = ("queue", "local_queue")  # launchers


def plain(arguments: Sequence[str]) -> list[str]:
    """Those of the other commands.

    Raises:
        LsganError: a word is empty, has no key or is `--key=value`; or it is a sweep, or about one.
    """
    for word in arguments:
        if not word.partition("=")[0].strip():
            raise LsganError(f"{word.strip() or repr(word)} has no key: write key=value")
    _check_no_keys_as_flags(arguments)
    _check_sweep(arguments, is_sweep=False)
    _check_settings_of_sweeps(_parsed(arguments), is_sweep=False)
    return list(arguments)


def texts(words: Sequence[str], keep: Sequence[str] = ()) -> dict[str, str]:
    """What was typed as key=value, as texts, until the settings say what they are: YAML takes 000060 for an octal 48.

    A key without a value is there as `???`, missing; an empty or null one is as if it had not been typed, but for those
    to `keep`.
    """
    values = dict((word if "=" in word else f"{word}=???").split("=", 1) for word in words)
    return {key: value for key, value in values.items() if value not in ("", "null") or key in keep}


def of_one_study(words: Sequence[str], name: str) -> list[str]:
    """Those of the command lsgan.<name>, as key=value: a word that is no such thing is the folder (`runs/lr=2` too).

    Raises:
        LsganError: there is no folder, or more than one.
    """
    found = [word if re.match(r"[\w.]+=", word) else f"study={word}" for word in words]
    folders = [word for word in found if word.startswith("study=")]
    if len(folders) != 1 or any(word.startswith("study=-") for word in folders):
        raise LsganError(
            f"{' '.join(words) or 'no folder'}: this is about one study, python -m lsgan.{name} <folder> [key=value …]"
        )
    return found


def for_hydra(arguments: Sequence[str]) -> list[str]:
    """The arguments of `train.py`: flags first, keys forced where the config that Hydra composes may lack them.

    Raises:
        LsganError: a flag is unknown, it or a setting of sweeps is meaningless here, a choice is no name, or jobs of a
            sweep would be one run.
    """
    _check_no_keys_as_flags(arguments, _value_flags())
    told = _Parser(parents=[get_args_parser()], add_help=False).parse_intermixed_args(list(arguments))
    if told.multirun and told.cfg is not None:
        raise LsganError("--cfg shows one config, and -m runs several: leave one of them out")
    if told.resolve and told.cfg is None and not told.help:
        raise LsganError("--resolve belongs to --cfg: add --cfg job")
    flags = [word for word in arguments if word not in told.overrides]
    overrides = [re.sub(r"^\++sweep=", "sweep=", word) for word in told.overrides]
    typed = _parsed(overrides)
    is_sweep = told.multirun or "hydra.mode=MULTIRUN" in overrides
    _check_sweep(overrides, is_sweep=is_sweep)
    if told.cfg is None:
        _check_settings_of_sweeps(typed, is_sweep=is_sweep)
    for override in typed:
        _check_choice(override, is_sweep=is_sweep)
    if is_sweep:
        _check_one_process()
        typed = _with_named_sweep(typed)
        _check_jobs(typed)
        return flags + for_saved_config(_forced_for_choices(overrides, typed))
    return flags + for_saved_config(overrides)


def _check_no_keys_as_flags(arguments: Iterable[str], flags: Iterable[str] = ()) -> None:
    """Raises LsganError for `--key=value`, as a W&B agent types it, unless it is one of `flags`, which take a value."""
    for argument in arguments:
        setting = re.fullmatch(r"--([^=\s]+)=.*", argument, re.DOTALL)
        if setting and f"--{setting[1]}" not in flags:
            raise LsganError(
                f"{argument}: write {argument[2:]}; in a W&B sweep's command use ${{args_no_hyphens}} instead of "
                "${args}"
            )


def for_saved_config(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments, with keys forced upon Hydra where `resume=` is among them.

    What follows `resume=` is about the run's own config, not about the one that Hydra composes, which may have no such
    key: `resume=<folder> dataset.root=<new place>`, for example.
    """
    if not any(argument.startswith("resume=") for argument in arguments):
        return list(arguments)
    return [_forced_for_saved(argument) for argument in arguments]


def _forced_for_saved(argument: str) -> str:
    if re.fullmatch(r"~[\w.]+", argument) and not is_group(argument[1:]):
        return f"++{argument[1:]}='{REMOVED}'"
    key = argument.partition("=")[0]
    is_value = re.fullmatch(r"[\w.]+", key) and "=" in argument and key.partition(".")[0] != "hydra"
    return f"++{argument}" if is_value and not is_group(key) and key != "resume" else argument


# Flags


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One sentence instead of the usage and exit code 2."""
        unknown = re.fullmatch(r"unrecognized arguments: (-\S*)(.*)", message)
        key = unknown[1].lstrip("-") if unknown else ""
        if unknown is None:
            raise LsganError(f"{message}; python train.py --hydra-help lists the flags")
        hint = f"a setting is {key}=<value>, without hyphens" if key else "a setting is key=value"
        raise LsganError(f"{unknown[1]}: no such flag; {hint}, and python train.py --hydra-help lists the flags")


def _value_flags() -> list[str]:
    """Hydra's own flags that take a value."""
    actions = get_args_parser()._actions
    return [flag for action in actions if action.nargs != 0 for flag in action.option_strings]


# Overrides


def _parsed(overrides: Sequence[str]) -> list[Override]:
    """Those that Hydra understands; it has a sentence for the others."""
    found = []
    for override in overrides:
        try:
            found += OverridesParser.create().parse_overrides([override])
        except HydraException:
            continue
    return found


def _check_choice(override: Override, *, is_sweep: bool) -> None:
    """A choice of a group is a name; of most groups there is one at a time."""
    group, line = override.key_or_group, override.input_line
    if not group:
        raise LsganError(f"{line} has no key: write key=value")
    if override.is_delete() or not is_group(group):
        return
    for value in _values(override):
        names = value if isinstance(value, list) else [value]
        if isinstance(value, dict):  # keys that replace some of the choice's
            continue
        if not all(isinstance(name, str) for name in names):
            raise LsganError(f"{line} must be the name of a choice: {', '.join(_choices(group))}")
        if isinstance(value, list) and group not in _LISTS:
            fix = f": python train.py -m {group}={','.join(names)} tries each of several"
            raise LsganError(f"{line} must be one choice" + ("" if is_sweep else fix))


def _choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF_DIR / group).glob("*.yaml"))


# Sweeps


def _check_sweep(words: Sequence[str], *, is_sweep: bool) -> None:
    """Raises LsganError if there is a named sweep or a sweeper and no -m, or more than one such sweep."""
    named = [word.lstrip("+") for word in words if word.lstrip("+").startswith("sweep=")]
    named = [word for word in named if word != "sweep=none"]
    if len(named) > 1 or not all(re.fullmatch(r"sweep=[\w.-]+", word) for word in named):
        raise LsganError(f"{' '.join(named)}: one sweep at a time; what it sweeps can be typed: seed=0,1")
    named += [word for word in words if word.startswith("hydra/sweeper=")]
    if named and not is_sweep:
        raise LsganError(f"{named[0]} is many runs, which takes -m: python train.py -m {named[0]}")


def _check_one_process() -> None:
    """Raises LsganError under torchrun, whose ranks would each run the whole sweep."""
    size = World.from_environment().size
    if size > 1:
        raise LsganError(
            f"-m under torchrun: each of its {size} processes would run the whole sweep; start the runs one by one, "
            "each by torchrun without -m, or the sweep without torchrun"
        )


def _check_settings_of_sweeps(typed: Sequence[Override], *, is_sweep: bool) -> None:
    """Raises LsganError if one is typed that nobody would heed: a dry run would train, workers would not be there."""
    others = [o.input_line for o in typed if o.key_or_group == "hydra/launcher" and o.value() not in _QUEUES]
    may_search = _is_search(typed) or any(override.key_or_group == "sweep" for override in typed)
    for override in typed:
        key, line = override.key_or_group, override.input_line or ""
        if key not in (*OF_QUEUE, *OF_SEARCH) or _is_default(override):
            continue
        if not is_sweep:
            raise LsganError(
                f"{line} is about a sweep, which takes -m: leave it out, or type python train.py -m {line} …"
            )
        if override.is_sweep_override():
            fix = f"{key}=[{line.partition('=')[2]}]" if key == "devices" else "one value"
            raise LsganError(f"{line}: {key} is about the whole sweep, so it cannot be swept itself: write {fix}")
        if key in OF_QUEUE and others:
            raise LsganError(f"{line} is for the queue, which {others[0]} replaces: leave one of them out")
        if key in OF_SEARCH and not may_search:
            raise LsganError(f"{line} is about a search: add hydra/sweeper=optuna, or leave it out")


def _is_default(override: Override) -> bool:
    """Whether it says what conf/train.yaml says, and so nothing."""
    if override.is_sweep_override() or override.is_delete():
        return False
    default = OmegaConf.select(OmegaConf.load(CONF_DIR / "train.yaml"), override.key_or_group)
    return bool(override.value() == default)


def _with_named_sweep(typed: Sequence[Override]) -> list[Override]:
    """Also what a file under conf/sweep/ sweeps; what is typed wins."""
    params: dict[str, Any] = {}
    for override in typed:
        path = CONF_DIR / "sweep" / f"{override.value()}.yaml"
        if override.key_or_group == "sweep" and path.exists():
            params = OmegaConf.select(OmegaConf.load(path), "hydra.sweeper.params") or {}
    keys = {override.key_or_group for override in typed}
    return [*_parsed([f"{key}={value}" for key, value in params.items() if key not in keys]), *typed]


def _values(override: Override) -> list[Any]:
    """What a sweep tries for a key, one value unless it is swept; a `glob` stands for the choices of the group."""
    if not override.is_sweep_override():
        return [override.value()]
    value = override.value()
    if isinstance(value, IntervalSweep):  # its ends stand for all that lies between
        return [value.start, value.end]
    if isinstance(value, Glob):
        return value.filter(_choices(override.key_or_group))
    return [_unquoted(item) for item in override.sweep_iterator()]


def _unquoted(value: Any) -> Any:
    return getattr(value, "text", value)


def _check_jobs(typed: Sequence[Override]) -> None:
    """Several jobs must not be one run: the second would go on with what the first has trained."""
    num_jobs = math.prod(len(_values(override)) for override in typed)
    for override in typed:
        runs = {str(value) for value in _values(override)}
        if override.key_or_group not in ("run", "resume") or runs == {"None"} or any("${" in run for run in runs):
            continue
        if num_jobs > len(runs):
            fix = "name them run='mine-${…}' by what differs, or leave it out: each job names itself"
            if override.key_or_group == "resume":
                fix = "resume them one by one"
            raise LsganError(
                f"{override.input_line}: {num_jobs} jobs of this sweep would share {len(runs)} "
                f"run{'s' if len(runs) > 1 else ''}, and each go on where the one before ended: {fix}"
            )


def _forced_for_choices(arguments: Sequence[str], typed: Sequence[Override]) -> list[str]:
    """`penalty.weight=5` becomes `++penalty.weight=5` where some of the swept choices have that key and others lack it.

    A job whose choice lacks it says so. What a search chooses stays: it leaves out what a choice lacks.
    """
    chosen = {o.input_line for o in typed if o.is_sweep_override()} if _is_search(typed) else set()
    swept = [override for override in typed if override.is_sweep_override() and is_group(override.key_or_group)]
    if not swept:
        return list(arguments)
    fixed = [o.input_line for o in typed if o.input_line and is_group(o.key_or_group) and o not in swept]
    in_all, in_some = _keys(fixed, swept)
    return [
        f"++{argument}"
        if argument not in chosen and (key := argument.partition("=")[0]) in in_some and key not in in_all
        else argument
        for argument in arguments
    ]


def _is_search(typed: Sequence[Override]) -> bool:
    return any(override.key_or_group == "hydra/sweeper" and override.value() != "basic" for override in typed)


def _keys(fixed: Sequence[str], swept: Sequence[Override]) -> tuple[set[str], set[str]]:
    """The keys that all choices of the swept groups and the default have, and those that some have.

    Each group is tried by itself.
    """
    choices = [[f"{override.key_or_group}={value}"] for override in swept for value in _values(override)]
    found = [set[str]()]
    for choice in ([], *choices):  # Hydra composes without any of them, too
        with suppress(HydraException):  # no such choice: the sweep says it
            found.append(set(all_keys(composed([*fixed, *choice]))))
    return set.intersection(*found[1:] or found), set.union(*found)


def exit_code(codes: Iterable[int]) -> int:
    """Of a sweep: that of its failed jobs if all have the same, 1 if they differ, 0 if none failed."""
    different = set(codes)
    return different.pop() if len(different) == 1 else min(1, len(different))
