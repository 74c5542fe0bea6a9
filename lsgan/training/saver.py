"""When checkpoints are written, which are kept, and what happens when the disk is full."""

import json
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsgan.errors import LsganError
from lsgan.files import write_atomically
from lsgan.training.state import TrainState, link_checkpoint

log = logging.getLogger(__name__)

_RETRY_SECONDS = 30.0  # between two tries to write a checkpoint


class Saver:
    """Writes checkpoints into a folder: the newest ones, and the best one as best.pt (best.json tells why).

    Args:
        folder: for them.
        keep: how many of the newest stay.
        best_metric: the name of a logged scalar; None for no best.pt.
        best_mode: min or max.
    """

    def __init__(self, folder: Path, keep: int, best_metric: str | None, best_mode: str) -> None:
        self._folder, self._keep = folder, keep
        self._metric, self._sign = best_metric, -1 if best_mode == "max" else 1
        self._due = False
        self._try_again_at = 0.0  # time.monotonic()

    def after_step(self, state: TrainState, scalars: Mapping[str, float], due: bool) -> None:
        """Writes a checkpoint if one is due, or still due since the disk was full; `scalars` are those of this step."""
        self._due |= due
        if not self._due or (not due and time.monotonic() < self._try_again_at):
            return
        try:
            path = state.save(self._folder, self._keep)
            self._due = False
            if self._metric is not None and self._metric in scalars:
                self._keep_if_best(path, state.step, scalars[self._metric])
        except OSError as error:
            self._try_again_at = time.monotonic() + _RETRY_SECONDS
            log.warning(
                "step %d: the checkpoint could not be written (%s); the ones before are kept, training goes on, and "
                "it is tried again",
                state.step,
                error.strerror or error,
            )

    def finish(self, state: TrainState) -> None:
        """One more try for a checkpoint that is still due.

        Raises:
            LsganError: the disk does not take it.
        """
        if not self._due:
            return
        try:
            state.save(self._folder, self._keep)
        except OSError as error:
            raise LsganError(
                f"the last checkpoint could not be written to {self._folder} ({error.strerror or error}): make room "
                "there and start the same command again, it goes on from the checkpoint before"
            ) from error

    def _keep_if_best(self, path: Path, step: int, value: float) -> None:
        record = self._folder / "best.json"
        best: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {}
        earlier = best.get("metric") == self._metric and best["step"] < step  # after a kill, later ones come again
        if math.isnan(value) or (earlier and self._sign * value >= self._sign * best["value"]):
            return
        link_checkpoint(path, self._folder / "best.pt")
        write_atomically(record, json.dumps({"step": step, "metric": self._metric, "value": value}) + "\n")
