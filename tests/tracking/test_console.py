import io
import logging

import pytest
import rich
from rich.console import Console

from lsgan.tracking import console
from lsgan.tracking.tracker import Outcome, Record

SCALARS = {
    "images_per_second": 812.4,
    "loss/discriminator": 0.5,
    "loss/generator": 0.25,
    "logits/real_mean": 0.75,
    "logits/fake_mean": -0.5,
}
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
    tracker.log(Record(40, SCALARS))
    tracker.close(Outcome("finished"))
    assert "step 40/100" in text.getvalue()
    assert NUMBERS in text.getvalue()
    assert " left" in text.getvalue()
    assert "…" not in text.getvalue()  # nothing is cut at 80 columns


def test_without_a_terminal_a_line_now_and_then(screen, monkeypatch):
    text = screen(terminal=False)
    tracker = console.ConsoleTracker(steps=100, first_step=0)
    tracker.log(Record(10, SCALARS))
    assert text.getvalue() == ""
    monkeypatch.setattr(console, "_SECONDS_BETWEEN_LINES", -1)
    tracker.log(Record(20, SCALARS))
    tracker.log(Record(30))  # pictures only
    tracker.close(Outcome("finished"))
    assert text.getvalue() == f"step 20/100  {NUMBERS}\n"


def test_a_warning_is_one_line(screen):
    text = screen(terminal=False)
    tracker = console.ConsoleTracker(steps=100, first_step=0)
    tracker.log(Record(10, SCALARS, warning="D has won"))
    tracker.close(Outcome("finished"))
    assert text.getvalue() == "warning: step 10: D has won\n"


def test_log_lines_are_whole_and_shown_once(screen):
    text = screen(terminal=False)
    console.show_log_lines()
    path = "/".join(["a-long-folder-name"] * 20)
    logging.getLogger("lsgan.data").info("packed in %s [1,2]", path)
    logging.getLogger("lsgan.data").warning("careful")
    logging.getLogger("lsgan.data").debug("for the log file")
    assert text.getvalue() == f"packed in {path} [1,2]\nwarning: careful\n"
