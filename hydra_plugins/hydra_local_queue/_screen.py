"""What people see of a queue: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType

from rich import get_console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hydra_plugins.hydra_local_queue._job import Job

_REDRAW_SECONDS = 1.0
_LINE_SECONDS = 30.0  # between two lines of a running job where there is no terminal
_ENDED_SHOWN = 5  # in the table, of those that ended well


class Screen:
    """Shows jobs as they start, run and end.

    Args:
        columns: of what is told of a job.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._console = get_console()
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if self._is_terminal else None
        self._drawn = self._said = time.monotonic()

    @property
    def _is_terminal(self) -> bool:
        return self._console.is_terminal

    def __enter__(self) -> "Screen":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str, *, bad: bool = False) -> None:
        """One line that stays, above the table."""
        self._console.print(line, style="yellow" if bad else None, markup=False, highlight=False, soft_wrap=True)

    def is_due(self) -> bool:
        """Whether it is time to look at the running jobs again."""
        return time.monotonic() - self._drawn >= _REDRAW_SECONDS

    def show(
        self, jobs: Sequence[Job], running: Mapping[int, float], progress: Mapping[int, Mapping[str, str]]
    ) -> None:
        """How the jobs stand.

        Args:
            jobs: all of them.
            running: number of a job -> seconds since its start.
            progress: number of a job -> column -> text.
        """
        self._drawn = time.monotonic()
        if self._live is not None:
            self._live.update(self._table(jobs, running, progress), refresh=True)
        elif time.monotonic() - self._said >= _LINE_SECONDS:
            self._said = time.monotonic()
            for job in jobs:
                if job.number in running:
                    told = "  ".join(f"{name} {text}" for name, text in progress.get(job.number, {}).items() if text)
                    self.say(f"job {job.number} {job.label}: {told or 'starting'}")

    def _table(
        self, jobs: Sequence[Job], running: Mapping[int, float], progress: Mapping[int, Mapping[str, str]]
    ) -> Table:
        table = Table("job", "", "status", "time", *self._columns, box=None, pad_edge=False, header_style="dim")
        ended = [job for job in jobs if job.outcome is not None and job.outcome.is_good]
        for job in jobs:
            if job.number in running:
                self._add(table, job, "running", progress, timedelta(seconds=int(running[job.number])), "bold")
            elif job.outcome is not None and not job.outcome.is_good:
                self._add(table, job, job.outcome.status, progress, None, "yellow")
            elif job in ended[-_ENDED_SHOWN:]:
                self._add(table, job, "finished", progress, None, "dim")
        waiting = sum(job.outcome is None and job.number not in running for job in jobs)
        table.caption = f"{len(ended)} of {len(jobs)} finished, {len(running)} running, {waiting} waiting"
        table.caption_justify = "left"
        return table

    def _add(
        self,
        table: Table,
        job: Job,
        status: str,
        progress: Mapping[int, Mapping[str, str]],
        seconds: timedelta | None,
        style: str,
    ) -> None:
        told = progress.get(job.number, {})
        cells = [
            str(job.number),
            job.label,
            status,
            str(seconds or ""),
            *(told.get(name, "") for name in self._columns),
        ]
        table.add_row(*(Text(cell, overflow="ellipsis", no_wrap=True) for cell in cells), style=style)
