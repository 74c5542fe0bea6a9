"""Folders that a command writes whole, in the place of what it wrote there before: nobody else's files are deleted."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lsgan.errors import LsganError
from lsgan.files import put_in_place

_BESIDE = re.compile(r"\.lock|\.DS_Store|Thumbs\.db")  # what may lie in anybody's folder


@dataclass(frozen=True)
class Output:
    """What a command writes, and knows again.

    Args:
        command: its name, lsgan.sample for example.
        what: it writes, in the plural.
        names: of the files that may be among it.
        inner: of the folders that may be, with such files in them; None if there are none.
        is_marked: whether the files in a folder say that the command has made them: names alone tell too little.
    """

    command: str
    what: str
    names: re.Pattern[str]
    is_marked: Callable[[Path], bool]
    inner: re.Pattern[str] | None = None

    def check(self, out: Path, *, is_ours: bool) -> None:
        """The folder will be replaced whole: it must be there for nothing else.

        Args:
            out: the folder, which may not be there.
            is_ours: nobody else has business there.

        Raises:
            LsganError: it is a file, holds what this command does not write, or cannot be replaced.
        """
        if not out.exists():
            return
        if not out.is_dir():
            raise LsganError(f"out={out} is a file: name a folder")
        if os.path.ismount(out) or out.resolve() == Path.cwd():
            raise LsganError(f"out={out} cannot be replaced, and {self.what} come as a whole folder: name one in it")
        for entry in sorted(out.iterdir()):
            foreign = self._foreign(entry)
            if foreign is not None or not (is_ours or self.is_marked(out)):
                raise LsganError(
                    f"out={out} holds {(foreign or entry).relative_to(out)}, which {self.command} has not written and "
                    "would delete: name another folder"
                )

    def _foreign(self, entry: Path) -> Path | None:
        is_inner = self.inner is not None and entry.is_dir() and self.inner.fullmatch(entry.name)
        inside = sorted(entry.iterdir()) if is_inner else [entry]
        return next((path for path in inside if path.is_dir() or not self._is_known(path.name)), None)

    def _is_known(self, name: str) -> bool:
        return bool(self.names.fullmatch(name) or _BESIDE.fullmatch(name))


@contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """`put_in_place`, whose refusals are a sentence about `out`."""
    try:
        with put_in_place(out) as folder:
            yield folder
    except OSError as error:
        raise LsganError(
            f"out={out} cannot be written ({error.strerror or error}), what was there stays: name another folder"
        ) from error
