"""The training loop, from top to bottom."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from lsgan.errors import LsganError, NonFiniteError
from lsgan.observe.observer import Finding, Observers, Seen
from lsgan.tracking.tracker import Record, Tracker
from lsgan.training.checkpoints import Checkpoints
from lsgan.training.gan import Gan, Inputs
from lsgan.training.interrupt import stop_after_step
from lsgan.training.memory import is_out_of_memory, too_large
from lsgan.training.prefetch import prefetched
from lsgan.training.view import Clock, looking


def train(gan: Gan, observers: Observers, tracker: Tracker, checkpoints: Checkpoints | None, steps: int) -> None:
    """Trains from the GAN's step to step `steps`.

    Each rank of several has its part of every batch, and the same observers; rank 0 alone has `checkpoints`, and its
    tracker alone hears anything.

    Ctrl-C or SIGTERM finishes the step (of several ranks, the next one), saves it and then raises KeyboardInterrupt or
    TerminatedError; a second one ends the process at once. When a checkpoint cannot be written, training goes on and
    tries again.

    Raises:
        LsganError: the last checkpoint could not be written, the batch does not fit into the memory, or an observer
            stops the run, its step saved (of several ranks, the next).
        NonFiniteError: an observer saw a loss or a gradient that is NaN or infinite, or a weight is where it was to be
            saved; the last checkpoint, if there is one, stays.
    """
    state, machine, clock = gan.state, gan.machine, Clock(gan)
    with _telling_what_stays(checkpoints), stop_after_step() as stop, prefetched(gan.inputs, machine) as inputs:
        if state.step == 0:
            with clock.paused():
                tracker.log(_record(0, observers.begin(looking(gan, clock))))
        stopping = False
        while state.step < steps and not stopping:
            seen = _step(gan, inputs)
            clock.tick()
            is_last = state.step == steps
            due = observers.due(state.step, is_last)
            saves = checkpoints is not None and checkpoints.are_due(state.step)
            with clock.paused() if due or saves else nullcontext():
                finding = observers.see(looking(gan, clock, seen, is_last=is_last), due)
                stop.error = finding.stop or stop.error
                stopping = machine.stopping(stop)
                if finding or stopping:
                    tracker.log(_record(state.step, finding))
                if checkpoints is not None:
                    checkpoints.after_step(state, is_last or stopping, finding.best)
                if due:
                    machine.wait_for_main()
        if checkpoints is not None:
            checkpoints.finish(state)
    if isinstance(stop.error, LsganError) or state.step < steps:
        raise stop.error or KeyboardInterrupt  # asked for here, or on another rank


@contextmanager
def _telling_what_stays(checkpoints: Checkpoints | None) -> Iterator[None]:
    try:
        yield
    except NonFiniteError as error:
        if checkpoints is None:  # rank 0 knows
            raise
        raise NonFiniteError(f"{error}; {checkpoints.kept}") from error


def _record(step: int, found: Finding) -> Record:
    return Record(step, found.scalars, found.pictures, found.histograms, found.warnings, found.summary, found.labels)


def _step(gan: Gan, inputs: Callable[[int], Inputs]) -> Seen:
    """`gan.step`; if the memory does not suffice, an LsganError that tells how large a batch may be."""
    try:
        return gan.step(inputs)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # The failed step's tensors are gone only here, behind the handler. The trials below spoil the state: nothing is
    # saved from now on. On the CPU there are none: some of its kernels crash when they get no memory.
    index = gan.state.step * gan.recipe.discriminator_steps

    def train_on(size: int) -> None:
        gan.step(lambda _: inputs(index).first(size))

    can_try = gan.machine.device.type == "cuda" and gan.machine.world.size == 1
    raise too_large(gan.recipe.batch_size, train_on if can_try else None)
