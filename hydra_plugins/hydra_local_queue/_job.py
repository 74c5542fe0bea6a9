"""A job, how it ended, and what somebody who knows its kind may tell of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict

from hydra_plugins.hydra_local_queue._slots import Slot
from hydra_plugins.hydra_local_queue._stop import NUMBERS

FINISHED = "finished"
_OF_A_REQUEST = {128 + number for number in NUMBERS}  # exit codes, as shells have them


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Args:
        status: `finished`, or a word for what happened instead: failed, interrupted, killed, …
        reason: one line, where there is more to say.
        exit_code: of the process, negative for a signal as `subprocess` has it; None if none was started.
    """

    status: str
    reason: str | None = None
    exit_code: int | None = None

    @property
    def is_good(self) -> bool:
        return self.status == FINISHED


@dataclass
class Job:
    """One command of a sweep.

    Args:
        number: from 0 on.
        overrides: behind the script's name.
        label: those of them in which the jobs differ.
        config: composed from them, with the node `hydra`.
        outcome: None while it waits or runs.
        memory: for the `Jobs` that knows it.
    """

    number: int
    overrides: list[str]
    label: str
    config: DictConfig
    outcome: Outcome | None = None
    memory: dict[str, Any] = field(default_factory=dict)


class Jobs:
    """What is known of jobs besides their exit codes: by itself nothing. A subclass of this is named by `jobs=`."""

    columns: Sequence[str] = ()  # of `progress`, in their order

    def before(self, job: Job) -> Outcome | None:
        """How the job ended in an earlier command, or that it cannot be started at all; None: it is to be run."""
        return None

    def settled(self, job: Job, *, retry_failed: bool) -> Outcome | None:
        """`before`, but for a job that has failed and is to be tried again."""
        before = self.before(job)
        is_failure = before is not None and not before.is_good and before.exit_code is not None
        return None if retry_failed and is_failure else before

    def note(self, job: Job) -> str:
        """What the plan tells of a job that is to be run: that it goes on, and from where."""
        return ""

    def preparations(self, jobs: Sequence[Job]) -> list[list[str]]:
        """Arguments of Python for what is done once, one after the other, before these jobs start."""
        return []

    def begins(self, job: Job) -> None:
        """Its process is about to start: time to look at what it will change."""

    def progress(self, job: Job) -> Mapping[str, str]:
        """How a running or ended job stands, by column."""
        return {}

    def outcome(self, job: Job, exit_code: int, last_line: str) -> Outcome:
        """How it ended just now, by its exit code and the last line of its output."""
        if exit_code == 0:
            return Outcome(FINISHED, None, 0)
        if exit_code < 0:
            return Outcome("killed", f"by signal {-exit_code}", exit_code)
        if exit_code in _OF_A_REQUEST:
            return Outcome("interrupted", None, exit_code)
        return Outcome("failed", last_line or f"exit code {exit_code}", exit_code)

    def value(self, job: Job) -> Any:
        """What an ended job gives to the sweeper: the objective of a search."""
        return None

    def values(self, job: Job) -> Mapping[int, float]:
        """That of a running or ended job as it went, by step: a search may stop one that is worse than the others."""
        return {}

    def place(self, job: Job) -> str | None:
        """Where what the job has made lies."""
        return None

    def told(self, overrides: Sequence[str]) -> list[str]:
        """Those that make a job what it is; the others may differ when a search goes on."""
        return list(overrides)

    def is_held(self, job: Job) -> bool:
        """Whether another process is at it: a job of a queue that was killed a moment ago, and still saves."""
        return False

    def estimate(self, jobs: Sequence[Job], slots: Sequence[Slot]) -> Iterable[str]:
        """What the jobs that are to be run will take in these slots, a line each, as it becomes known."""
        return []


class SweepStopped(HydraException):
    """Somebody stopped the whole sweep. `exit_code` is what a shell expects of it."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code, self.shown = exit_code, True


class JobFailed(HydraException):
    """A job did not finish; it has been told already (`shown`)."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code, self.shown = exit_code, True


class Returned(JobReturn):
    """What Hydra's sweepers get of a job; asked for its value, that of a failed one raises, and prints nothing."""

    @property
    def return_value(self) -> Any:
        if isinstance(self._return_value, JobFailed):
            raise self._return_value
        return self._return_value

    @return_value.setter
    def return_value(self, value: Any) -> None:
        self._return_value = value


def returned(job: Job, value: Any, exit_code: int) -> Returned:
    """What a sweeper gets; `exit_code` is that of the whole sweep."""
    task = OmegaConf.create(OmegaConf.to_container(job.config, resolve=False))
    assert isinstance(task, DictConfig)
    with open_dict(task):
        del task["hydra"]
    found = Returned(overrides=list(job.overrides), cfg=task, hydra_cfg=job.config)
    outcome = job.outcome or Outcome("not begun")
    if outcome.is_good:
        found.status, found.return_value = JobStatus.COMPLETED, value
    else:
        found.status = JobStatus.FAILED
        found.return_value = JobFailed(f"{job.label}: {outcome.status}", exit_code)
    return found


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Of a sweep: 0 if all is well; the code of the jobs that did not finish if they agree on one; else 1."""
    codes = {outcome.exit_code for outcome in outcomes if not outcome.is_good}
    if not codes:
        return 0
    code = codes.pop() if len(codes) == 1 else None
    return code if code is not None and code > 0 else 1


def differing(job_overrides: Sequence[Sequence[str]]) -> list[str]:
    """For each job those of its overrides that not all jobs share; all of them if there is one job."""
    told = [filter_overrides(overrides) for overrides in job_overrides]
    shared = set(told[0]).intersection(*told[1:]) if len(told) > 1 else set()
    return [" ".join(override for override in overrides if override not in shared) for overrides in told]
