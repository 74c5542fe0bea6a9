"""The training loop, from top to bottom."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lsgan.data.batches import Batches
from lsgan.data.dataset import Dataset
from lsgan.errors import CollapsedError
from lsgan.latents import Latent
from lsgan.losses import Loss
from lsgan.penalties import Penalty
from lsgan.streams import stream, uniform
from lsgan.tracking.tracker import Record, Tracker
from lsgan.training.collapse import CollapseWatch, diversity
from lsgan.training.distributed import Ranks
from lsgan.training.interrupt import Stop, stop_after_step
from lsgan.training.saver import Saver
from lsgan.training.state import TrainState
from lsgan.training.steps import (
    DiscriminatorStep,
    NonFiniteLossError,
    discriminator_step,
    generator_step,
    gradient_norm,
)


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


ALONE = Ranks()


def train(
    state: TrainState,
    problem: Problem,
    schedule: Schedule,
    device: torch.device,
    tracker: Tracker,
    checkpoints: Path | None,
    ranks: Ranks = ALONE,
    watch: CollapseWatch | None = None,
) -> None:
    """Trains from `state.step` to `schedule.steps`, logging to `tracker`, saving to the folder `checkpoints`.

    Each rank of several has its part of every batch; rank 0 alone makes pictures, saves and watches, the others have no
    `checkpoints` and no `watch`. The watch has seen the rows of the steps before; None watches for nothing.

    Ctrl-C or SIGTERM finishes the step (of several ranks, the next one), saves it and then raises KeyboardInterrupt or
    TerminatedError; a second one ends the process at once. When a checkpoint cannot be written, training goes on and
    tries again.

    Raises:
        LsganError: the last checkpoint could not be written.
        NonFiniteLossError: a loss or a gradient became NaN or infinite; the last checkpoint stays.
        CollapsedError: the watch raised its alarm and stops the run, its step saved (of several ranks, the next).
    """
    if watch is not None and watch.stops and watch.alarm is not None:
        raise CollapsedError(f"the run has collapsed ({watch.alarm}): add on_collapse=warn to go on all the same")
    with stop_after_step() as stop:
        _train(state, problem, schedule, device, tracker, checkpoints, ranks, watch, stop)
    if isinstance(stop.error, CollapsedError) or state.step < schedule.steps:
        raise stop.error or KeyboardInterrupt  # asked for here, or on another rank


def _train(
    state: TrainState,
    problem: Problem,
    schedule: Schedule,
    device: torch.device,
    tracker: Tracker,
    checkpoints: Path | None,
    ranks: Ranks,
    watch: CollapseWatch | None,
    stop: Stop,
) -> None:
    shown = _shown(problem, schedule, device)
    is_main = ranks.world.is_main
    if state.step == 0 and is_main:
        tracker.log(Record(0, pictures={"real": problem.dataset.real_picture(_real_samples(problem, device))}))
    saver = None
    if checkpoints is not None:
        saver = Saver(checkpoints, schedule.keep_checkpoints, schedule.best_metric, schedule.best_mode)
    clock, images_timed, stopping = time.perf_counter(), 0, False
    while state.step < schedule.steps and not stopping:
        try:
            seen, generator_loss = train_step(state, problem, schedule, device, ranks)
        except NonFiniteLossError as error:
            raise NonFiniteLossError(f"step {state.step + 1}: {error}") from None
        images_timed += schedule.batch_size
        is_last = state.step == schedule.steps
        scalars, pictures, histograms, alarm = {}, {}, {}, None
        is_logged, is_shown, saves = (
            is_last or state.step % every == 0
            for every in (schedule.log_every, schedule.sample_every, schedule.checkpoint_every)
        )
        is_logged |= saves and schedule.best_metric is not None
        if is_logged or is_shown:
            seen, generator_loss = _of_all_ranks(seen, generator_loss, ranks)
        if is_logged:
            scalars = _scalars(state, seen, generator_loss, ranks)
            now = time.perf_counter()
            scalars["images_per_second"] = images_timed / (now - clock)
            clock, images_timed = now, 0
            alarm = watch.see({"step": state.step, **scalars}) if watch is not None else None
            if alarm is not None and watch is not None and watch.stops:
                stop.error = CollapsedError(f"step {state.step}: {alarm}")
        stopping = ranks.stopping(stop)
        if is_shown and is_main:
            pictures["samples"] = problem.dataset.picture(state.generator_ema.module(*shown))
            histograms = {"logits/real": _values(seen.real_logits), "logits/fake": _values(seen.fake_logits)}
        if scalars or pictures or stopping:
            tracker.log(Record(state.step, scalars, pictures, histograms, alarm))
        if saver is not None:
            saver.after_step(state, scalars if saves else {}, due=saves or stopping)
    if saver is not None:
        saver.finish(state)


def train_step(
    state: TrainState, problem: Problem, schedule: Schedule, device: torch.device, ranks: Ranks = ALONE
) -> tuple[DiscriminatorStep, Tensor]:
    """`discriminator_steps` updates of D, one of G and of its average; returns the last D step and G's loss.

    The last batch of fakes serves D and G both, as in the paper's loop: the same z, and G does not
    change in between.
    """
    for i in range(schedule.discriminator_steps):
        index = state.step * schedule.discriminator_steps + i
        real, labels = problem.batches.batch(index, device)
        condition = (labels,) if problem.conditional and labels is not None else ()
        z = problem.latent.sample(schedule.batch_size, stream(schedule.seed, "z", index))
        z = z[ranks.world.part(schedule.batch_size)].to(device)
        with torch.set_grad_enabled(i == schedule.discriminator_steps - 1):
            fake = state.generator(z, *condition)
        noise = uniform(stream(schedule.seed, "penalty", index), ranks.world)
        seen = discriminator_step(
            state.discriminator,
            state.discriminator_optimizer,
            problem.loss,
            problem.penalty,
            real,
            fake,
            noise,
            condition,
            ranks.discriminator_backward,
        )
    generator_loss = generator_step(
        state.discriminator, state.generator_optimizer, problem.loss, fake, condition, ranks.generator_backward
    )
    state.step += 1
    state.generator_ema.update(state.generator, schedule.batch_size, state.step * schedule.batch_size)
    return seen, generator_loss


def _of_all_ranks(seen: DiscriminatorStep, generator_loss: Tensor, ranks: Ranks) -> tuple[DiscriminatorStep, Tensor]:
    """The losses and logits of the global batch from those of each rank's part."""
    losses = ranks.gather(torch.stack([seen.loss, seen.penalty, generator_loss])[None]).mean(0)
    logits = (ranks.gather(seen.real_logits), ranks.gather(seen.fake_logits))
    return DiscriminatorStep(losses[0], losses[1], *logits, seen.real, seen.fake), losses[2]


