"""The settings of where the networks run, and how: device, precision, memory layout, compilation."""

import os
import shutil
from dataclasses import dataclass
from typing import NamedTuple

import torch

_PRECISIONS = ("auto", "fp32", "tf32", "bf16")


class Precision(NamedTuple):
    """What matrix products and convolutions are computed in; all else is float32."""

    name: str  # fp32, tf32 or bf16
    reason: str


@dataclass(frozen=True)
class Runtime:
    """Device, precision and layout; what is done with them is in machine.py. None of them changes what is computed by
    more than rounding, which data as fine as bf16's steps can notice (docs/speed.md).

    Args:
        device: auto (CUDA if there is one, else the CPU), cpu, or cuda.
        precision: of matrix products and convolutions. fp32; tf32 (a GPU's, ten bits of mantissa); bf16 (seven bits);
            or auto: bf16 where the hardware multiplies it natively, else fp32. Weights, their updates, batch-norm
            statistics, losses and penalties are float32 in each of them.
        channels_last: keep images and convolution weights channels-last; faster, same result up to rounding.
        compile: compile the networks by torch.compile, which takes a while at the start. Of one process only.
        threads: of the CPU; None leaves it to PyTorch.
        deterministic: only algorithms that give the same bits each time; the CPU's do in any case.
        sync_batch_norm: of several ranks: batch norm sees the whole batch, as in one process, not each rank's part.
        rank_timeout_seconds: of several ranks: one that the others wait for this long is taken for dead.

    Raises:
        ValueError: a value is none of these, or the machine cannot do it.
    """

    device: str = "auto"
    precision: str = "auto"
    channels_last: bool = True
    compile: bool = False
    threads: int | None = None
    deterministic: bool = False
    sync_batch_norm: bool = True
    rank_timeout_seconds: float = 45

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device={self.device} must be auto, cpu or cuda")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device=cuda, but PyTorch sees no CUDA GPU here: use runtime=cpu or runtime=auto")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads={self.threads} must be at least 1, or null for PyTorch's choice")
        if not self.rank_timeout_seconds > 0:
            raise ValueError(f"rank_timeout_seconds={self.rank_timeout_seconds:g} must be above 0")
        self._check_precision()
        self._check_compile()

    def _check_precision(self) -> None:
        if self.precision not in _PRECISIONS:
            raise ValueError(f"precision={self.precision} must be one of {', '.join(_PRECISIONS)}")
        if self.precision == "tf32" and not (self.on_gpu and self._is_ampere_or_later):
            raise ValueError("precision=tf32 needs a GPU from Ampere on: set runtime.precision=fp32 or auto")

    def _check_compile(self) -> None:
        compilers = (os.environ.get("CXX"), "g++", "clang++")
        if self.compile and not self.on_gpu and not any(name and shutil.which(name) for name in compilers):
            raise ValueError("compile=true needs a C++ compiler on the CPU: install g++, or set runtime.compile=false")

    @property
    def on_gpu(self) -> bool:
        """Whether the networks run on a GPU, `auto` decided."""
        return self.device != "cpu" and torch.cuda.is_available()

    @property
    def chosen_precision(self) -> Precision:
        """The precision, `auto` decided, and why."""
        if self.precision != "auto":
            return Precision(self.precision, "as set")
        if self.on_gpu:
            has_it = self._is_ampere_or_later
            return Precision("bf16", "the GPU has it") if has_it else Precision("fp32", "the GPU has no bf16")
        if torch.cpu._is_amx_tile_supported():
            return Precision("bf16", "the CPU has it: AMX")
        if torch.cpu._is_avx512_bf16_supported():
            return Precision("bf16", "the CPU has it: AVX512-BF16")
        return Precision("fp32", "no AMX or AVX512-BF16 here")

    @property
    def _is_ampere_or_later(self) -> bool:
        return torch.cuda.get_device_capability()[0] >= 8
