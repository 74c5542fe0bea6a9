"""Files that are whole or not there, whatever kills the process, and locks that die with their holder."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes the file beside its place and renames it. Text is UTF-8; what cannot be encoded is escaped."""
    if isinstance(content, str):
        content = content.encode(errors="backslashreplace")
    unfinished = path.with_name(f"{path.name}.new")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Makes a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def lock(path: Path, what_for: str) -> Iterator[None]:
    """Held by one process at a time; another says that it waits, and for what."""
    held = FileLock(path)
    try:
        held.acquire(timeout=0)
    except Timeout:
        log.info("another process is %s: waiting for it", what_for)
        held.acquire()
    try:
        yield
    finally:
        held.release()
