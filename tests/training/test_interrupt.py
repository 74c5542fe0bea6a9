import os
import signal
import threading

import pytest

from lsgan.errors import TerminatedError
from lsgan.tracking.tracker import Outcome
from lsgan.training import interrupt
from lsgan.training.interrupt import hand_on, stop_after_step


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


NAMES = [name for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)]


@pytest.fixture
def met():
    """The signals that reach what was there before."""
    found = []
    before = {name: signal.signal(getattr(signal, name), lambda number, _: found.append(number)) for name in NAMES}
    yield found
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


@pytest.mark.parametrize("name", NAMES)
def test_schedulers_and_terminals_ask_too(name, met, monkeypatch):
    number = getattr(signal, name)
    monkeypatch.setattr(interrupt, "_ECHO_SECONDS", -1)
    with stop_after_step() as stop:
        os.kill(os.getpid(), number)
        assert (stop.error.number, stop.error.name, Outcome.of(stop.error)) == (number, name, ("interrupted", name))
        assert met == []
        os.kill(os.getpid(), number)  # the second one meets what was there before: another library's handler, say
        assert met == [number]
    os.kill(os.getpid(), number)
    assert met == [number, number]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has none")
@pytest.mark.parametrize("first", NAMES)
def test_a_hangup_right_behind_is_the_same_request(first, met):
    """A closing terminal tells of it twice; systemd sends one after SIGTERM."""
    with stop_after_step() as stop:
        os.kill(os.getpid(), getattr(signal, first))
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        assert stop.error.name == first
    assert met == []


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has none")
def test_nohup_is_heeded(met):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stop_after_step() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not stop.is_set()
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


@pytest.mark.parametrize("names", [("SIGTERM", "SIGUSR2"), ("SIGUSR2", "SIGTERM")])
def test_who_listened_before_hears_of_all_signals_when_all_is_saved(names, met):
    """submitit bypasses the one and queues the job again by the other; a cluster sends them in either order."""
    numbers = [getattr(signal, name) for name in names]
    with stop_after_step() as stop:
        for number in numbers:
            os.kill(os.getpid(), number)
        assert met == []
    hand_on(stop.error)
    assert met == numbers


def test_what_ends_the_process_by_itself_is_not_handed_on():
    hand_on(TerminatedError(signal.SIGTERM))  # or there were no more tests


def test_a_signal_that_nobody_listened_to_ends_the_process_when_it_comes_behind_another(python):
    code = "from lsgan.training.interrupt import stop_after_step; import os, signal\nwith stop_after_step():\n"
    code += "    for name in ('SIGUSR2', 'SIGTERM'): os.kill(os.getpid(), getattr(signal, name))"
    python("-c", code, expect=-signal.SIGTERM)
