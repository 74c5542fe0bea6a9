"""The protocol that the training loop writes to."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from lsgan.errors import CollapsedError, TerminatedError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """Everything that is logged of one step, in one piece.

    Args:
        step: G updates so far.
        scalars: by name, `loss/generator` for example.
        pictures: uint8 [H, W, 3] by name.
        histograms: the values themselves, float [N], by name.
        warnings: what people should be told of the run at this step, a sentence for each flag.
        summary: a few of the numbers, in one line for people.
        labels: what a scalar means, in one line, by its name; the same at every step at which the run is looked at so.
    """

    step: int
    scalars: Mapping[str, float] = field(default_factory=dict)
    pictures: Mapping[str, npt.NDArray[np.uint8]] = field(default_factory=dict)
    histograms: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)
    summary: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


class Outcome(NamedTuple):
    """How a run ended: `finished`, `failed`, `collapsed` or `interrupted`, and why if it did not finish."""

    status: str
    reason: str | None = None

    @classmethod
    def of(cls, error: BaseException | None) -> "Outcome":
        if error is None:
            return cls("finished")
        if isinstance(error, KeyboardInterrupt):
            return cls("interrupted", error.name if isinstance(error, TerminatedError) else "Ctrl-C")
        if isinstance(error, CollapsedError):
            return cls("collapsed", str(error))
        return cls("failed", str(error) or type(error).__name__)


class RunInfo(NamedTuple):
    """What a tracker may want to know of a run.

    Args:
        folder: of the run.
        study: its name.
        run: its name.
        config: resolved, by dotted keys.
        tags: a word for each choice that matters.
        loss: name of the loss.
        better: which value is best, min or max, by column; those of which that can be said.
        rows: of metrics.jsonl, up to the step from which the run goes on.
        labels: of its columns, told before; as in `Record`.
    """

    folder: Path
    study: str
    run: str
    config: dict[str, Any]
    tags: Sequence[str]
    loss: str = ""
    better: Mapping[str, str] = MappingProxyType({})
    rows: Sequence[Mapping[str, float | None]] = ()
    labels: Mapping[str, str] = MappingProxyType({})


class Tracker(Protocol):
    """Receives the records of one run, and learns at last how it ended."""

    def log(self, record: Record) -> None: ...

    def close(self, outcome: Outcome) -> None: ...


class Service(Protocol):
    """A place beside the run folder where runs can be followed; a choice of the config group `tracker`."""

    def start(self, info: RunInfo) -> Tracker: ...


class Trackers:
    """Several trackers as one. As a context manager it closes each of them, also when the body fails."""

    def __init__(self, *trackers: Tracker) -> None:
        self._trackers = list(trackers)

    def add(self, tracker: Tracker) -> None:
        """One more; the last one added is the first to be closed."""
        self._trackers.append(tracker)

    def log(self, record: Record) -> None:
        for tracker in self._trackers:
            tracker.log(record)

    def close(self, outcome: Outcome) -> None:
        with ExitStack() as stack:  # closes each, also when one of them fails
            for tracker in self._trackers:
                stack.callback(tracker.close, outcome)

    def __enter__(self) -> "Trackers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            log.debug("the run ends with an error", exc_info=error)
        self.close(Outcome.of(error))


class NoService:
    """Tracks nothing: the run folder is enough."""

    def start(self, info: RunInfo) -> Tracker:
        return Trackers()
