"""Ctrl-C and SIGTERM as a request."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lsgan.errors import TerminatedError

_RAISES = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: TerminatedError}


class Stop:
    """What somebody has asked for; nothing at first."""

    error: BaseException | None = None

    def is_set(self) -> bool:
        return self.error is not None


@contextmanager
def stop_after_step() -> Iterator[Stop]:
    """A request that the first Ctrl-C or SIGTERM sets instead of ending the process; the second ends it as ever.

    What the process ignores, as a job in the background does Ctrl-C (`nohup … &`), stays ignored.
    A block that ends well although it was asked to stop raises KeyboardInterrupt or TerminatedError. Outside the
    main thread, where Python allows no signal handlers, the request is never set.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in _RAISES}
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(number: int, frame: FrameType | None) -> None:
        stop.error = _RAISES[signal.Signals(number)]()
        restore()

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        restore()
