"""The process of a job: fresh, in a session of its own, and gone when this one is."""

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # of Linux's prctl(2)
_LAST_BYTES = 4096
_OF_TORCHRUN = re.compile(r"(LOCAL_|GROUP_|ROLE_)?(RANK|WORLD_SIZE)|ROLE_NAME|MASTER_(ADDR|PORT)|TORCHELASTIC_.*")

if sys.platform == "linux":
    _libc = ctypes.CDLL(None)


class Process:
    """`python <arguments>`, its output in a file.

    It is in a session of its own: a terminal's Ctrl-C reaches this process alone, which passes it on once. On Linux
    the kernel sends it SIGTERM when this process is gone, however that came about.

    Args:
        arguments: of Python.
        environment: in addition to this process's own, of which a place among torchrun's processes is left out.
        output: file to write to, behind what is there; None: where this process writes.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], output: Path | None = None) -> None:
        self.started, self.output = time.monotonic(), output
        own = {name: value for name, value in os.environ.items() if not _OF_TORCHRUN.fullmatch(name)}
        file = None if output is None else open(output, "ab")  # noqa: SIM115
        self._begin = 0 if file is None else file.tell()  # in the file: what an earlier process said is before
        try:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT if file else None,
                env={**own, **environment},
                start_new_session=True,
                preexec_fn=_end_with(os.getpid()) if sys.platform == "linux" else None,
            )
        finally:
            if file is not None:
                file.close()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Its exit code, when it has ended; it ends when this is interrupted."""
        try:
            return self._process.wait()
        except BaseException:
            self.kill()
            raise

    def send(self, number: int) -> None:
        """A signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """It and what it has started, at once."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def last_line(self) -> str:
        """The last line of its own output that is not empty."""
        if self.output is None:
            return ""
        with open(self.output, "rb") as file:
            file.seek(max(self._begin, self.output.stat().st_size - _LAST_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _end_with(parent: int) -> Callable[[], None]:
    """For the child, before it becomes Python."""

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died in between
            os._exit(128 + signal.SIGTERM)

    return prepare
