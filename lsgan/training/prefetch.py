"""The next batch is prepared while the networks are at the last one."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

from lsgan.training.machine import Machine

T = TypeVar("T")


class Prefetched(Generic[T]):
    """The values of a function of an index, each prepared by a thread while the one before is in use.

    Args:
        prepare: the function.
        thread: calls it.
    """

    def __init__(self, prepare: Callable[[int], T], thread: Executor) -> None:
        self._prepare, self._thread = prepare, thread
        self._next: tuple[int, Future[T]] | None = None

    def __call__(self, index: int) -> T:
        """The value at `index`; the one at `index + 1` is begun."""
        begun, future = self._next or (None, None)
        value = future.result() if future is not None and begun == index else self._prepare(index)
        self._next = (index + 1, self._thread.submit(self._prepare, index + 1))
        return value


@contextmanager
def prefetched(prepare: Callable[[int], T], machine: Machine) -> Iterator[Callable[[int], T]]:
    """The function `prepare` of an index, its values prepared ahead where a thread does not slow the networks down."""
    if not machine.has_idle_core:
        yield prepare
        return
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch", initializer=machine.enter_thread) as thread:
        yield Prefetched(prepare, thread)
