"""How much memory a training takes, how to keep it from being given back, and how to tell that it is too little."""

import ctypes
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from lsgan.errors import LsganError

if sys.platform != "win32":
    import resource

# Parameters of glibc's mallopt(3).
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> bool:
    """Lets malloc keep the pages of freed tensors instead of giving them back; returns whether it could be told so.

    By default glibc maps large tensors afresh in every step, and the kernel fills each page with zeros first: a tenth
    of a step's time on a CPU, or much more. In exchange the process may hold a quarter more at its peak.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return False
    if not (mallopt(_M_MMAP_THRESHOLD, 2**30) or mallopt(_M_MMAP_THRESHOLD, 2**25)):  # older ones take no more
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, 2**31 - 1) and mallopt(_M_TOP_PAD, 2**26))


def peak_bytes(device: torch.device) -> int | None:
    """The most memory so far: what PyTorch held on a GPU, else what this process did; None where nobody counts."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return None
    status = Path("/proc/self/status")  # getrusage counts what the parent process held, too
    held = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE) if status.exists() else None
    if held is not None:
        return int(held[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def available_bytes() -> int:
    """The most that this process may ever have: of the machine, of its control group and of its own limit."""
    found = [sys.maxsize]
    if hasattr(os, "sysconf"):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")):
        with suppress(OSError, ValueError):  # `max` is no number
            found.append(int(path.read_text()))
    if sys.platform != "win32":
        found.append(resource.getrlimit(resource.RLIMIT_AS)[0])
    return min(num for num in found if num > 0)


@contextmanager
def enough_for(settings: str) -> Iterator[None]:
    """In the body an allocation that fails is one sentence; `settings` are those that memory grows with.

    Raises:
        LsganError: the memory does not suffice.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise LsganError(f"the memory does not suffice: make something smaller ({settings})") from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether the device, or the machine, had too little memory."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error)
        for words in (
            "can't allocate memory",
            "Storage size calculation overflowed",  # of a tensor that no machine could hold
            "numel: integer multiplication overflow",
            "std::bad_alloc",
            "CUDA error: out of memory",  # of what PyTorch's allocator does not hand out
            "CUBLAS_STATUS_ALLOC_FAILED",
            "CUDNN_STATUS_ALLOC_FAILED",
        )
    )


def too_large(batch_size: int, train_on: Callable[[int], object] | None) -> LsganError:
    """What to say of a batch that did not fit.

    Args:
        batch_size: of it.
        train_on: tries another batch size, to find one that fits; None where nobody can try.
    """
    largest = None if train_on is None else _largest_that_fits(train_on, batch_size)
    fix = "make it smaller, or the network" if largest is None else f"set batch_size={largest}, which fits"
    return LsganError(f"batch_size={batch_size} does not fit into the memory: {fix}")


def _largest_that_fits(train_on: Callable[[int], object], batch_size: int) -> int | None:
    """The largest half, quarter, … of `batch_size` that `train_on` has memory for; None if there is none."""
    size = batch_size // 2
    while size > 1:  # batch norm needs two samples
        try:
            train_on(size)
            return size
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        torch.cuda.empty_cache()
        size //= 2
    return None
