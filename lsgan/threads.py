"""How many CPU threads a training takes: as many as cores are free, so that it neither waits nor crawls.

PyTorch's OpenMP threads spin while they wait for each other. Where a core is busy with something else, the others spin
until it comes back, and a run crawls at a small fraction of its speed (docs/speed.md). So the number must follow what
is free, and be known before PyTorch is imported: its pool of threads is made then.
"""

import math
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

_STAT = Path("/proc/stat")
_TICKS = 100  # of /proc/stat a second, on every Linux
_LEAST_SECONDS = 0.2  # of watching, below which a tick more or less decides
_NOISE = 0.25  # of a core: what any machine does beside


def at_most(wanted: int) -> int:
    """`wanted` threads, or fewer: what a variable of the environment allows, and one a core."""
    return min(wanted, told() or wanted, len(_cores()))


@dataclass(frozen=True)
class Load:
    """What other processes do on the cores that this one may use; watched from the moment this object is made."""

    _since: float = field(default_factory=time.monotonic)
    _busy: float | None = field(default_factory=lambda: _busy_seconds())
    _own: float = field(default_factory=time.process_time)

    def __reduce__(self) -> "tuple[type[Load], tuple[()]]":
        """What is sent to another process, perhaps on another machine, watches that one from its start there."""
        return Load, ()

    def busy_cores(self) -> float:
        """How many cores others kept busy since then, on average; at least 0.2 s are watched."""
        time.sleep(max(0.0, _LEAST_SECONDS - (time.monotonic() - self._since)))
        busy = _busy_seconds()
        if self._busy is None or busy is None:
            return max(0.0, os.getloadavg()[0] - 1) if hasattr(os, "getloadavg") else 0.0
        seconds = time.monotonic() - self._since
        return max(0.0, (busy - self._busy - (time.process_time() - self._own)) / seconds)


def choose(load: Load, wanted: int | None) -> list[str]:
    """Sets the environment for PyTorch's threads before it is imported; returns what to tell people: a line, or none.

    Args:
        load: of the machine.
        wanted: `runtime.threads`; None leaves the number to this function. A variable OMP_NUM_THREADS goes before it.
    """
    cores = len(_cores())
    if told() is not None or cores == 1 or wanted == 1:
        return []
    busy = load.busy_cores()
    taken = math.ceil(busy - _NOISE)
    if taken < 1:
        return []
    if wanted is not None:  # threads that sleep while they wait cost some speed and leave the bits as they are
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        return [f"other processes keep {busy:.1f} of {cores} cores busy: the {wanted} threads sleep while they wait"]
    threads = max(1, cores - taken)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    return [
        f"other processes keep {busy:.1f} of {cores} cores busy: training with {threads} "
        f"thread{'s' if threads > 1 else ''} (runtime.threads=<number> sets it)"
    ]


def told() -> int | None:
    """The number of threads in the environment."""
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(told) if told.isdecimal() and int(told) > 0 else None


def _cores() -> set[int]:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _busy_seconds() -> float | None:
    """How long these cores have been busy since the machine was started, summed; None where nobody counts."""
    try:
        lines = _STAT.read_text().splitlines()
    except OSError:
        return None
    names, total = {f"cpu{core}" for core in _cores()}, 0
    for line in lines:
        name, *ticks = line.split()
        if name in names:
            user, nice, system, _idle, _iowait, irq, softirq, *steal = map(int, ticks[:8])
            total += user + nice + system + irq + softirq + sum(steal)
    return total / _TICKS
