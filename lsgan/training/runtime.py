"""Where the networks run."""

from dataclasses import dataclass

import torch
from torch import nn

from lsgan.world import World


@dataclass(frozen=True)
class Runtime:
    """Device and memory layout.

    Args:
        device: auto (CUDA if there is one, else the CPU), cpu, or cuda.
        channels_last: keep images and convolution weights channels-last; faster, same result up to rounding.
        sync_batch_norm: of several ranks: batch norm sees the whole batch, as in one process, not each rank's part.
        rank_timeout_seconds: of several ranks: one that the others wait for this long is taken for dead.

    Raises:
        ValueError: another device, cuda without a CUDA GPU or with fewer than ranks, or a timeout that is not above 0.
    """

    device: str = "auto"
    channels_last: bool = True
    sync_batch_norm: bool = True
    rank_timeout_seconds: float = 45

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device={self.device} must be auto, cpu or cuda")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device=cuda, but PyTorch sees no CUDA GPU here: use runtime=cpu or runtime=auto")
        if not self.rank_timeout_seconds > 0:
            raise ValueError(f"rank_timeout_seconds={self.rank_timeout_seconds:g} must be above 0")
        world, num_gpus = World.from_environment(), torch.cuda.device_count()
        if self.torch_device.type == "cuda" and world.size > 1 and world.local_rank >= num_gpus:
            raise ValueError(f"every rank needs a GPU, and there are {num_gpus} here: set --nproc-per-node={num_gpus}")

    @property
    def torch_device(self) -> torch.device:
        """Of several ranks, each has its own GPU."""
        if self.device == "cpu" or not torch.cuda.is_available():
            return torch.device("cpu")
        world = World.from_environment()
        return torch.device("cuda", world.local_rank) if world.size > 1 else torch.device("cuda")

    def place(self, module: nn.Module) -> nn.Module:
        """The module on the device, in the memory layout."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return module.to(self.torch_device).to(memory_format=layout)
