"""Optuna's study in a journal: a file of JSON lines, which a command that was killed leaves fit to go on with."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from hydra.errors import HydraException
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import StudyDirection

_NAME = "search"
_OF = "of"  # the study's attribute that says what is searched


class _Held(JournalFileOpenLock):
    """This process holds the journal as long as it searches, so that a line needs no lock of its own."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None: ...


@contextmanager
def opened(journal: Path, of: Mapping[str, Any], mode: str) -> Iterator[optuna.Study]:
    """The study in a journal, begun if there is none; no other process may open it meanwhile.

    Args:
        journal: file.
        of: what is searched, plain values by name.
        mode: what is best: min or max.

    Raises:
        HydraException: it is another search's, another process has it, or it cannot be read or written.
    """
    held = FileLock(journal.with_name(journal.name + ".held"))  # dies with its holder
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)
        held.acquire(timeout=0)
        _drop_half_a_line(journal)
    except Timeout:
        raise HydraException(f"another command searches by {journal}: wait for it, or choose another study") from None
    except OSError as error:
        raise HydraException(f"{journal} cannot be written: {error.strerror}") from error
    try:
        yield _study(journal, of, mode)
    finally:
        held.release()


def sampler(name: str, seed: int) -> BaseSampler:
    """`tpe` or `random`; without a word of Optuna's about what is experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return RandomSampler(seed) if name == "random" else TPESampler(seed=seed, constant_liar=True)


def pruner(name: str, warmup: int) -> BasePruner:
    """`median` or `none`.

    Args:
        name: of it.
        warmup: no trial is pruned before this step.
    """
    return MedianPruner(n_warmup_steps=warmup) if name == "median" else NopPruner()


def _study(journal: Path, of: Mapping[str, Any], mode: str) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    direction = StudyDirection.MINIMIZE if mode == "min" else StudyDirection.MAXIMIZE
    try:
        storage = JournalStorage(JournalFileBackend(str(journal), _Held(str(journal))))
        names = optuna.get_all_study_names(storage)
        study = optuna.create_study(
            storage=storage, study_name=_NAME, direction=None if names else direction, load_if_exists=True
        )
        before = study.user_attrs.get(_OF)
    except (ValueError, KeyError) as error:
        raise HydraException(f"{journal} is no journal of a search, or damaged: move it away ({error})") from error
    if before is None:
        study.set_user_attr(_OF, dict(of))
    elif before != dict(of):
        changes = "; ".join(f"{key}={of.get(key)}, not {before.get(key)}" for key in _changed(of, before))
        raise HydraException(f"{journal} is of another search ({changes}): choose another study, or move it away")
    return study


def _changed(of: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    return [key for key in dict.fromkeys((*of, *before)) if of.get(key) != before.get(key)]


def _drop_half_a_line(journal: Path) -> None:
    """What was being written when a command was killed; Optuna reads no journal with such a line in it."""
    if journal.exists():
        with open(journal, "r+b") as file:
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)
