import io
import logging

import pytest
import rich
from rich.console import Console

from lsgan.tracking import console
from lsgan.tracking.tracker import Outcome, Record
from lsgan.world import World

NUMBERS = "812 images/s  loss D 0.500 G 0.250  D(real) +0.75 D(fake) -0.50"


@pytest.fixture
def screen(monkeypatch):
    def make(terminal):
        buffer = io.StringIO()
        monkeypatch.setattr(rich, "_console", Console(file=buffer, force_terminal=terminal, width=80))
        console.show_log_lines()
        return buffer

    yield make
    logger = logging.getLogger("lsgan")
    logger.propagate = True  # caplog of later tests listens at the root
    logger.handlers = [h for h in logger.handlers if not isinstance(h, console._ConsoleHandler)]


def test_the_bar_shows_the_health_of_a_gan(screen):
    text = screen(terminal=True)
    tracker = console.ConsoleTracker(steps=100, first_step=0)
    tracker.log(Record(40, summary=NUMBERS))
    tracker.close(Outcome("finished"))
    assert "step 40/100" in text.getvalue()
    assert NUMBERS in text.getvalue()
    assert " left" in text.getvalue()
    assert "…" not in text.getvalue()  # nothing is cut at 80 columns


def test_without_a_terminal_a_line_now_and_then(screen, monkeypatch):
    text = screen(terminal=False)
    tracker = console.ConsoleTracker(steps=100, first_step=0)
    tracker.log(Record(10, summary=NUMBERS))
    assert text.getvalue() == ""
    monkeypatch.setattr(console, "_SECONDS_BETWEEN_LINES", -1)
    tracker.log(Record(20, summary=NUMBERS))
    tracker.log(Record(30))  # pictures only
    tracker.close(Outcome("finished"))
    assert text.getvalue() == f"step 20/100  {NUMBERS}\n"


def test_the_last_numbers_are_a_line_however_short_the_run(screen):
    text = screen(terminal=False)
    tracker = console.ConsoleTracker(steps=30, first_step=0)
    tracker.log(Record(10, summary="early"))
    tracker.log(Record(20, summary=NUMBERS))
    tracker.log(Record(30))  # pictures only
    tracker.close(Outcome("failed", "no room"))
    assert text.getvalue() == f"step 20/30  {NUMBERS}\n"


def test_on_a_terminal_the_bar_is_enough(screen):
    text = screen(terminal=True)
    tracker = console.ConsoleTracker(steps=30, first_step=0)
    tracker.log(Record(30, summary=NUMBERS))
    tracker.close(Outcome("finished"))
    assert "step 30/30  " not in text.getvalue()


def test_a_job_of_a_sweep_is_brief(screen):
    text = screen(terminal=False)
    logger = logging.getLogger("lsgan")
    logger.handlers = [h for h in logger.handlers if not isinstance(h, console._ConsoleHandler)]
    console.show_log_lines(brief=True)
    console.show_log_lines()  # of the run within
    logger.log(console.DETAIL, "which precision, which loss")
    logger.info("which folder")
    logger.warning("careful")
    assert text.getvalue() == "which folder\nwarning: careful\n"


def test_warnings_are_a_line_each(screen):
    text = screen(terminal=False)
    tracker = console.ConsoleTracker(steps=100, first_step=0)
    tracker.log(Record(10, warnings={"collapsed": "G is dead", "discriminator_won": "D has won"}))
    tracker.close(Outcome("finished"))
    assert text.getvalue() == "warning: step 10: G is dead\nwarning: step 10: D has won\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_row_that_holds_only_a_metric_is_ordinary(screen, monkeypatch, terminal):
    """It has nothing to say here; the numbers of the row before stay."""
    monkeypatch.setattr(console, "_SECONDS_BETWEEN_LINES", -1)
    text = screen(terminal)
    tracker = console.ConsoleTracker(steps=100, first_step=0)
    tracker.log(Record(10, {"loss/generator": 1.0}, summary=NUMBERS))
    tracker.log(Record(20, {"fid": 3.0}))
    tracker.close(Outcome("finished"))
    assert NUMBERS in text.getvalue()
    assert ("step 20/100" in text.getvalue()) == terminal


def test_ranks_above_0_speak_of_warnings_only(screen):
    text = screen(terminal=False)
    logger = logging.getLogger("lsgan")
    logger.handlers = [h for h in logger.handlers if not isinstance(h, console._ConsoleHandler)]
    console.show_log_lines(World(1, 2, 1))
    logging.getLogger("lsgan.data").info("packed")
    logging.getLogger("lsgan.data").warning("careful")
    assert text.getvalue() == "warning: careful\n"


def test_log_lines_are_whole_and_shown_once(screen):
    text = screen(terminal=False)
    console.show_log_lines()
    path = "/".join(["a-long-folder-name"] * 20)
    logging.getLogger("lsgan.data").info("packed in %s [1,2]", path)
    logging.getLogger("lsgan.data").warning("careful")
    logging.getLogger("lsgan.data").debug("for the log file")
    assert text.getvalue() == f"packed in {path} [1,2]\nwarning: careful\n"
