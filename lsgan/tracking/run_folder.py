"""The run folder, written: all that is known of a run, in plain files. `run_record.py` reads it."""

import io
import json
import logging
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout
from PIL import Image

from lsgan.errors import LsganError, counted
from lsgan.files import refusal, remedy, write_atomically, write_in_place
from lsgan.tracking.run_record import Metrics, RunRecord
from lsgan.tracking.tracker import Outcome, Record

log = logging.getLogger(__name__)

JPEG_QUALITY = 95

_LOCK_SECONDS = 0.5  # for which it is tried: one who looks whether a run is going on (`is_held`) is gone long before


class RunFolder:
    """A run's config.yaml, status.json, metrics.jsonl, labels.json, history.jsonl, samples/, checkpoints/, train.log.

    As a context manager it is held by this process no longer than the body lasts, however that ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._step = 0
        self._warnings: dict[str, dict[str, Any]] = {}
        self._labels: dict[str, str] = {}
        self._ended = False
        self._log_file: logging.Handler | None = None
        self._lock = FileLock(path / ".lock", thread_local=False)  # dies with its holder
        self._pending: list[str] = []  # rows that the disk has not taken
        self._warned = False
        self._has_saved = False

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

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *error: object) -> None:
        self._lock.release()

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
        """Opens the log file and the metrics for steps after `step`; what else is in the metrics is set aside.

        Args:
            step: of the checkpoint from which the run goes on; 0 at first.
            config_yaml: the whole config.
            facts: what the history should remember of this start; plain values.

        Raises:
            LsganError: the folder cannot be written.
        """
        self._step, self._has_saved = step, step > 0
        record = self.record
        self._warnings = {flag: told for flag, told in record.status.warnings.items() if told.get("step", 0) <= step}
        self._labels = record.labels
        with _writable(self.path, "{} and start again"):
            write_atomically(self.config_path, config_yaml)
            (self.path / "samples").mkdir(exist_ok=True)
            told = self._sort_metrics_out(step)
            # Unbuffered: a row is with the operating system at once, and it is known how much of it.
            self._metrics = open(self.path / "metrics.jsonl", "ab", buffering=0)  # noqa: SIM115
            self._remember("start", {"checkpoint": step or None, **facts})
            self._write_status("running")
            self._log_file = _LogFile(self.path / "train.log", encoding="utf-8", errors="backslashreplace")
        self._log_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.getLogger("lsgan").addHandler(self._log_file)
        for trouble in (*record.troubles, *told):
            log.warning("%s", trouble)

    def _sort_metrics_out(self, step: int) -> list[str]:
        """Leaves the rows up to `step` in metrics.jsonl, and adds all else to metrics.set-aside.jsonl.

        Returns what people should know of it: that rows come again is no news.
        """
        path = self.path / "metrics.jsonl"
        content = path.read_bytes() if path.exists() else b""
        rows, spoilt, replaced = Metrics.sorted_out(content)
        kept = b"".join(line + b"\n" for at, (line, _) in rows.items() if at <= step)
        aside = spoilt + replaced + [line for at, (line, _) in rows.items() if at > step]
        place = path.with_name("metrics.set-aside.jsonl")
        if aside:
            with open(place, "ab") as file:
                file.write(b"".join(line + b"\n" for line in aside))
                file.flush()
                os.fsync(file.fileno())
        if kept != content:
            write_atomically(path, kept)
        odd = len(spoilt) + len(replaced)
        return [f"{path}: {counted(odd, 'line')} that cannot be read or came twice: now in {place.name}"] if odd else []

    def finish(self, step: int) -> None:
        """Says `finished` of a run that has all its steps, if it was killed before it could say how it ended."""
        status = self.record.status
        self._step, self._warnings = step, dict(status.warnings)
        if status.name in ("running", "unknown"):
            with _writable(self.path, "{} and start again"):
                self._write_outcome(Outcome("finished"))
        self._lock.release()

    @contextmanager
    def saving(self, step: int) -> Iterator[None]:
        """Around the writing of a checkpoint: all rows are on the disk before it, so that it is never ahead of them.

        The first one is noted, so that a run whose checkpoints are lost is told from one that has had none. Raises
        OSError if the disk does not take the rows.
        """
        self._write_pending()
        os.fsync(self._metrics.fileno())
        yield
        if not self._has_saved:
            with suppress(OSError):  # the next one is noted, then
                self._remember("saved", {"step": step})
                self._has_saved = True

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
            self._write_labels(record.labels)
            for name, pixels in record.pictures.items():
                file = f"{record.step:06d}.jpg" if name == "samples" else f"{name}.jpg"
                write_atomically(self.path / "samples" / file, _jpeg(pixels), durable=False)
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

    def _write_labels(self, labels: Mapping[str, str]) -> None:
        """Where they are new; a run has each of them once."""
        together = {**self._labels, **labels}
        if together != self._labels:
            content = json.dumps(together, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
            write_atomically(self.path / "labels.json", content, durable=False)
            self._labels = together

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Writes down how the body ended, at once: whatever happens later, while services are closed, it stands."""
        try:
            yield
        finally:
            self._end(Outcome.of(sys.exc_info()[1]))

    def _end(self, outcome: Outcome) -> None:
        self._ended = True
        for write in (self._write_pending, lambda: self._write_outcome(outcome)):
            try:
                write()
            except OSError as error:
                log.warning("%s is not complete (%s)", self.path, refusal(error))
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
        write_in_place(self.path / "status.json", self._status(*outcome))
        self._remember("end", {"status": outcome.status, "reason": outcome.reason})

    def _remember(self, event: str, facts: Mapping[str, Any]) -> None:
        """One more line of history.jsonl."""
        time = datetime.now(timezone.utc).isoformat(timespec="seconds")
        entry = {"event": event, "time": time, "step": self._step, **facts}
        path = self.path / "history.jsonl"
        torn = path.exists() and not path.read_bytes().endswith(b"\n")  # by a kill: it must not spoil this line too
        with open(path, "a", encoding="utf-8") as file:
            file.write("\n" * torn + json.dumps(entry) + "\n")

    def _write_status(self, status: str, *, durable: bool = True) -> None:
        write_atomically(self.path / "status.json", self._status(status), durable=durable)

    def _status(self, status: str, reason: str | None = None) -> str:
        content = {"status": status, "step": self._step, "reason": reason}
        if self._warnings:
            content["warnings"] = self._warnings
        return json.dumps(content) + "\n"


class _LogFile(logging.FileHandler):
    def close(self) -> None:
        with suppress(OSError):  # a full disk does not take the last lines
            super().close()


def _jpeg(pixels: npt.NDArray[np.uint8]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=JPEG_QUALITY)
    return content.getvalue()


@contextmanager
def _writable(path: Path, fix: str = "set runs_dir=<folder>, or {}") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LsganError(f"{path} cannot be written ({refusal(error)}): {fix.format(remedy(error))}") from error
