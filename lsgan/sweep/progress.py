"""A run's rows as they are written: each is read once."""

import json
import math
from pathlib import Path
from typing import Any


class Progress:
    """How a run stands, by its metrics.jsonl.

    Args:
        folder: of the run.
        metric: a column whose best value is wanted; None: nothing is best.
        mode: what is best: min or max.
    """

    def __init__(self, folder: Path, metric: str | None, mode: str) -> None:
        self._path, self._metric, self._better = folder / "metrics.jsonl", metric, min if mode == "min" else max
        self._place = 0  # bytes that have been read
        self.last: dict[str, Any] | None = None
        self.values: dict[int, float] = {}  # of the metric, by step; a row without a finite one is left out

    @property
    def best(self) -> float | None:
        return self._better(self.values.values(), default=None)

    def read(self) -> None:
        """Takes in what has been written since."""
        try:
            if self._path.stat().st_size < self._place:  # a resumed run has dropped rows
                self._place, self.values = 0, {}
            with open(self._path, "rb") as file:
                file.seek(self._place)
                whole, _, _ = file.read().rpartition(b"\n")
        except OSError:
            return
        if whole:
            self._place += len(whole) + 1
            for line in whole.splitlines():
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            row = json.loads(line)
        except ValueError:
            return
        if not (isinstance(row, dict) and isinstance(row.get("step"), int)):
            return
        self.last = row
        value = row.get(self._metric) if self._metric else None
        if isinstance(value, (int, float)) and math.isfinite(value):
            self.values[row["step"]] = value
