"""The run folder, written: all that is known of a run, in plain files. `run_record.py` reads it."""

import json
import logging
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from PIL import Image

from lsgan.errors import LsganError
from lsgan.files import write_atomically
from lsgan.tracking.run_record import RunRecord
from lsgan.tracking.tracker import Outcome, Record

log = logging.getLogger(__name__)

JPEG_QUALITY = 95

_LOCK_SECONDS = 0.5  # for which it is tried: one who looks whether a run is going on (`is_held`) is gone long before


class RunFolder:
    """config.yaml, status.json, metrics.jsonl, history.jsonl, samples/, checkpoints/ and train.log of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._step = 0
        self._warnings: dict[str, dict[str, Any]] = {}
        self._ended = False
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
            if not folder.config_path.exists() and any(not entry.name.startswith(".") for entry in path.iterdir()):
                raise LsganError(f"{path} exists already and is not a run folder: choose another run=<name>")
            try:
                folder._lock.acquire(timeout=_LOCK_SECONDS, poll_interval=_LOCK_SECONDS / 10)
            except Timeout:
                raise LsganError(f"another process is training in {path}: stop that one, or name another run") from None
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

    @property
    def record(self) -> RunRecord:
        """What has been written so far, read anew."""
        return RunRecord(self.path)

    def start(self, step: int, config_yaml: str, facts: Mapping[str, Any]) -> None:
        """Opens the log file and the metrics for steps after `step`; later rows, if any, are dropped.

        Args:
            step: of the checkpoint from which the run goes on; 0 at first.
            config_yaml: the whole config.
            facts: what the history should remember of this start; plain values.
        """
        self._step = step
        record = self.record
        self._warnings = {flag: told for flag, told in record.status.warnings.items() if told.get("step", 0) <= step}
        write_atomically(self.config_path, config_yaml)
        (self.path / "samples").mkdir(exist_ok=True)
        self._log_file = _LogFile(self.path / "train.log", encoding="utf-8", errors="backslashreplace")
        self._log_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.getLogger("lsgan").addHandler(self._log_file)
        rows = [row for row in record.rows if row["step"] <= step]
        write_atomically(self.path / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        # Unbuffered: a row is with the operating system at once, and it is known how much of it.
        self._metrics = open(self.path / "metrics.jsonl", "ab", buffering=0)  # noqa: SIM115
        for trouble in record.troubles:
            log.warning("%s", trouble)
        self._remember("start", facts)
        self._write_status("running")

    def finish(self, step: int) -> None:
        """Says `finished` of a run that has all its steps, if it was killed before it could say how it ended."""
        status = self.record.status
        self._step, self._warnings = step, dict(status.warnings)
        if status.name in ("running", "unknown"):
            self._write_outcome(Outcome("finished"))
        self._lock.release()

    def log(self, record: Record) -> None:
        """Writes it down; what a full disk does not take is kept in mind, said once, and written later."""
        self._step = record.step
        for flag, reason in record.warnings.items():
            self._warnings[flag] = {"step": record.step, "reason": reason}
        if record.scalars:
            finite = {name: value if math.isfinite(value) else None for name, value in record.scalars.items()}
            self._pending.append(json.dumps({"step": record.step, **finite}) + "\n")  # JSON knows no NaN
        try:
            self._write_pending()
            for name, pixels in record.pictures.items():
                file = f"{record.step:06d}.jpg" if name == "samples" else f"{name}.jpg"
                Image.fromarray(pixels).save(self.path / "samples" / file, quality=JPEG_QUALITY)
            self._write_status("running", durable=False)
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

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Writes down how the body ended, at once: whatever happens later, while services are closed, it stands."""
        try:
            yield
        finally:
            self._end(Outcome.of(sys.exc_info()[1]))

    def _end(self, outcome: Outcome) -> None:
        self._ended = True
        try:
            self._write_pending()
            self._write_outcome(outcome)
        except OSError as error:
            log.warning("%s is not complete (%s)", self.path, error.strerror or error)
        log.debug("%s at step %d%s", outcome.status, self._step, f": {outcome.reason}" if outcome.reason else "")
        if outcome.status == "interrupted":
            log.info("interrupted at step %d; go on with: python train.py resume=%s", self._step, self.path)

    def close(self, outcome: Outcome) -> None:
        if not self._ended:
            self._end(outcome)
        self._metrics.close()
        if self._log_file is not None:
            logging.getLogger("lsgan").removeHandler(self._log_file)
            self._log_file.close()
        self._lock.release()

    def _write_outcome(self, outcome: Outcome) -> None:
        self._write_status(*outcome)
        self._remember("end", {"status": outcome.status, "reason": outcome.reason})

    def _remember(self, event: str, facts: Mapping[str, Any]) -> None:
        """One more line of history.jsonl."""
        time = datetime.now(timezone.utc).isoformat(timespec="seconds")
        entry = {"event": event, "time": time, "step": self._step, **facts}
        path = self.path / "history.jsonl"
        torn = path.exists() and not path.read_bytes().endswith(b"\n")  # by a kill: it must not spoil this line too
        with open(path, "a", encoding="utf-8") as file:
            file.write("\n" * torn + json.dumps(entry) + "\n")

    def _write_status(self, status: str, reason: str | None = None, *, durable: bool = True) -> None:
        content = {"status": status, "step": self._step, "reason": reason}
        if self._warnings:
            content["warnings"] = self._warnings
        write_atomically(self.path / "status.json", json.dumps(content) + "\n", durable=durable)


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk costs log lines, and no traceback for each of them."""


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LsganError(f"{path} cannot be written ({error.strerror or error}): set runs_dir=<folder>") from error
