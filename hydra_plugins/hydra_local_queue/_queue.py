"""The queue: jobs wait, start where there is room, run, and end."""

import hashlib
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hydra_plugins.hydra_local_queue._command import command
from hydra_plugins.hydra_local_queue._job import FINISHED, Job, Jobs, Outcome, SweepStopped
from hydra_plugins.hydra_local_queue._process import Process
from hydra_plugins.hydra_local_queue._screen import Screen
from hydra_plugins.hydra_local_queue._slots import Slot
from hydra_plugins.hydra_local_queue._stop import Stop, requests

_UNFINISHED = {"not begun", "interrupted", "killed"}
_TICK = 0.1  # seconds between two looks at the processes
_SAVE_SECONDS = 60.0  # for a job that has been asked to save and end


@dataclass
class Running:
    """A job and its process."""

    job: Job
    slot: Slot
    process: Process
    unwanted: bool = False  # it has been asked to stop because it need not go on


class Feed(Protocol):
    """Where jobs come from, and where they go when they have ended."""

    @property
    def jobs(self) -> Sequence[Job]:
        """All that are known so far."""
        ...

    def next(self) -> Job | None:
        """The next one to start; None: there is none now, and none will be unless one that runs ends."""
        ...

    def ended(self, job: Job) -> None:
        """It has its outcome."""
        ...

    def unwanted(self, job: Job) -> bool:
        """Whether a running job need not go on."""
        ...


