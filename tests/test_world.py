"""What a cluster leaves in the environment."""

import pytest

from lsgan.errors import LsganError
from lsgan.world import ALONE, World

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
FIX = ": start the ranks by torchrun, or unset RANK WORLD_SIZE LOCAL_RANK to train in one process"
SENSELESS = {
    "RANK=0": "RANK=0 is in the environment and WORLD_SIZE is not",
    "WORLD_SIZE=2": "WORLD_SIZE=2 is in the environment and RANK is not",
    "RANK=-1 WORLD_SIZE=2": "RANK=-1 in the environment must be a number, as torchrun sets it",
    "RANK= WORLD_SIZE=2": "RANK= in the environment must be a number, as torchrun sets it",
    "RANK=0 WORLD_SIZE=2 LOCAL_RANK=-1": "LOCAL_RANK=-1 in the environment must be a number, as torchrun sets it",
    "RANK=2 WORLD_SIZE=2": "RANK=2 in the environment must be below WORLD_SIZE=2",
    "RANK=0 WORLD_SIZE=0": "RANK=0 in the environment must be below WORLD_SIZE=0",
    "RANK=0 WORLD_SIZE=2": "RANK=0 and WORLD_SIZE=2 are in the environment, but no MASTER_ADDR",
    "RANK=1 WORLD_SIZE=2 MASTER_ADDR=": "RANK=1 and WORLD_SIZE=2 are in the environment, but no MASTER_ADDR",
    "RANK=0 WORLD_SIZE=2 MASTER_ADDR=h": "RANK=0 and WORLD_SIZE=2 are in the environment, but no MASTER_PORT",
    **{
        f"RANK=0 WORLD_SIZE=2 MASTER_ADDR=h MASTER_PORT={port}": "RANK=0 and WORLD_SIZE=2 are in the environment, but "
        f"MASTER_PORT={port} is no port (1 to 65535)"
        for port in ("x", "0", "65536", "-1")
    },
}


def world(monkeypatch, told):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for word in told.split():
        monkeypatch.setenv(*word.split("=", 1))
    return World.from_environment()


@pytest.mark.parametrize("told", SENSELESS)
def test_what_makes_no_sense_is_named(monkeypatch, told):
    with pytest.raises(LsganError) as caught:
        world(monkeypatch, told)
    assert str(caught.value) == SENSELESS[told] + FIX


def test_what_makes_sense(monkeypatch):
    assert world(monkeypatch, "") == ALONE
    assert world(monkeypatch, "LOCAL_RANK=3 MASTER_PORT=x") == ALONE  # nobody speaks of ranks
    assert world(monkeypatch, "RANK=0 WORLD_SIZE=1") == World(0, 1, 0)  # which needs no meeting
    told = "RANK=5 WORLD_SIZE=8 LOCAL_RANK=1 MASTER_ADDR=localhost MASTER_PORT=29500"
    assert world(monkeypatch, told) == World(5, 8, 1)
