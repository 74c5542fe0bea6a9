"""What the person at the keyboard sees: log lines and one progress bar."""

import logging
import time
from datetime import timedelta

from rich import get_console
from rich.progress import BarColumn, Progress, ProgressColumn, Task

from lsgan.tracking.tracker import Outcome, Record
from lsgan.world import ALONE, World

log = logging.getLogger(__name__)

DETAIL = 15  # a level below INFO: what one run is to tell, but not each job of a sweep
logging.addLevelName(DETAIL, "DETAIL")

_SECONDS_BETWEEN_LINES = 15  # where there is no terminal to draw a bar on


class _ConsoleHandler(logging.Handler):
    """Prints above the progress bar, never wrapped: paths stay whole."""

    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno >= logging.WARNING else None
        prefix = "warning: " if record.levelno >= logging.WARNING else ""
        get_console().print(prefix + self.format(record), style=style, markup=False, highlight=False, soft_wrap=True)


def show_log_lines(world: World = ALONE, *, brief: bool = False) -> None:
    """Sends the package's log lines to the console, of ranks above 0 warnings only; once a process.

    Brief, without those of level DETAIL.
    """
    logging.raiseExceptions = False  # a full disk costs log lines, W&B's too, and no page of tracebacks for each
    logger = logging.getLogger("lsgan")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    if not any(isinstance(handler, _ConsoleHandler) for handler in logger.handlers):
        level = logging.INFO if brief else DETAIL
        logger.addHandler(_ConsoleHandler(level if world.is_main else logging.WARNING))


class ConsoleTracker:
    """A progress bar with the numbers that tell whether a GAN is healthy; plain lines without a terminal.

    Without one, the last numbers are a line in any case.
    """

    def __init__(self, steps: int, first_step: int) -> None:
        self._steps = steps
        self._last_line = time.monotonic()
        self._unsaid: str | None = None  # the newest numbers, if they have been no line yet
        self._bar = Progress(_Health(), BarColumn(bar_width=12), disable=not get_console().is_terminal)
        self._bar.start()
        self._task = self._bar.add_task("", total=steps, completed=first_step, numbers="")

    def log(self, record: Record) -> None:
        for sentence in record.warnings.values():
            log.warning("step %d: %s", record.step, sentence)
        self._bar.update(self._task, completed=record.step)
        if record.summary is None:
            return
        self._bar.update(self._task, numbers=record.summary)
        self._unsaid = f"step {record.step}/{self._steps}  {record.summary}"
        if self._bar.disable and time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES:
            self._say()

    def _say(self) -> None:
        self._last_line = time.monotonic()
        log.info("%s", self._unsaid)
        self._unsaid = None

    def close(self, outcome: Outcome) -> None:
        self._bar.stop()
        if self._bar.disable and self._unsaid is not None:
            self._say()


class _Health(ProgressColumn):
    """Step and time left, and below them the numbers; fits a terminal of 80 columns."""

    def render(self, task: Task) -> str:
        left = "?" if task.time_remaining is None else timedelta(seconds=int(task.time_remaining))
        return f"step {task.completed:.0f}/{task.total:.0f}, {left} left\n{task.fields['numbers']}"
