"""Which of how many processes this one is, and which part of a batch is its own."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """The processes that train one model together; one process alone unless told otherwise.

    Args:
        rank: of this process, in [0, size). Rank 0 keeps the run folder.
        size: how many processes.
        local_rank: of this process among those of its machine; the number of its GPU.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @classmethod
    def from_environment(cls) -> "World":
        """As torchrun tells it; one process where nobody tells."""
        if not {"RANK", "WORLD_SIZE"} <= os.environ.keys():
            return cls()
        rank = int(os.environ["RANK"])
        return cls(rank, int(os.environ["WORLD_SIZE"]), int(os.environ.get("LOCAL_RANK", rank)))

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def part(self, num: int) -> slice:
        """Which of `num` samples are this rank's; `num` must be divisible by the number of ranks."""
        assert num % self.size == 0  # config.check
        return slice(self.rank * num // self.size, (self.rank + 1) * num // self.size)


ALONE = World()
