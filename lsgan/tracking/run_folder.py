"""The run folder: all that is known of a run, in plain files."""

import json
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from PIL import Image

from lsgan.errors import LsganError
from lsgan.files import write_atomically
from lsgan.tracking.tracker import Outcome, Record

log = logging.getLogger(__name__)

JPEG_QUALITY = 95


class RunFolder:
    """config.yaml, status.json, metrics.jsonl, samples/, checkpoints/ and train.log of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._step = 0
        self._warning: dict[str, Any] | None = None
        self._log_file: logging.Handler | None = None
        self._lock = FileLock(path / ".lock", thread_local=False)  # dies with its holder
        self._pending: list[str] = []  # rows that the disk has not taken
        self._warned = False

    @classmethod
    def create(cls, parent: Path, name: str) -> "RunFolder":
        """A new folder parent/name, with a number behind the name if that is taken; held by this process.

        Raises:
            LsganError: it cannot be written.
        """
        path, number = parent / name, 1
        with _writable(parent):
            parent.mkdir(parents=True, exist_ok=True)
            while True:
                try:
                    path.mkdir()
                    return cls.open(path)
                except FileExistsError:
                    number += 1
                    path = parent / f"{name}-{number}"

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """The folder of a run, made if it is not there; held by this process.

        Raises:
            LsganError: another process holds it, it holds other things than a run, or it cannot be written.
        """
        folder = cls(path)
        with _writable(path):
            path.mkdir(parents=True, exist_ok=True)
            try:
                folder._lock.acquire(timeout=0)
            except Timeout:
                raise LsganError(f"another process is training in {path}: stop that one, or name another run") from None
            if not folder.config_path.exists() and any(not entry.name.startswith(".") for entry in path.iterdir()):
                raise LsganError(f"{path} exists already and is not a run folder: choose another run=<name>")
        return folder

    @property
    def config_path(self) -> Path:
        return self.path / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def last_picture(self) -> Path | None:
        """The newest sample grid."""
        return max((self.path / "samples").glob("[0-9]*.jpg"), key=lambda path: int(path.stem), default=None)

    def start(self, step: int, config_yaml: str) -> None:
        """Opens the log file and the metrics for steps after `step`; later rows, if any, are dropped."""
        self._step = step
        earlier = self._earlier_warning()
        self._warning = earlier if earlier is not None and earlier["step"] <= step else None
        write_atomically(self.config_path, config_yaml)
        (self.path / "samples").mkdir(exist_ok=True)
        self._log_file = _LogFile(self.path / "train.log")
        self._log_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.getLogger("lsgan").addHandler(self._log_file)
        rows = [row for row in self.metrics() if row["step"] <= step]
        write_atomically(self.path / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        # Unbuffered: a row is with the operating system at once, and it is known how much of it.
        self._metrics = open(self.path / "metrics.jsonl", "ab", buffering=0)  # noqa: SIM115
        self._write_status("running")

    def metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl, up to the first that a crash left torn."""
        path, rows = self.path / "metrics.jsonl", []
        for line in path.read_bytes().splitlines(keepends=True) if path.exists() else []:
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
            if not line.endswith(b"\n"):  # it may go on: "step": 12 of 120
                rows.pop()
        return rows

    def _earlier_warning(self) -> dict[str, Any] | None:
        path = self.path / "status.json"
        return json.loads(path.read_text()).get("warning") if path.exists() else None

    def log(self, record: Record) -> None:
        """Writes it down; what a full disk does not take is kept in mind, said once, and written later."""
        self._step = record.step
        if record.warning is not None:
            self._warning = {"step": record.step, "reason": record.warning}
        if record.scalars:
            finite = {name: value if math.isfinite(value) else None for name, value in record.scalars.items()}
            self._pending.append(json.dumps({"step": record.step, **finite}) + "\n")  # JSON knows no NaN
        try:
            self._write_pending()
            for name, pixels in record.pictures.items():
                file = f"{record.step:06d}.jpg" if name == "samples" else f"{name}.jpg"
                Image.fromarray(pixels).save(self.path / "samples" / file, quality=JPEG_QUALITY)
            self._write_status("running")
            self._warned = False
        except OSError as error:
            if not self._warned:
                log.warning("step %d: %s cannot be written (%s)", record.step, self.path, error.strerror or error)
            self._warned = True

    def _write_pending(self) -> None:
        if not self._pending:
            return
        content, place = "".join(self._pending).encode(), self._metrics.seek(0, 2)
        try:
            while content:
                content = content[self._metrics.write(content) :]
        except OSError:
            self._metrics.truncate(place)  # half a row would spoil the file
            raise
        self._pending.clear()

    def close(self, outcome: Outcome) -> None:
        try:
            self._write_pending()
            self._write_status(*outcome)
        except OSError as error:
            log.warning("%s is not complete (%s)", self.path, error.strerror or error)
        self._metrics.close()
        log.debug("%s at step %d%s", outcome.status, self._step, f": {outcome.reason}" if outcome.reason else "")
        if outcome.status == "interrupted":
            log.info("interrupted at step %d; go on with: python train.py resume=%s", self._step, self.path)
        if self._log_file is not None:
            logging.getLogger("lsgan").removeHandler(self._log_file)
            self._log_file.close()
        self._lock.release()

    def _write_status(self, status: str, reason: str | None = None) -> None:
        content = {"status": status, "step": self._step, "reason": reason}
        if self._warning is not None:
            content["warning"] = self._warning
        write_atomically(self.path / "status.json", json.dumps(content) + "\n")


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk costs log lines, and no traceback for each of them."""


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LsganError(f"{path} cannot be written ({error.strerror or error}): set runs_dir=<folder>") from error
