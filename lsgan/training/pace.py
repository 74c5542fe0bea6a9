"""Notices that CPU threads wait for each other more than they work, and does with one.

It happens where other work comes to the machine while a training runs: a core that is taken away keeps the others
spinning (docs/speed.md). At the start `lsgan/threads.py` asks how many cores are free.
"""

import logging
import statistics
from collections import deque

import torch

from lsgan.training.machine import Machine

log = logging.getLogger(__name__)

_WARM_UP = 3  # steps that allocate, and choose algorithms
_FIRST, _RECENT = 20, 10  # steps that are compared, by their medians
_TIMES_SLOWER = 4.0
_SECONDS = 2.0  # that the recent steps must have taken: a short hitch is none of it


class Pace:
    """The durations of steps; one object a training.

    The number of threads stays where it was set (`runtime.threads`, OMP_NUM_THREADS), or the same bits are wanted.

    Args:
        machine: that trains.
    """

    def __init__(self, machine: Machine) -> None:
        self._may_change = machine.runtime.threads is None and not machine.runtime.deterministic
        self._watches = machine.device.type == "cpu"
        self._first: list[float] = []
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._steps, self._told = 0, False

    def note(self, seconds: float) -> None:
        """The next step took so long. When steps crawl, it says so, once, and trains on with one thread if it may."""
        self._steps += 1
        if self._told or not self._watches or self._steps <= _WARM_UP:
            return
        if len(self._first) < _FIRST:
            self._first.append(seconds)
            return
        self._recent.append(seconds)
        if self._crawls():
            self._told = True
            self._change()

    def _crawls(self) -> bool:
        if torch.get_num_threads() == 1 or len(self._recent) < _RECENT or sum(self._recent) < _SECONDS:
            return False
        return statistics.median(self._recent) > _TIMES_SLOWER * statistics.median(self._first)

    def _change(self) -> None:
        slower = statistics.median(self._recent) / statistics.median(self._first)
        what = f"steps take {slower:.0f} times as long as the first ones: something else keeps the CPU busy"
        if self._may_change:
            torch.set_num_threads(1)
            log.warning(
                "%s; training on with one thread, which waits for no other (runtime.threads=<number> keeps it)", what
            )
        else:
            log.warning("%s; runtime.threads=1 waits for no other thread", what)