def _shown(problem: Problem, schedule: Schedule, device: torch.device) -> tuple[Tensor, ...]:
    """G's inputs for the sample pictures, the same throughout the run."""
    labels = problem.dataset.labels_shown if problem.conditional else None
    num = problem.dataset.samples_shown if labels is None else len(labels)
    z = problem.latent.sample(num, stream(schedule.seed, "samples")).to(device)
    return (z,) if labels is None else (z, labels.to(device))


# The columns of metrics.jsonl beside `step`.
COLUMNS = (
    "diversity/fake",
    "diversity/real",
    "gradient_norm/discriminator",
    "gradient_norm/generator",
    "images_per_second",
    "logits/fake_mean",
    "logits/fake_std",
    "logits/real_mean",
    "logits/real_std",
    "loss/discriminator",
    "loss/generator",
    "loss/penalty",
)


def _scalars(state: TrainState, seen: DiscriminatorStep, generator_loss: Tensor, ranks: Ranks) -> dict[str, float]:
    values = {
        "loss/discriminator": seen.loss,
        "loss/generator": generator_loss,
        "loss/penalty": seen.penalty,
        "logits/real_mean": seen.real_logits.mean(),
        "logits/real_std": seen.real_logits.std(correction=0),
        "logits/fake_mean": seen.fake_logits.mean(),
        "logits/fake_std": seen.fake_logits.std(correction=0),
        "gradient_norm/discriminator": gradient_norm(state.discriminator.parameters()),
        "gradient_norm/generator": gradient_norm(state.generator.parameters()),
        "diversity/real": diversity(seen.real, ranks.gather),
        "diversity/fake": diversity(seen.fake, ranks.gather),
    }
    return {name: value.item() for name, value in values.items()}


def _real_samples(problem: Problem, device: torch.device) -> Tensor:
    """As many real samples as a picture shows: those of the first batches."""
    batches: list[Tensor] = []
    while sum(map(len, batches)) < problem.dataset.samples_shown:
        batches.append(problem.batches.batch(len(batches), device).samples)
    return torch.cat(batches)[: problem.dataset.samples_shown]


def _values(logits: Tensor) -> npt.NDArray[np.float32]:
    return logits.float().flatten().cpu().numpy()
