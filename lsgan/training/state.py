"""All that a training changes, and its checkpoints."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lsgan.errors import LsganError
from lsgan.training.ema import Ema

FORMAT_VERSION = 1


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
        """Writes folder/step-NNNNNN.pt, whole or not at all, and deletes all but the `keep` newest."""
        folder.mkdir(exist_ok=True)
        path = folder / f"step-{self.step:06d}.pt"
        unfinished = path.with_suffix(".part")
        with open(unfinished, "wb") as file:
            torch.save(self.content(), file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        for old in _checkpoints(folder)[:-keep]:
            old.unlink()
        return path

    def load_latest(self, folder: Path) -> Path:
        """Restores the newest checkpoint in `folder` and returns its path.

        Raises:
            LsganError: there is none, or it does not fit.
        """
        path = latest_checkpoint(folder)
        if path is None:
            raise LsganError(f"{folder} holds no checkpoint: there is nothing to go on from, start the run again")
        self.load(path)
        return path

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
        LsganError: the file is not a checkpoint of this project, or of another format version.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        version = content["format_version"]
    except Exception as error:  # torch.load raises nearly anything on a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LsganError(
            f"{path} is not a readable checkpoint ({reason}): delete it to go on from the one before"
        ) from error
    if version != FORMAT_VERSION:
        raise LsganError(f"{path} has checkpoint format {version}; this version of lsgan reads {FORMAT_VERSION}")
    return content


def latest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of the largest step."""
    return max(_checkpoints(folder), key=_step, default=None)


def _checkpoints(folder: Path) -> list[Path]:
    return sorted((path for path in folder.glob("step-*.pt") if re.fullmatch(r"step-\d+", path.stem)), key=_step)


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))
