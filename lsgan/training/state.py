"""All that a training changes: a step, and named parts that tell and take back their state."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from lsgan.errors import LsganError, NonFiniteError
from lsgan.training.ema import Ema
from lsgan.training.optimizer_state import load_optimizer_state


class Stateful(Protocol):
    """What PyTorch's modules and optimizers are, and any other part of a training may be."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values, nested; a checkpoint holds nothing else."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


@dataclass
class TrainState:
    """Networks, their average, optimizers and the step. Order of data and noise needs no state (streams.py).

    It is itself what a checkpoint holds of it.

    Args:
        generator: z [N, z_dim] -> samples.
        discriminator: samples -> logits [N, 1].
        generator_ema: G's average.
        generator_optimizer: of G's parameters.
        discriminator_optimizer: of D's.
        step: G updates so far.
        further: parts that some trainings have besides, by name.
    """

    generator: nn.Module
    discriminator: nn.Module
    generator_ema: Ema
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    step: int = 0
    further: dict[str, Stateful] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, Stateful]:
        """Everything but the step, by the names that checkpoints use."""
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_ema": self.generator_ema,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
            **self.further,
        }

    def state_dict(self) -> dict[str, Any]:
        """{"step": int, "parts": {name: state}}."""
        return {"step": self.step, "parts": {name: part.state_dict() for name, part in self.parts.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Becomes what `state` was made from, but for the optimizers' settings: they stay those of now.

        Raises:
            LsganError: a part does not fit.
        """
        parts, saved = self.parts, state["parts"]
        if parts.keys() != saved.keys():
            raise LsganError(f"it holds {', '.join(sorted(saved))}, and the run has {', '.join(sorted(parts))}")
        for name, part in parts.items():
            try:
                if isinstance(part, torch.optim.Optimizer):
                    load_optimizer_state(part, saved[name], has_stepped=state["step"] > 0)
                else:
                    part.load_state_dict(saved[name])
            except (RuntimeError, ValueError, KeyError, TypeError, LsganError) as error:
                raise LsganError(f"{name}: {' '.join(str(error).split())}") from error
        self.step = state["step"]

    def check_finite(self) -> None:
        """Of the weights and what the optimizers remember.

        Raises:
            NonFiniteError: one is NaN or infinite.
        """
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
