"""Files that are whole or not there, whatever kills the process, and locks that die with their holder."""

import errno
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lsgan.errors import LsganError

log = logging.getLogger(__name__)

# A full disk, a limit on the size of files, a quota, which Windows does not know.
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_REFUSALS = _NO_ROOM | {
    errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST,
}  # fmt: skip


def is_refusal(error: OSError) -> bool:
    """Whether a disk or a folder is the cause, which the user can mend, and no mistake of the code."""
    return error.errno in _REFUSALS


def refusal(error: OSError) -> str:
    """What the system would not do, and with which file: `No space left on device: runs/digits/r/config.yaml`."""
    place = error.filename2 or error.filename
    return f"{error.strerror or error}{f': {place}' if place else ''}"


def remedy(error: OSError) -> str:
    """What has to be done first: on a full disk, or one whose quota is used up, something else than elsewhere."""
    return "make room there" if error.errno in _NO_ROOM else "mend that"


def write_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Writes the file beside its place and renames it. Text is UTF-8; what cannot be encoded is escaped.

    A durable one is the old or the new one after a power cut, too. Syncing takes some disks a tenth of a second: a file
    that is written all the time, and that `read_small` reads, need not be.
    """
    if isinstance(content, str):
        content = content.encode(errors="backslashreplace")
    unfinished = path.with_name(f"{path.name}.new")
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(path)
        if durable:
            sync(path.parent)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def write_in_place(path: Path, content: str) -> None:
    """`write_atomically` for last words: a full disk, which takes no new file, takes them where the old ones are."""
    try:
        write_atomically(path, content)
    except OSError:
        with open(path, "r+b", buffering=0) as file:
            file.write(content.encode(errors="backslashreplace"))
            file.truncate()
            os.fsync(file.fileno())


def read_small(path: Path) -> str | None:
    """The text of a small file of ours; None if it is not there, and with a warning if it is empty or unreadable.

    What stands in such a file can be done without: one that a crash or a bad disk has spoilt must not end a run.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # ValueError: it is not UTF-8
        log.warning("%s cannot be read (%s): going on without it", path, getattr(error, "strerror", None) or error)
        return None
    if not text.strip("\0 \t\r\n"):  # some file systems leave zeros behind a crash
        log.warning("%s is empty: going on without it", path)
        return None
    return text


def sync(path: Path) -> None:
    """Makes a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_held(lock: Path) -> bool | None:
    """Whether a process holds the lock (a `FileLock`); None where that cannot be told.

    Looking shares the lock for an instant with others who look: whoever wants to hold it must try for longer than that.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        with open(lock, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError as error:
        return True if error.errno in (errno.EAGAIN, errno.EACCES) else None
    return False


@contextmanager
def put_in_place(folder: Path) -> Iterator[Path]:
    """An empty folder to write into; when the body has ended well it takes the place of `folder`, as a whole.

    Until then, and if the body fails or is killed, what was there before stays. It lies beside its place under a hidden
    name; what a kill left there is taken up by the next one.

    Raises:
        LsganError: another process is at it.
        OSError: the disk does not take it.
    """
    folder = folder.resolve()  # what a link leads to
    unfinished, before = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    unfinished.mkdir(parents=True, exist_ok=True)
    held = FileLock(unfinished / ".lock")  # goes along with the folder: nobody else comes between
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise LsganError(f"another process is writing {folder}: let it end, or name another folder") from None
    try:
        _swap_back(before, folder)
        for entry in unfinished.iterdir():
            if entry.name != ".lock":
                _remove(entry)
        yield unfinished
        if folder.exists():
            folder.rename(before)
        unfinished.rename(folder)
        (folder / ".lock").unlink()
        _remove(before)
    except BaseException:
        _swap_back(before, folder)
        _remove(unfinished)
        raise
    finally:
        held.release()


def _swap_back(before: Path, folder: Path) -> None:
    """After a kill, or a failure, between the two renames, and only then, `folder` is not there."""
    if before.exists() and not folder.exists():
        before.rename(folder)
    _remove(before)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


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
