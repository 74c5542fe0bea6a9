"""The queue: jobs wait, start where there is room, run, and end."""

import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra_plugins.hydra_local_queue._command import command
from hydra_plugins.hydra_local_queue._job import Job, Jobs, Outcome, SweepStopped
from hydra_plugins.hydra_local_queue._process import Process
from hydra_plugins.hydra_local_queue._screen import Screen
from hydra_plugins.hydra_local_queue._slots import Slot
from hydra_plugins.hydra_local_queue._stop import Stop, requests

_TICK = 0.1  # seconds between two looks at the processes


@dataclass
class Running:
    """A job and its process."""

    job: Job
    slot: Slot
    process: Process


class Queue:
    """Runs jobs, as many at a time as there are slots.

    Args:
        jobs: in the order in which they start.
        knowing: what is known of them.
        slots: where they run.
        folder: for their output.
        hydra_overrides: of the command line; those that are about this sweep are not handed on.
    """

    def __init__(
        self, jobs: Sequence[Job], knowing: Jobs, slots: Sequence[Slot], folder: Path, hydra_overrides: Sequence[str]
    ) -> None:
        self._jobs, self._knowing, self._slots, self._folder = jobs, knowing, slots, folder
        self._hydra_overrides = hydra_overrides
        self._screen = Screen(jobs, knowing.columns)
        self._told: dict[int, dict[str, str]] = {}  # number of a job -> column -> text

    def plan(self, *, retry_failed: bool) -> None:
        """Finds out what has been done already, and tells what is to be done."""
        for job in self._jobs:
            before = self._knowing.before(job)
            if before is None or (retry_failed and not before.is_good and before.exit_code is not None):
                self._screen.say(f"job {job.number} {job.label}: {self._knowing.note(job) or 'new'}")
                continue
            job.outcome = before
            reason = f": {before.reason}" if before.reason else ""
            self._screen.say(f"job {job.number} {job.label}: {before.status}{reason}", bad=not before.is_good)
        todo, places = sum(job.outcome is None for job in self._jobs), len(self._slots)
        self._screen.say(f"{len(self._jobs)} jobs, {todo} to run, {places} at a time; output in {self._folder}")

    @property
    def todo(self) -> list[Job]:
        return [job for job in self._jobs if job.outcome is None]

    def tell_estimate(self) -> None:
        """What the jobs will take."""
        for line in self._knowing.estimate(self.todo, self._slots):
            self._screen.say(line)

    def run(self, *, stop_on_failure: bool) -> None:
        """Runs all that is to be run.

        Raises:
            SweepStopped: it was asked to, and all jobs have ended.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with requests() as stop:
            self._prepare(stop)
            with self._screen:
                self._work(deque(self.todo), stop, stop_on_failure)
        self._sum_up()
        if stop.times:
            raise SweepStopped("stopped; the same command goes on", stop.exit_code)

    def _work(self, waiting: deque[Job], stop: Stop, stop_on_failure: bool) -> None:
        free, running, asked = deque(self._slots), list[Running](), 0
        failing = False
        try:
            while running or (waiting and not stop.times and not failing):
                while waiting and free and not stop.times and not failing:
                    running.append(self._start(waiting.popleft(), free.popleft()))
                for ended in [one for one in running if one.process.exit_code() is not None]:
                    running.remove(ended)
                    free.appendleft(ended.slot)
                    self._end(ended)
                    failing |= stop_on_failure and not (ended.job.outcome or Outcome("")).is_good
                if stop.times > asked or (failing and not asked):
                    asked = max(stop.times, 1)
                    for one in running:
                        one.process.send(stop.number or signal.SIGTERM)
                if self._screen.is_due():
                    self._show(running)
                time.sleep(_TICK)
        finally:  # an error of the queue's own must leave nothing behind
            for one in running:
                one.process.kill()

    def _prepare(self, stop: Stop) -> None:
        for arguments in self._knowing.preparations(self.todo):
            self._screen.say(f"first: python {' '.join(arguments)}")
            process = Process(arguments, {})
            asked = 0
            while process.exit_code() is None:
                if stop.times > asked:
                    asked = stop.times
                    process.send(stop.number or signal.SIGTERM)
                time.sleep(_TICK)
            if stop.times:
                return

    def _start(self, job: Job, slot: Slot) -> Running:
        output = self._folder / f"job-{job.number}.log"
        where = f" on device {slot.device}" if slot.device is not None else ""
        self._screen.say(f"job {job.number} {job.label}: starts{where}")
        arguments = command(job.overrides, self._hydra_overrides)
        with open(output, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"$ python {' '.join(arguments)}\n")
        return Running(job, slot, Process(arguments, slot.environment, output))

    def _end(self, ended: Running) -> None:
        job, process = ended.job, ended.process
        code = process.exit_code()
        assert code is not None
        job.outcome = self._knowing.outcome(job, code, process.last_line())
        self._told[job.number] = dict(self._knowing.progress(job))
        told = "  ".join(f"{name} {text}" for name, text in self._told[job.number].items() if text)
        line = f"job {job.number} {job.label}: {job.outcome.status} after {process.seconds:.0f} s  {told}".rstrip()
        if not job.outcome.is_good:
            line += f"\n  {job.outcome.reason or ''}\n  its output: {process.output}"
        self._screen.say(line, bad=not job.outcome.is_good)

    def _show(self, running: Sequence[Running]) -> None:
        for one in running:
            self._told[one.job.number] = dict(self._knowing.progress(one.job))
        self._screen.show({one.job.number: one.process.seconds for one in running}, self._told)

    def _sum_up(self) -> None:
        counts: dict[str, int] = {}
        for job in self._jobs:
            status = job.outcome.status if job.outcome else "not begun"
            counts[status] = counts.get(status, 0) + 1
        told = ", ".join(f"{count} {status}" for status, count in counts.items())
        again = "" if set(counts) == {"finished"} else "; the same command goes on with what has not finished"
        self._screen.say(f"{len(self._jobs)} jobs: {told}{again}", bad=bool(again))
        sys.stdout.flush()
