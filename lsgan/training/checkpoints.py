"""Checkpoints: when one is written, which are kept, the best one, and how they are read back."""

import hashlib
import json
import logging
import math
import re
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch

from lsgan.errors import LsganError
from lsgan.files import read_small, refusal, remedy, sync, write_atomically
from lsgan.observe.observer import Best
from lsgan.training.state import TrainState

FORMAT_VERSION = 2

log = logging.getLogger(__name__)

_RETRY_SECONDS = 30.0  # between two tries to write a checkpoint


class DamagedCheckpointError(LsganError):
    """The file is not what `Checkpoints` wrote."""


class NoSoundCheckpointError(LsganError):
    """There are checkpoints, and each of them is damaged."""


class Loaded(NamedTuple):
    """What a checkpoint that was restored says of itself."""

    path: Path
    identity: dict[str, Any]  # what the run is; empty if version 0.1 wrote it


class Checkpoints:
    """A folder of checkpoints: the newest ones as step-NNNNNN.pt, and the best one as best.pt, which says of what.

    A checkpoint is {"format_version", "step", "parts": {name: state}, "identity", "best"}, whole or not there. Beside
    it lies its checksum, as `sha256sum` writes and checks it.

    Args:
        folder: for them.
        every: steps between two.
        keep: how many of the newest stay.
        identity: what the run is, a nested dict of plain values; written into each of them.
        around: given the step, what the writing of one is wrapped in; an OSError of it is one of the writing.
    """

    def __init__(
        self,
        folder: Path,
        every: int,
        keep: int,
        identity: dict[str, Any] | None = None,
        around: Callable[[int], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self.folder, self._every, self._keep = folder, every, keep
        self._identity, self._around = identity or {}, around
        self._due = False
        self._try_again_at = 0.0  # time.monotonic()

    def are_due(self, step: int) -> bool:
        """Whether one is to be written after this step."""
        return step % self._every == 0

    @property
    def kept(self) -> str:
        """What is there, for whoever reads that the training has failed."""
        newest = latest_checkpoint(self.folder)
        return "no checkpoint has been written yet" if newest is None else f"the last checkpoint stays, {newest.name}"

    def after_step(self, state: TrainState, due: bool, best: Best | None = None) -> None:
        """Writes a checkpoint if one is due, or still due since the disk was full.

        Args:
            state: what is saved.
            due: also off its own pace.
            best: of this step; better than before, it is kept as best.pt.

        Raises:
            NonFiniteError: a weight or an optimizer's state is NaN or infinite.
        """
        if best is not None and not self._is_better(best, state.step):
            best = None
        due = due or best is not None or self.are_due(state.step)
        self._due |= due
        if not self._due or (not due and time.monotonic() < self._try_again_at):
            return
        try:
            self._save(state, best)
            self._due = False
        except OSError as error:
            self._try_again_at = time.monotonic() + _RETRY_SECONDS
            log.warning(
                "step %d: the checkpoint could not be written (%s); the ones before are kept, training goes on, and "
                "it is tried again",
                state.step,
                refusal(error),
            )

    def finish(self, state: TrainState) -> None:
        """One more try for a checkpoint that is still due.

        Raises:
            LsganError: the disk does not take it.
        """
        if not self._due:
            return
        try:
            self._save(state, None)
        except OSError as error:
            last = latest_checkpoint(self.folder)
            where = "begins at step 0 again, nothing is saved" if last is None else f"goes on from step {_step(last)}"
            raise LsganError(
                f"the last checkpoint could not be written to {self.folder} ({refusal(error)}): {remedy(error)} and "
                f"start again, python train.py resume={self.folder.parent} {where}"
            ) from error

    def load_latest(self, state: TrainState) -> Loaded | None:
        """Restores the newest sound checkpoint; None if there is no checkpoint.

        Damaged ones that are newer are renamed to `….damaged`; nothing is changed where none is sound.

        Raises:
            NoSoundCheckpointError: there are only damaged ones.
            LsganError: they cannot be read, or the newest does not fit or is of another format version.
        """
        damaged: list[tuple[Path, DamagedCheckpointError]] = []
        for path in reversed(_checkpoints(self.folder)):
            try:
                found = load(path, state)
            except DamagedCheckpointError as error:
                damaged.append((path, error))
                continue
            for later, reason in damaged:
                log.warning("%s; going on from the one before", reason)
                later.rename(later.with_name(f"{later.name}.damaged"))
            return found
        if damaged:
            raise NoSoundCheckpointError(f"{self.folder} holds no sound checkpoint: start another run") from damaged[0][
                1
            ]
        return None

    def advice(self) -> str:
        """How else to have a checkpoint where they are lost, to follow `put one back`: from a sound best.pt."""
        best = self.folder / "best.pt"
        try:
            step = load_checkpoint(best)["step"]
        except LsganError:
            return ""
        return f" (`cp {best} {self.folder / _name(step)}` takes the best one)"

    def _is_better(self, best: Best, step: int) -> bool:
        before = _read_best(self.folder)
        if math.isnan(best.value):
            return False
        if (
            before is None or before["metric"] != best.metric or before["step"] >= step
        ):  # after a kill, steps come again
            return True
        return best.value > before["value"] if best.mode == "max" else best.value < before["value"]

    def _save(self, state: TrainState, best: Best | None) -> None:
        """Raises OSError if the disk does not take it; earlier checkpoints are still there."""
        state.check_finite()
        self.folder.mkdir(exist_ok=True)
        path = self.folder / _name(state.step)
        told = None if best is None else {"metric": best.metric, "value": best.value}
        content = {"format_version": FORMAT_VERSION, **state.state_dict(), "identity": self._identity, "best": told}
        with self._around(state.step):
            _write(path, content)
        if best is not None:
            _link(path, self.folder / "best.pt")
            with suppress(OSError):  # of versions that told it there: nobody reads it any more
                (self.folder / "best.json").unlink()
        for old in _checkpoints(self.folder)[: -self._keep]:
            with suppress(OSError):  # one too many does no harm
                old.unlink()
                checksum_path(old).unlink(missing_ok=True)


def load(path: Path, state: TrainState) -> Loaded:
    """Restores a checkpoint.

    Raises:
        LsganError: not a checkpoint of this project, of another format version, or of other networks or optimizers.
    """
    content = load_checkpoint(path)
    try:
        state.load_state_dict(content)
    except LsganError as error:
        raise LsganError(f"{path} does not fit the run's config: {error}") from error
    return Loaded(path, content["identity"])


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint in today's format, on the CPU. Nothing in the file is executed.

    Raises:
        DamagedCheckpointError: its checksum is wrong, or it is not a checkpoint of this project.
        LsganError: it cannot be read, or is of another format version.
    """
    checksum = _read_checksum(path)
    try:
        digest = _sha256(path)
    except OSError as error:  # the content may be good: that is not said here
        raise LsganError(f"{path} cannot be read ({error.strerror or error}): mend that, or name another") from error
    if checksum not in (None, digest):
        raise DamagedCheckpointError(f"{path} is damaged, it does not have its checksum")
    return _read(path)


def latest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of the largest step."""
    return max(_checkpoints(folder), key=_step, default=None)


def checksum_path(checkpoint: Path) -> Path:
    """Where the checksum of a checkpoint is."""
    return checkpoint.with_name(f"{checkpoint.name}.sha256")


def _read(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """`load_checkpoint` without a look at the checksum; with `mmap` tensors are read when they are used."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
        version = content["format_version"]
    except Exception as error:  # torch.load raises nearly anything on a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, UnpicklingError) or "weights_only" in str(
            error
        ):  # torch would advise to run what is in it
            reason = "it holds something else than tensors and plain values, and nothing else is loaded"
        raise DamagedCheckpointError(f"{path} is not a readable checkpoint ({reason})") from error
    if version == 1:
        content = _from_version_1(content)
    elif version != FORMAT_VERSION:
        raise LsganError(f"{path} has checkpoint format {version}; this version of lsgan reads {FORMAT_VERSION}")
    if not (isinstance(content.get("parts"), dict) and isinstance(content.get("step"), int)):
        raise DamagedCheckpointError(f"{path} is not a readable checkpoint (it has no parts)")
    return {"identity": {}, "best": None, **content}


def _from_version_1(content: dict[str, Any]) -> dict[str, Any]:
    """lsgan 0.1 had the parts beside the step, and knew neither identity nor what best.pt is the best of."""
    parts = {name: part for name, part in content.items() if name not in ("format_version", "step")}
    return {
        "format_version": FORMAT_VERSION,
        "step": content["step"],
        "parts": parts,
        "identity": {},
        "best": None,
    }


def _read_best(folder: Path) -> dict[str, Any] | None:
    """Step, metric and value of best.pt; None if there is none, or nobody knows any more."""
    path = folder / "best.pt"
    if not path.exists():
        return None
    try:
        content = _read(path, mmap=True)
        told = content["best"] or json.loads(read_small(folder / "best.json") or "null")
        return {"step": int(content["step"]), "metric": str(told["metric"]), "value": float(told["value"])}
    except (LsganError, ValueError, KeyError, TypeError) as error:
        log.warning("%s is not readable (%s): the next one is the best so far", path, error)
        return None


def _write(path: Path, content: dict[str, Any]) -> None:
    """Writes the file beside its place, syncs and renames it; raises OSError."""
    unfinished = path.with_suffix(".part")
    try:
        with open(unfinished, "wb") as file:
            torch.save(content, file)
        sync(unfinished)
        _rename(unfinished, path, _sha256(unfinished))
    except (OSError, RuntimeError) as error:  # torch wraps a full disk in a RuntimeError
        unfinished.unlink(missing_ok=True)
        cause = error if isinstance(error, OSError) else error.__context__
        if isinstance(cause, OSError):
            raise cause from error
        raise OSError(f"torch.save failed: {str(error).splitlines()[0]}") from error


def _link(path: Path, name: Path) -> None:
    """Gives a checkpoint a second name that stays when the first one is deleted; replaces what had it."""
    unfinished = name.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    try:
        unfinished.hardlink_to(path)
    except OSError:  # a file system without hard links
        try:
            shutil.copyfile(path, unfinished)
            sync(unfinished)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
    _rename(unfinished, name, _read_checksum(path) or _sha256(path))


def _rename(unfinished: Path, path: Path, digest: str) -> None:
    """In an order that leaves a checkpoint without a checksum, if anything: never one with another's."""
    checksum_path(path).unlink(missing_ok=True)
    unfinished.replace(path)
    write_atomically(checksum_path(path), f"{digest}  {path.name}\n")  # syncs the folder too


def _read_checksum(path: Path) -> str | None:
    text = read_small(checksum_path(path))
    found = re.match(r"[0-9a-f]{64}\b", text or "")
    if text is not None and found is None:
        log.warning("%s holds no checksum: going on without it", checksum_path(path))
    return found[0] if found else None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _checkpoints(folder: Path) -> list[Path]:
    """Raises LsganError if the folder is there and cannot be read: it is not empty, then."""
    try:
        paths = [path for path in folder.iterdir() if re.fullmatch(r"step-\d+\.pt", path.name) and path.is_file()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LsganError(f"{folder} cannot be read ({error.strerror or error}): mend that first") from error
    return sorted(paths, key=_step)


def _name(step: int) -> str:
    return f"step-{step:06d}.pt"


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))
