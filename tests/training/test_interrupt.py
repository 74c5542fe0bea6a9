import os
import signal
import threading

import pytest

from lsgan.errors import TerminatedError
from lsgan.training.interrupt import stop_after_step


@pytest.fixture(autouse=True)
def in_the_foreground():
    """Where Ctrl-C is not ignored, wherever the tests are."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_asks_and_the_second_interrupts():
    before = signal.getsignal(signal.SIGINT)
    with stop_after_step() as stop:
        assert not stop.is_set()
        ctrl_c()
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            ctrl_c()
    assert signal.getsignal(signal.SIGINT) is before


def test_sigterm_too():
    before = signal.getsignal(signal.SIGTERM)
    with stop_after_step() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert isinstance(stop.error, TerminatedError)
        assert signal.getsignal(signal.SIGTERM) is before  # a second one ends the process
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with stop_after_step() as stop:
        ctrl_c()
    assert type(stop.error) is KeyboardInterrupt


def test_in_the_background_ctrl_c_stays_ignored_and_sigterm_asks():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    before = signal.getsignal(signal.SIGTERM)
    with stop_after_step() as stop:
        ctrl_c()
        ctrl_c()
        assert not stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert isinstance(stop.error, TerminatedError)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is before


def test_afterwards_all_is_as_before():
    with stop_after_step():
        pass
    with pytest.raises(KeyboardInterrupt):
        ctrl_c()


def test_in_a_thread_it_is_never_set():
    seen = []

    def work():
        with stop_after_step() as stop:
            seen.append(stop.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
