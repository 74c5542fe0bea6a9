"""Where the networks run."""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Runtime:
    """Device and memory layout.

    Args:
        device: auto (CUDA if there is one, else the CPU), cpu, or cuda.
        channels_last: keep images and convolution weights channels-last; faster, same result up to rounding.

    Raises:
        ValueError: another device, or cuda without a CUDA GPU.
    """

    device: str = "auto"
    channels_last: bool = True

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device={self.device} must be auto, cpu or cuda")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device=cuda, but PyTorch sees no CUDA GPU here: use runtime=cpu or runtime=auto")

    @property
    def torch_device(self) -> torch.device:
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(self.device)

    def place(self, module: nn.Module) -> nn.Module:
        """The module on the device, in the memory layout."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return module.to(self.torch_device).to(memory_format=layout)
