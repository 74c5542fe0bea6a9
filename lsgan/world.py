"""Which of how many processes this one is."""

import os
from dataclasses import dataclass

from lsgan.errors import LsganError


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
        """As torchrun tells it; one process where nobody tells. Raises LsganError for what is no number."""
        if not {"RANK", "WORLD_SIZE"} <= os.environ.keys():
            return cls()
        told = {name: os.environ[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK") if name in os.environ}
        for name, value in told.items():
            if not value.isdecimal():
                raise LsganError(
                    f"{name}={value} in the environment must be a number, as torchrun sets it: unset {name}"
                )
        rank, size = int(told["RANK"]), int(told["WORLD_SIZE"])
        restarts = os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") != "0"
        return cls(rank, size, int(told.get("LOCAL_RANK", rank)), restarts)

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0


ALONE = World()