class Listed:
    """Jobs that are all known beforehand; those that have an outcome already are not started."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs
        self._waiting = deque(job for job in jobs if job.outcome is None)

    def next(self) -> Job | None:
        return self._waiting.popleft() if self._waiting else None

    def ended(self, job: Job) -> None: ...

    def unwanted(self, job: Job) -> bool:
        return False


class Queue:
    """Runs jobs, as many at a time as there are slots.

    Args:
        knowing: what is known of them.
        slots: where they run.
        folder: for their output.
        hydra_overrides: of the command line; those that are about this sweep are not handed on.
    """

    def __init__(self, knowing: Jobs, slots: Sequence[Slot], folder: Path, hydra_overrides: Sequence[str]) -> None:
        self._knowing, self._slots, self._folder = knowing, slots, folder
        self._hydra_overrides = hydra_overrides
        self._screen = Screen(knowing.columns)
        self._told: dict[int, dict[str, str]] = {}  # number of a job -> column -> text

    def plan(self, jobs: Sequence[Job], *, retry_failed: bool) -> None:
        """Finds out what has been done already, and tells what is to be done."""
        for job in jobs:
            job.outcome = self._knowing.settled(job, retry_failed=retry_failed)
            if job.outcome is None:
                self._screen.say(f"job {job.number} {job.label}: {self._knowing.note(job) or 'new'}")
            else:
                self.tell_outcome(job)
        todo, places = sum(job.outcome is None for job in jobs), len(self._slots)
        self._screen.say(f"{_jobs(len(jobs))}, {todo} to run, {places} at a time; output in {self._folder}")

    def tell_outcome(self, job: Job) -> None:
        """How a job ended that was not run now."""
        assert job.outcome is not None
        reason = f": {job.outcome.reason}" if job.outcome.reason else ""
        self._screen.say(f"job {job.number} {job.label}: {job.outcome.status}{reason}", bad=not job.outcome.is_good)

    def say(self, line: str) -> None:
        """Shows a line that stays."""
        self._screen.say(line)

    def wait_for(self, jobs: Iterable[Job], *, retry_failed: bool) -> None:
        """Until none of them is still saving: a command that was killed a moment ago has asked them to.

        Those that have been waited for may be done now: they get their outcome.
        """
        held = [job for job in jobs if job.outcome is None and self._knowing.is_held(job)]
        for job in held:
            self._screen.say(f"job {job.number} {job.label}: another process is at it; waiting for it to save and end")
        end = time.monotonic() + _SAVE_SECONDS
        while any(self._knowing.is_held(job) for job in held) and time.monotonic() < end:
            time.sleep(_TICK)
        for job in held:
            job.outcome = self._knowing.settled(job, retry_failed=retry_failed)
            if job.outcome is not None:
                self.tell_outcome(job)

    def tell_estimate(self, jobs: Sequence[Job]) -> None:
        """What those that are to be run will take."""
        for line in self._knowing.estimate([job for job in jobs if job.outcome is None], self._slots):
            self._screen.say(line)

    def run(self, feed: Feed, *, stop_on_failure: bool = False) -> None:
        """Runs all that is to be run.

        Raises:
            SweepStopped: it was asked to, and all jobs have ended.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with requests() as stop:
            self._prepare([job for job in feed.jobs if job.outcome is None], stop)
            with self._screen:
                self._work(feed, stop, stop_on_failure)
        self._sum_up(feed.jobs)
        if stop.times:
            raise SweepStopped("stopped; the same command goes on", stop.exit_code)

    def _work(self, feed: Feed, stop: Stop, stop_on_failure: bool) -> None:
        free, running, failing = deque(self._slots), list[Running](), False
        told = 0  # how often the running jobs have been asked to stop
        try:
            while True:
                while free and not stop.times and not failing and (job := feed.next()) is not None:
                    running.append(self._start(job, free.popleft()))
                if not running:
                    return
                for ended in [one for one in running if one.process.exit_code() is not None]:
                    running.remove(ended)
                    free.appendleft(ended.slot)
                    self._end(ended)
                    feed.ended(ended.job)
                    failing |= stop_on_failure and not (ended.job.outcome or Outcome("")).is_good
                if max(stop.times, int(failing)) > told:
                    told = max(stop.times, int(failing))
                    for one in running:
                        one.process.send(stop.number or signal.SIGTERM)
                if self._screen.is_due():
                    self._look(feed, running)
                time.sleep(_TICK)
        finally:  # an error of the queue's own must leave nothing behind
            _end(running, stop)

    def _look(self, feed: Feed, running: Sequence[Running]) -> None:
        """At the running jobs, for people and for the feed."""
        for one in running:
            self._told[one.job.number] = dict(self._knowing.progress(one.job))
            if not one.unwanted and feed.unwanted(one.job):
                one.unwanted = True
                one.process.send(signal.SIGTERM)
        self._screen.show(feed.jobs, {one.job.number: one.process.seconds for one in running}, self._told)

    def _prepare(self, jobs: Sequence[Job], stop: Stop) -> None:
        for arguments in self._knowing.preparations(jobs):
            self._screen.say(f"first: python {' '.join(arguments)}")
            process, told = Process(arguments, {}), 0
            while process.exit_code() is None:
                if stop.times > told:
                    told = stop.times
                    process.send(stop.number or signal.SIGTERM)
                time.sleep(_TICK)
            if stop.times:
                return

    def _start(self, job: Job, slot: Slot) -> Running:
        output = self._folder / _log_name(job)
        where = f" on device {slot.device}" if slot.device is not None else ""
        self._screen.say(f"job {job.number} {job.label}: starts{where}")
        arguments = command(job.overrides, self._hydra_overrides)
        self._knowing.begins(job)
        try:
            with open(output, "a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"$ python {' '.join(arguments)}\n")
        except OSError as error:  # no reason to lose the jobs that run
            self._screen.say(f"  its output is lost: {output} cannot be written ({error.strerror or error})", bad=True)
            output = Path(os.devnull)
        return Running(job, slot, Process(arguments, slot.environment, output))

    def _end(self, ended: Running) -> None:
        job, process = ended.job, ended.process
        code = process.exit_code()
        assert code is not None
        job.outcome = self._knowing.outcome(job, code, process.last_line())
        if ended.unwanted and not job.outcome.is_good:
            job.outcome = Outcome("pruned", None, code)
        self._told[job.number] = dict(self._knowing.progress(job))
        told = "  ".join(f"{name} {text}" for name, text in self._told[job.number].items() if text)
        line = f"job {job.number} {job.label}: {job.outcome.status} after {process.seconds:.0f} s  {told}".rstrip()
        bad = not job.outcome.is_good and not ended.unwanted
        if bad:
            line += f"\n  {job.outcome.reason or ''}\n  its output: {process.output}"
        self._screen.say(line, bad=bad)

    def _sum_up(self, jobs: Sequence[Job]) -> None:
        counts: dict[str, int] = {}
        for job in jobs:
            status = job.outcome.status if job.outcome else "not begun"
            counts[status] = counts.get(status, 0) + 1
        told = ", ".join(f"{count} {status}" for status, count in counts.items())
        again = "; the same command goes on" if counts.keys() & _UNFINISHED else ""
        self._screen.say(f"{_jobs(len(jobs))}: {told}{again}", bad=not counts.keys() <= {FINISHED, "pruned"})
        sys.stdout.flush()


def _jobs(num: int) -> str:
    return f"{num} job{'' if num == 1 else 's'}"


def _log_name(job: Job) -> str:
    """Of the same job in the same place always the same; other sweeps of the folder have jobs of this number, too."""
    return f"job-{job.number}-{hashlib.sha256(' '.join(job.overrides).encode()).hexdigest()[:6]}.log"


def _end(running: Sequence[Running], stop: Stop) -> None:
    """Asks jobs to save and end; those that have not after a while, or when somebody asks again, are killed."""
    alive = [one.process for one in running if one.process.exit_code() is None]
    for process in alive:
        process.send(signal.SIGTERM)
    end, times = time.monotonic() + _SAVE_SECONDS, stop.times
    while any(process.exit_code() is None for process in alive) and time.monotonic() < end and stop.times == times:
        time.sleep(_TICK)
    for process in alive:
        process.kill()
