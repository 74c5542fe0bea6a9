"""Where the networks run, and how: device, precision, memory layout, compilation."""

import os
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from lsgan.training.memory import keep_freed_memory
from lsgan.training.wide_convolutions import use_matrix_products
from lsgan.world import World

_PRECISIONS = ("auto", "fp32", "tf32", "bf16")


class Precision(NamedTuple):
    """What matrix products and convolutions are computed in; all else is float32."""

    name: str  # fp32, tf32 or bf16
    reason: str


@dataclass(frozen=True)
class Runtime:
    """Device, precision and layout. None of them changes what is computed by more than rounding, which data as fine
    as bf16's steps can notice (docs/speed.md).

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
        world, num_gpus = World.from_environment(), torch.cuda.device_count()
        if self._on_gpu and world.size > 1 and world.local_rank >= num_gpus:
            raise ValueError(f"every rank needs a GPU, and there are {num_gpus} here: set --nproc-per-node={num_gpus}")
        self._check_precision()
        self._check_compile(world)

    def _check_precision(self) -> None:
        if self.precision not in _PRECISIONS:
            raise ValueError(f"precision={self.precision} must be one of {', '.join(_PRECISIONS)}")
        if self.precision == "tf32" and not (self._on_gpu and self._is_ampere_or_later):
            raise ValueError("precision=tf32 needs a GPU from Ampere on: set runtime.precision=fp32 or auto")

    def _check_compile(self, world: World) -> None:
        if self.compile and world.size > 1:
            raise ValueError(f"compile=true is for one process, and there are {world.size}: set runtime.compile=false")
        compilers = (os.environ.get("CXX"), "g++", "clang++")
        if self.compile and not self._on_gpu and not any(name and shutil.which(name) for name in compilers):
            raise ValueError("compile=true needs a C++ compiler on the CPU: install g++, or set runtime.compile=false")

    @property
    def torch_device(self) -> torch.device:
        """Of several ranks, each has its own GPU."""
        if not self._on_gpu:
            return torch.device("cpu")
        world = World.from_environment()
        return torch.device("cuda", world.local_rank) if world.size > 1 else torch.device("cuda")

    @property
    def chosen_precision(self) -> Precision:
        """The precision, `auto` decided, and why."""
        if self.precision != "auto":
            return Precision(self.precision, "as set")
        if self._on_gpu:
            has_it = self._is_ampere_or_later
            return Precision("bf16", "the GPU has it") if has_it else Precision("fp32", "the GPU has no bf16")
        if torch.cpu._is_amx_tile_supported():
            return Precision("bf16", "the CPU has it: AMX")
        if torch.cpu._is_avx512_bf16_supported():
            return Precision("bf16", "the CPU has it: AVX512-BF16")
        return Precision("fp32", "no AMX or AVX512-BF16 here")

    def describe(self) -> str:
        """One line: what was picked, and why."""
        precision = self.chosen_precision
        if self._on_gpu:
            place = f"cuda ({torch.cuda.get_device_name(self.torch_device)})"
        else:
            why = "as set" if self.device == "cpu" else "no CUDA GPU here"
            threads = self.threads or torch.get_num_threads()
            place = f"cpu ({why}; {threads} thread{'s' if threads > 1 else ''})"
        parts = [place, f"{precision.name} ({precision.reason})"]
        parts.append("channels last" if self.channels_last else "channels first")
        parts.append("compiled" if self.compile else "eager")
        return "runtime: " + ", ".join(parts + ["deterministic"] * self.deterministic)

    def apply(self) -> None:
        """Makes those settings that are the whole process's."""
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        if not self._on_gpu:
            keep_freed_memory()
        if self.deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for the first matrix product on a GPU
        torch.use_deterministic_algorithms(self.deterministic)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a debugging aid
        torch.backends.cudnn.benchmark = not self.deterministic
        if self._on_gpu:
            torch.backends.cuda.matmul.allow_tf32 = self.chosen_precision.name == "tf32"
            torch.backends.cudnn.allow_tf32 = self.chosen_precision.name == "tf32"

    @property
    def has_idle_core(self) -> bool:
        """Whether a thread finds a core (or hyper-thread) that the networks leave idle: else it slows them down."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return self._on_gpu or torch.get_num_threads() * World.from_environment().size < cores

    def place(self, module: nn.Module) -> nn.Module:
        """The module on the device, in the memory layout."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        if self.chosen_precision.name == "bf16" and not self._on_gpu:
            use_matrix_products(module)
        return module.to(self.torch_device).to(memory_format=layout)

    def compiled(self, module: nn.Module) -> nn.Module:
        """The module, compiled when it is first called if so set. Its parameters and their names stay."""
        if self.compile:
            module.compile(dynamic=False)
        return module

    def autocast(self) -> AbstractContextManager[Any]:
        """In the body networks run in the chosen precision. Their outputs may then be bf16."""
        enabled = self.chosen_precision.name == "bf16"
        return torch.autocast(self.torch_device.type, torch.bfloat16, enabled=enabled)

    @property
    def _is_ampere_or_later(self) -> bool:
        return torch.cuda.get_device_capability(self.torch_device)[0] >= 8

    @property
    def _on_gpu(self) -> bool:
        return self.device != "cpu" and torch.cuda.is_available()
