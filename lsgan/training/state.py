"""All that a training changes, and its checkpoints."""

import hashlib
import logging
import math
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lsgan.errors import LsganError, NonFiniteError
from lsgan.files import sync, write_atomically
from lsgan.training.ema import Ema

FORMAT_VERSION = 1

log = logging.getLogger(__name__)


class DamagedCheckpointError(LsganError):
    """The file is not what `TrainState.save` wrote."""


@dataclass
class TrainState:
    """Networks, their average, optimizers and the step. Order of data and noise needs no state (streams.py)."""

    generator: nn.Module
    discriminator: nn.Module
    generator_ema: Ema
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    step: int = 0

    def _parts(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_ema": self.generator_ema.module,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }

    def content(self) -> dict[str, Any]:
        """What a checkpoint holds; `restore` takes it."""
        content = {"format_version": FORMAT_VERSION, "step": self.step}
        return content | {name: part.state_dict() for name, part in self._parts().items()}

    def restore(self, content: Mapping[str, Any]) -> None:
        """Becomes what `content` was made from. PyTorch's errors where it does not fit."""
        for name, part in self._parts().items():
            part.load_state_dict(content[name])
        self.step = content["step"]

    def save(self, folder: Path, keep: int) -> Path:
        """Writes folder/step-NNNNNN.pt, whole or not at all, and deletes all but the `keep` newest.

        Beside it lies its checksum, as `sha256sum` writes and checks it.

        Raises:
            NonFiniteError: a weight or an optimizer's state is NaN or infinite; earlier checkpoints are still there.
            OSError: the disk does not take it; earlier checkpoints are still there.
        """
        self._check_finite()
        folder.mkdir(exist_ok=True)
        path = folder / f"step-{self.step:06d}.pt"
        unfinished = path.with_suffix(".part")
        try:
            with open(unfinished, "wb") as file:
                torch.save(self.content(), file)
            sync(unfinished)
            write_atomically(checksum_path(path), f"{_sha256(unfinished)}  {path.name}\n")
            unfinished.replace(path)
            sync(folder)
        except (OSError, RuntimeError) as error:  # torch wraps a full disk in a RuntimeError
            unfinished.unlink(missing_ok=True)
            cause = error if isinstance(error, OSError) else error.__context__
            if isinstance(cause, OSError):
                raise cause from error
            raise OSError(f"torch.save failed: {str(error).splitlines()[0]}") from error
        for old in _checkpoints(folder)[:-keep]:
            old.unlink()
            checksum_path(old).unlink(missing_ok=True)
        return path

    def _check_finite(self) -> None:
        """Of the weights and what the optimizers remember; raises NonFiniteError."""
        for name, network, optimizer in (
            ("generator", self.generator, self.generator_optimizer),
            ("discriminator", self.discriminator, self.discriminator_optimizer),
        ):
            remembered = [value for state in optimizer.state.values() for value in state.values()]
            tensors = [*network.parameters(), *(value for value in remembered if isinstance(value, torch.Tensor))]
            if not torch.nn.utils.get_total_norm(tensors, norm_type=math.inf).isfinite():
                raise NonFiniteError(
                    f"step {self.step}: the {name}'s weights or their optimizer's state are not finite and not saved: "
                    "lower optimizer.lr, or add or weaken a penalty"
                )

    def load_latest(self, folder: Path) -> Path | None:
        """Restores the newest sound checkpoint in `folder` and returns its path; None if there is no checkpoint.

        A damaged one is renamed to `….damaged`, and the one before is taken.

        Raises:
            LsganError: there are only damaged ones, or the newest does not fit or is of another format version.
        """
        damaged = None
        for path in reversed(_checkpoints(folder)):
            try:
                self.load(path)
                return path
            except DamagedCheckpointError as error:
                damaged = error
                log.warning("%s; going on from the one before", error)
                path.rename(path.with_name(f"{path.name}.damaged"))
        if damaged is not None:
            raise LsganError(f"{folder} holds no sound checkpoint: start another run") from damaged
        return None

    def load(self, path: Path) -> None:
        """Restores a checkpoint written by `save`.

        Raises:
            LsganError: not a checkpoint of this project, of another format version, or of other networks.
        """
        content = load_checkpoint(path)
        try:
            self.restore(content)
        except (RuntimeError, ValueError, KeyError) as error:
            raise LsganError(f"{path} does not fit the run's config: {' '.join(str(error).split())}") from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU. Nothing in the file is executed.

    Raises:
        DamagedCheckpointError: its checksum is wrong, or it is not a checkpoint of this project.
        LsganError: it is of another format version.
    """
    checksum = checksum_path(path)
    if checksum.exists() and checksum.read_text().split()[0] != _sha256(path):
        raise DamagedCheckpointError(f"{path} is damaged, it does not have its checksum")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        version = content["format_version"]
    except Exception as error:  # torch.load raises nearly anything on a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedCheckpointError(f"{path} is not a readable checkpoint ({reason})") from error
    if version != FORMAT_VERSION:
        raise LsganError(f"{path} has checkpoint format {version}; this version of lsgan reads {FORMAT_VERSION}")
    return content


def latest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of the largest step."""
    return max(_checkpoints(folder), key=_step, default=None)


def checksum_path(checkpoint: Path) -> Path:
    """Where the checksum of a checkpoint is."""
    return checkpoint.with_name(f"{checkpoint.name}.sha256")


def link_checkpoint(path: Path, name: Path) -> None:
    """Gives a checkpoint a second name that stays when the first one is deleted; replaces what had it."""
    unfinished = name.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    try:
        unfinished.hardlink_to(path)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, unfinished)
    digest = checksum_path(path).read_text().split()[0]
    write_atomically(checksum_path(name), f"{digest}  {name.name}\n")
    unfinished.replace(name)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _checkpoints(folder: Path) -> list[Path]:
    return sorted((path for path in folder.glob("step-*.pt") if re.fullmatch(r"step-\d+", path.stem)), key=_step)


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))
