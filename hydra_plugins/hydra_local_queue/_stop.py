"""Ctrl-C and its like, counted instead of obeyed."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")  # the last two: a cluster that is about to end a job
NUMBERS = tuple(int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name))


class Stop:
    """What has been asked for so far."""

    def __init__(self) -> None:
        self.number: int | None = None  # of the last signal
        self.times = 0

    def ask(self, number: int, frame: FrameType | None = None) -> None:
        self.number, self.times = number, self.times + 1

    @property
    def exit_code(self) -> int:
        """As a shell reports it."""
        return 128 + (self.number or 0)


@contextmanager
def requests() -> Iterator[Stop]:
    """Signals that ask for an end are counted in the block; what the process ignores (`nohup`) stays ignored."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in NUMBERS}
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}
    for number in before:
        signal.signal(number, stop.ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
