"""Standard output and error of a command, which may be poor (no χ), full, closed, or unread; progress bars."""

import errno
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sized
from contextlib import suppress
from typing import Any, TextIO, TypeVar

Batch = TypeVar("Batch", bound=Sized)


class _Undemanding(io.FileIO):
    """A file that takes everything: what does not reach it is lost, and nobody is told.

    The reader of a pipe may leave, a terminal may close, a disk may be full; those who write have work to finish.
    """

    def write(self, content: Any) -> int:
        with suppress(OSError):
            written = super().write(content)
            if written is not None:  # else it is a pipe that is full and does not wait
                return written
        return memoryview(content).nbytes


def make_undemanding() -> None:
    """From here on nothing that is printed, by anybody in this process, raises an error; once a process.

    What the encoding lacks is escaped (`\\u03c7`). Where somebody has put something else in the place of the standard
    streams, a notebook or a test, that stays.
    """
    for number in (0, 1, 2):
        _make_open(number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is getattr(sys, f"__{name}__"):
            setattr(sys, name, _undemanding(getattr(sys, name)))


def _make_open(number: int) -> None:
    """Else a descriptor that is closed (`>&-`) is given to the next file, and what libraries print gets into that."""
    try:
        os.fstat(number)
    except OSError as error:
        if error.errno == errno.EBADF:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)


def _undemanding(stream: Any) -> TextIO:
    if stream is None:  # it was closed when Python started
        return open(os.devnull, "w", encoding="utf-8")
    with suppress(OSError):
        stream.flush()
    if type(getattr(stream.buffer, "raw", stream.buffer)) is not io.FileIO:  # a console of Windows
        stream.reconfigure(errors="backslashreplace")
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(_Undemanding(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering or stream.write_through,  # the latter under `python -u`
    )


def watched(batches: Iterable[Batch], told: str, num: int) -> Iterator[Batch]:
    """The batches, and a progress bar beside them where somebody looks at a terminal.

    Args:
        batches: each with a length.
        told: what they are.
        num: samples in all of them.
    """
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(told, total=num)
        for batch in batches:
            yield batch
            progress.advance(task, len(batch))
