"""Notices that CPU threads wait for each other more than they work, and does with one.

It happens where other work comes to the machine while a training runs: a core that is taken away keeps the others
spinning (docs/speed.md). At the start `lsgan/threads.py` asks how many cores are free.
"""

import logging
import statistics

import torch

from lsgan.training.machine import Machine

log = logging.getLogger(__name__)

_WARM_UP = 3  # steps that allocate, and choose algorithms
_FIRST = 20  # steps that others are compared with
_LEAST, _SECONDS = 10, 4.0  # of those others: so many, over so long
_SLOWEST = 0.1  # of the steps, left out of a mean
_MOST_SLOWER = 1.5  # times, most steps; else it is a few that take long
_TIMES_SLOWER = 2.5  # where one thread does better: beside one busy core two were 3.4 times as slow as alone, one 1.5


class Pace:
    """The durations of steps; one object a training.

    The number of threads stays where it was set (`runtime.threads`, OMP_NUM_THREADS), or the same bits are wanted.

    Args:
        machine: that trains.
    """

    def __init__(self, machine: Machine) -> None:
        self._may_change = machine.runtime.threads is None and not machine.runtime.deterministic
        self._watches = machine.device.type == "cpu"
        self._seen: list[float] = []
        self._best: float | None = None  # seconds a step
        self._steps, self._told = 0, False

    def note(self, seconds: float) -> None:
        """The next step took so long. When steps crawl, it says so, once, and trains on with one thread if it may."""
        self._steps += 1
        if self._told or not self._watches or self._steps <= _WARM_UP:
            return
        self._seen.append(seconds)
        if self._best is None:
            if len(self._seen) == _FIRST:
                self._best = self._mean()
        elif len(self._seen) >= _LEAST and sum(self._seen) >= _SECONDS:
            most, mean = statistics.median(self._seen), self._mean()
            self._best = min(self._best, mean)
            crawls = mean > _TIMES_SLOWER * self._best and most > _MOST_SLOWER * self._best
            if crawls and torch.get_num_threads() > 1:
                self._told = True
                self._change(mean / self._best)

    def _mean(self) -> float:
        """Of the steps seen since the last mean."""
        kept = sorted(self._seen)[: -round(_SLOWEST * len(self._seen))]
        self._seen.clear()
        return statistics.mean(kept)

    def _change(self, slower: float) -> None:
        what = f"steps take {slower:.1f} times as long as before: something else keeps the CPU busy"
        if self._may_change:
            torch.set_num_threads(1)
            log.warning(
                "%s; training on with one thread, which waits for no other (runtime.threads=<number> keeps it)", what
            )
        else:
            log.warning("%s; runtime.threads=1 waits for no other thread", what)
