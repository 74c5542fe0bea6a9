"""The run folder: all that is known of a run, in plain files."""

import json
import logging
import math
from pathlib import Path
from typing import Any

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

    @classmethod
    def create(cls, parent: Path, name: str, *, unique: bool) -> "RunFolder":
        """A new folder parent/name. With `unique`, a taken name gets a number.

        Raises:
            LsganError: the name is taken, and `unique` is false.
        """
        path, number = parent / name, 1
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                path.mkdir()
                break
            except FileExistsError:
                if not unique:
                    raise LsganError(
                        f"run={name}: {path} exists already; go on with it by resume={path}, or choose another name"
                    ) from None
                number += 1
                path = parent / f"{name}-{number}"
        return cls(path)

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
        self._log_file = logging.FileHandler(self.path / "train.log")
        self._log_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.getLogger("lsgan").addHandler(self._log_file)
        rows = [row for row in self.metrics() if row["step"] <= step]
        write_atomically(self.path / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        # Line-buffered: a row is with the operating system as soon as it ends.
        self._metrics = open(self.path / "metrics.jsonl", "a", buffering=1)  # noqa: SIM115
        self._write_status("running")

    def metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl; a last line that a crash cut short is left out."""
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def _earlier_warning(self) -> dict[str, Any] | None:
        path = self.path / "status.json"
        return json.loads(path.read_text()).get("warning") if path.exists() else None

    def log(self, record: Record) -> None:
        self._step = record.step
        if record.warning is not None:
            self._warning = {"step": record.step, "reason": record.warning}
        if record.scalars:
            finite = {name: value if math.isfinite(value) else None for name, value in record.scalars.items()}
            self._metrics.write(json.dumps({"step": record.step, **finite}) + "\n")  # JSON knows no NaN
        for name, pixels in record.pictures.items():
            file = f"{record.step:06d}.jpg" if name == "samples" else f"{name}.jpg"
            Image.fromarray(pixels).save(self.path / "samples" / file, quality=JPEG_QUALITY)
        self._write_status("running")

    def close(self, outcome: Outcome) -> None:
        self._metrics.close()
        self._write_status(*outcome)
        log.debug("%s at step %d%s", outcome.status, self._step, f": {outcome.reason}" if outcome.reason else "")
        if outcome.status == "interrupted":
            log.info("interrupted at step %d; go on with: python train.py resume=%s", self._step, self.path)
        if self._log_file is not None:
            logging.getLogger("lsgan").removeHandler(self._log_file)
            self._log_file.close()

    def _write_status(self, status: str, reason: str | None = None) -> None:
        content = {"status": status, "step": self._step, "reason": reason}
        if self._warning is not None:
            content["warning"] = self._warning
        write_atomically(self.path / "status.json", json.dumps(content) + "\n")
