"""What a training is about: the problem, its schedule, and what each update of D is computed from."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from lsgan.data.batches import Batches
from lsgan.data.dataset import Dataset
from lsgan.latents import Latent
from lsgan.losses import Loss
from lsgan.penalties import Penalty
from lsgan.streams import stream
from lsgan.training.steps import Condition
from lsgan.world import ALONE, World


@dataclass(frozen=True)
class Schedule:
    """How long, how much at a time, and how often to look. All in steps, a step being one G update."""

    steps: int
    batch_size: int
    seed: int
    discriminator_steps: int
    log_every: int
    sample_every: int
    checkpoint_every: int
    keep_checkpoints: int
    best_metric: str | None = None  # a column of metrics.jsonl
    best_mode: str = "min"


class Problem(NamedTuple):
    """What is trained on what."""

    loss: Loss
    penalty: Penalty
    latent: Latent
    dataset: Dataset
    batches: Batches
    conditional: bool = False  # the networks take labels


class Inputs(NamedTuple):
    """What an update of D is computed from, on the device; the last of a step also serves G."""

    real: Tensor  # [N, *shape]
    z: Tensor  # [N, z_dim]
    condition: Condition

    def first(self, num: int) -> "Inputs":
        """Those of the first `num` samples."""
        return Inputs(self.real[:num], self.z[:num], tuple(labels[:num] for labels in self.condition))


def inputs(index: int, problem: Problem, schedule: Schedule, device: torch.device, world: World = ALONE) -> Inputs:
    """Those of D's update `index`, a function of (seed, index); of several ranks, this one's part."""
    part = world.part(schedule.batch_size)
    real, labels = problem.batches.batch(index, device, part)
    z = problem.latent.sample(schedule.batch_size, stream(schedule.seed, "z", index))[part]
    if device.type == "cuda":
        z = z.pin_memory()
    condition = (labels,) if problem.conditional and labels is not None else ()
    return Inputs(real, z.to(device, non_blocking=True), condition)


T = TypeVar("T")


class Prefetched(Generic[T]):
    """The values of a function of an index, each prepared by a thread while the one before is in use.

    Args:
        prepare: the function.
        thread: calls it.
    """

    def __init__(self, prepare: Callable[[int], T], thread: Executor) -> None:
        self._prepare, self._thread = prepare, thread
        self._next: tuple[int, Future[T]] | None = None

    def __call__(self, index: int) -> T:
        """The value at `index`; the one at `index + 1` is begun."""
        begun, future = self._next or (None, None)
        value = future.result() if future is not None and begun == index else self._prepare(index)
        self._next = (index + 1, self._thread.submit(self._prepare, index + 1))
        return value
