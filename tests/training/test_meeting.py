"""Ranks that do not come. That those that do come find each other is tested in test_distributed.py."""

import logging
import socket
import threading

import pytest

from lsgan.errors import LsganError
from lsgan.training import meeting
from lsgan.training.meeting import Meeting
from lsgan.world import World


@pytest.fixture
def port(monkeypatch):
    """A free one, where ranks are to meet soon."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        number = listener.getsockname()[1]
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(number))
    monkeypatch.setattr(meeting, "STARTING_SECONDS", 0.5)
    monkeypatch.setattr(meeting, "FIRST_LINE_SECONDS", 0.1)
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    return number


FIX = "start all ranks by torchrun, or unset RANK and WORLD_SIZE to train in one process"


def test_a_rank_that_was_never_started_is_named_and_not_waited_for(port, caplog):
    place = f"MASTER_ADDR=127.0.0.1, MASTER_PORT={port}"
    with caplog.at_level(logging.WARNING), pytest.raises(LsganError) as caught:
        Meeting(World(0, 3)).meet()
    assert str(caught.value) == f"RANK=0, WORLD_SIZE=3, {place}: ranks 1, 2 did not come within 0.5 s: {FIX}"
    assert f"for ranks 1, 2 ({place})" in caplog.text


def test_rank_0_may_be_the_one_that_is_missing(port, caplog):
    with caplog.at_level(logging.WARNING), pytest.raises(LsganError, match=r"^RANK=1, .*: rank 0 did not come within"):
        Meeting(World(1, 2))
    assert "rank 1 has waited" in caplog.text


def test_a_rank_that_has_started_may_take_its_time(port, caplog):
    """Longer than one may take to start: it packs."""
    first, second, met = Meeting(World(0, 2)), Meeting(World(1, 2)), []
    threading.Timer(1.5, lambda: met.append(second.meet())).start()
    with caplog.at_level(logging.WARNING):
        met.append(first.meet())
    while len(met) < 2:
        pass
    assert met[0] == met[1]
    assert "for a rank that has started and is not ready: it may pack data" in caplog.text


def test_a_port_that_is_taken(port):
    with socket.socket() as other:
        other.bind(("0.0.0.0", port))
        other.listen()
        with pytest.raises(LsganError, match=rf"MASTER_PORT={port}: another process has that port: start all ranks by"):
            Meeting(World(0, 2))
