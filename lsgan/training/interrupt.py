"""Ctrl-C, SIGTERM and their like as a request."""

import signal
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import FrameType

from lsgan.errors import TerminatedError

# How people, schedulers and terminals ask a process to end; Windows knows the first two.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
_SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
_HANGUP = getattr(signal, "SIGHUP", None)
_ECHO_SECONDS = 1.0


class Stop:
    """What somebody has asked for; nothing at first."""

    error: BaseException | None = None

    def is_set(self) -> bool:
        return self.error is not None


@contextmanager
def stop_after_step() -> Iterator[Stop]:
    """A request that the first Ctrl-C, SIGTERM, SIGHUP, SIGUSR1 or SIGUSR2 sets instead of ending the process.

    The second one meets what was there before, which ends the process as a rule. A hangup right behind the first is
    not a second one: when a terminal closes, both its shell and the system tell of it; systemd sends one after SIGTERM.
    Nor is another signal that somebody in this process listens to: clusters send SIGTERM and SIGUSR2 in either order.
    It is told to him by `hand_on`, as the first one is, when all has been saved.

    What the process ignores, as a job in the background does Ctrl-C (`nohup … &`), stays ignored.
    A block that ends well although it was asked to stop raises KeyboardInterrupt or TerminatedError. Outside the
    main thread, where Python allows no signal handlers, the request is never set.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    listened_to = {number for number, handler in before.items() if callable(handler) and number != signal.SIGINT}
    asked_at: float | None = None

    def restore(but: Collection[int | None] = ()) -> None:
        for number, handler in before.items():
            if number not in but:
                signal.signal(number, handler)

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked_at
        if asked_at is None:
            asked_at = time.monotonic()
            stop.error = KeyboardInterrupt() if number == signal.SIGINT else TerminatedError(number)
            restore(but={_HANGUP, *listened_to} - {number if number != _HANGUP else None})
        elif number != _HANGUP and isinstance(stop.error, TerminatedError):
            stop.error.numbers.append(number)
            signal.signal(number, before[number])
        elif time.monotonic() - asked_at > _ECHO_SECONDS:
            restore()
            signal.raise_signal(number)

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        restore()


def hand_on(error: TerminatedError) -> None:
    """Tells who listened to the signals before the training did, now that all is saved and closed.

    submitit does, the package that brings sweeps to SLURM: its handler queues the job again, and ends the process.
    """
    for number in error.numbers:
        listener = signal.getsignal(number)
        if callable(listener):
            listener(number, None)
