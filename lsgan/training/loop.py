"""The training loop, from top to bottom."""

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lsgan.errors import CollapsedError, NonFiniteError
from lsgan.streams import stream, uniform
from lsgan.tracking.tracker import Record, Tracker
from lsgan.training.collapse import CollapseWatch, diversity
from lsgan.training.distributed import Ranks
from lsgan.training.interrupt import Stop, stop_after_step
from lsgan.training.memory import is_out_of_memory, too_large
from lsgan.training.problem import Inputs, Prefetched, Problem, Schedule, inputs
from lsgan.training.runtime import Runtime
from lsgan.training.saver import Saver
from lsgan.training.state import TrainState
from lsgan.training.steps import DiscriminatorStep, discriminator_step, full_precision, generator_step, gradient_norm

ALONE = Ranks()


def train(
    state: TrainState,
    problem: Problem,
    schedule: Schedule,
    runtime: Runtime,
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
        LsganError: the last checkpoint could not be written, or the batch does not fit into the memory.
        NonFiniteError: a loss or a gradient was NaN or infinite at a logged step, or a weight where it was to be saved;
            the last checkpoint stays.
        CollapsedError: the watch raised its alarm and stops the run, its step saved (of several ranks, the next).
    """
    if watch is not None and watch.stops and watch.alarm is not None:
        raise CollapsedError(f"the run has collapsed ({watch.alarm}): add on_collapse=warn to go on all the same")
    with stop_after_step() as stop, ThreadPoolExecutor(1, thread_name_prefix="prefetch") as thread:
        device, world = runtime.torch_device, ranks.world
        prepare = partial(inputs, problem=problem, schedule=schedule, device=device, world=world)
        feed = Prefetched(prepare, thread) if runtime.has_idle_core else prepare
        _train(state, problem, schedule, runtime, feed, tracker, checkpoints, ranks, watch, stop)
    if isinstance(stop.error, CollapsedError) or state.step < schedule.steps:
        raise stop.error or KeyboardInterrupt  # asked for here, or on another rank


def _train(
    state: TrainState,
    problem: Problem,
    schedule: Schedule,
    runtime: Runtime,
    feed: Callable[[int], Inputs],
    tracker: Tracker,
    checkpoints: Path | None,
    ranks: Ranks,
    watch: CollapseWatch | None,
    stop: Stop,
) -> None:
    device, is_main = runtime.torch_device, ranks.world.is_main
    shown = _shown(problem, schedule, device)
    if state.step == 0 and is_main:
        tracker.log(Record(0, pictures={"real": problem.dataset.real_picture(_real_samples(problem, device))}))
    saver = None
    if checkpoints is not None:
        saver = Saver(checkpoints, schedule.keep_checkpoints, schedule.best_metric, schedule.best_mode)
    clock, images_timed, stopping = time.perf_counter(), 0, False
    while state.step < schedule.steps and not stopping:
        seen, generator_loss = _train_step_or_sentence(state, problem, schedule, runtime, feed, ranks)
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
    state: TrainState,
    problem: Problem,
    schedule: Schedule,
    runtime: Runtime,
    feed: Callable[[int], Inputs],
    ranks: Ranks = ALONE,
) -> tuple[DiscriminatorStep, Tensor]:
    """`discriminator_steps` updates of D, one of G and of its average; returns the last D step and G's loss.

    The last batch of fakes serves D and G both, as in the paper's loop: the same z, and G does not
    change in between. No value is read back in here.
    """
    for i in range(schedule.discriminator_steps):
        index = state.step * schedule.discriminator_steps + i
        real, z, condition = feed(index)
        with torch.set_grad_enabled(i == schedule.discriminator_steps - 1), runtime.autocast():
            fake = state.generator(z, *condition)
        fake = full_precision(fake)
        seen = discriminator_step(
            state.discriminator,
            state.discriminator_optimizer,
            problem.loss,
            problem.penalty,
            real,
            fake,
            uniform(stream(schedule.seed, "penalty", index), ranks.world),
            condition,
            ranks.discriminator_backward,
            runtime.autocast,
        )
    generator_loss = generator_step(
        state.discriminator,
        state.generator_optimizer,
        problem.loss,
        fake,
        condition,
        ranks.generator_backward,
        runtime.autocast,
    )
    state.step += 1
    state.generator_ema.update(state.generator, schedule.batch_size, state.step * schedule.batch_size)
    return seen, generator_loss


def _train_step_or_sentence(
    state: TrainState,
    problem: Problem,
    schedule: Schedule,
    runtime: Runtime,
    feed: Callable[[int], Inputs],
    ranks: Ranks,
) -> tuple[DiscriminatorStep, Tensor]:
    """`train_step`; if the memory does not suffice, an LsganError that tells how large a batch may be."""
    try:
        return train_step(state, problem, schedule, runtime, feed, ranks)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # The failed step's tensors are gone only here, behind the handler. The trials below spoil the state: nothing is
    # saved from now on. On the CPU there are none: some of its kernels crash when they get no memory.
    index = state.step * schedule.discriminator_steps

    def train_on(size: int) -> None:
        train_step(state, problem, schedule, runtime, lambda _: feed(index).first(size))

    can_try = runtime.torch_device.type == "cuda" and ranks.world.size == 1
    raise too_large(schedule.batch_size, train_on if can_try else None)


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
        "gradient_norm/discriminator": gradient_norm(state.discriminator.parameters()),
        "gradient_norm/generator": gradient_norm(state.generator.parameters()),
        "logits/real_mean": seen.real_logits.mean(),
        "logits/real_std": seen.real_logits.std(correction=0),
        "logits/fake_mean": seen.fake_logits.mean(),
        "logits/fake_std": seen.fake_logits.std(correction=0),
        "diversity/real": diversity(seen.real, ranks.gather),
        "diversity/fake": diversity(seen.fake, ranks.gather),
    }
    numbers = torch.stack([value.double() for value in values.values()]).tolist()  # the host waits once
    scalars = dict(zip(values, numbers, strict=True))
    for name, number in scalars.items():
        if not math.isfinite(number):
            raise NonFiniteError(
                f"step {state.step}: {name} is {number}: lower optimizer.lr, or add or weaken a penalty; the last "
                "checkpoint stays"
            )
    return scalars


def _real_samples(problem: Problem, device: torch.device) -> Tensor:
    """As many real samples as a picture shows: those of the first batches."""
    batches: list[Tensor] = []
    while sum(map(len, batches)) < problem.dataset.samples_shown:
        batches.append(problem.batches.batch(len(batches), device).samples)
    return torch.cat(batches)[: problem.dataset.samples_shown]


def _values(logits: Tensor) -> npt.NDArray[np.float32]:
    return logits.float().flatten().cpu().numpy()
