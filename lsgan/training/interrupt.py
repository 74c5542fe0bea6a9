"""Ctrl-C, SIGTERM and their like as a request."""

import signal
import threading
import time
from collections.abc import Iterator
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
    asked_at: float | None = None

    def restore(but: int | None = None) -> None:
        for number, handler in before.items():
            if number != but:
                signal.signal(number, handler)

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked_at
        if asked_at is None:
            asked_at = time.monotonic()
            stop.error = KeyboardInterrupt() if number == signal.SIGINT else TerminatedError(number)
            restore(but=_HANGUP)
        elif time.monotonic() - asked_at > _ECHO_SECONDS:
            restore()
            signal.raise_signal(number)

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        restore()
