"""Which of how many processes this one is."""

import os
from dataclasses import dataclass

from lsgan.errors import LsganError

_NUMBERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
_HOW_ELSE = "start the ranks by torchrun, or unset RANK WORLD_SIZE LOCAL_RANK to train in one process"


@dataclass(frozen=True)
class World:
    """The processes that train one model together; one process alone unless told otherwise.

    Args:
        rank: of this process, in [0, size). Rank 0 keeps the run folder.
        size: how many processes.
        local_rank: of this process among those of its machine; the number of its GPU.
        restarts: whether torchrun starts the command again when a rank has died.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    restarts: bool = False

    @classmethod
    def from_environment(cls) -> "World":
        """As torchrun tells it; one process where nobody tells.

        Raises:
            LsganError: a cluster, or an earlier job, has left something there that makes no sense.
        """
        told = {name: os.environ[name] for name in _NUMBERS if name in os.environ}
        if not {"RANK", "WORLD_SIZE"} & told.keys():
            return cls()
        for name, other in (("RANK", "WORLD_SIZE"), ("WORLD_SIZE", "RANK")):
            if name not in told:
                raise LsganError(f"{other}={told[other]} is in the environment and {name} is not: {_HOW_ELSE}")
        for name, value in told.items():
            if not value.isdecimal():
                raise LsganError(
                    f"{name}={value} in the environment must be a number, as torchrun sets it: {_HOW_ELSE}"
                )
        rank, size = int(told["RANK"]), int(told["WORLD_SIZE"])
        if rank >= size:
            raise LsganError(f"RANK={rank} in the environment must be below WORLD_SIZE={size}: {_HOW_ELSE}")
        if size > 1:
            _check_meeting_place(f"RANK={rank} and WORLD_SIZE={size} are in the environment")
        restarts = os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") != "0"
        return cls(rank, size, int(told.get("LOCAL_RANK", rank)), restarts)

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0


def _check_meeting_place(told: str) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        if not os.environ.get(name):
            raise LsganError(f"{told}, but no {name}: {_HOW_ELSE}")
    port = os.environ["MASTER_PORT"]
    if not (port.isdecimal() and 0 < int(port) < 2**16):
        raise LsganError(f"{told}, but MASTER_PORT={port} is no port (1 to 65535): {_HOW_ELSE}")


ALONE = World()


def is_queued_again() -> bool:
    """Whether this process is a job of submitit, which starts the same command again when its time was up."""
    return "SUBMITIT_EXECUTOR" in os.environ
