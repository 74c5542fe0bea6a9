"""What computes: a device, its precision and layout, and the ranks that share the work.

It is the one object that the training asks for a forward pass, a backward pass, noise, or what other ranks have.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lsgan.errors import LsganError
from lsgan.penalties import Noise
from lsgan.streams import derived_seed, uniform
from lsgan.training.distributed import Together, joined
from lsgan.training.exchange import of_all_ranks
from lsgan.training.interrupt import Stop
from lsgan.training.meeting import Meeting
from lsgan.training.memory import keep_freed_memory
from lsgan.training.runtime import Runtime
from lsgan.training.wide_convolutions import use_matrix_products
from lsgan.world import ALONE, World

if TYPE_CHECKING:
    from lsgan.training.state import TrainState


class Machine:
    """This process's part of what computes.

    Args:
        runtime: device, precision and layout.
        world: the ranks, of which this process is one.

    Raises:
        LsganError: several ranks cannot do what `runtime` says.
    """

    def __init__(self, runtime: Runtime, world: World = ALONE) -> None:
        if runtime.compile and world.size > 1:
            raise LsganError(f"compile=true is for one process, and there are {world.size}: set runtime.compile=false")
        if runtime.on_gpu and world.local_rank >= torch.cuda.device_count():
            num_gpus = torch.cuda.device_count()
            raise LsganError(
                f"every rank needs a GPU, and there are {num_gpus} here, none for LOCAL_RANK={world.local_rank}: "
                f"set --nproc-per-node={num_gpus}"
            )
        self.runtime, self.world = runtime, world
        self.device = torch.device("cuda", world.local_rank) if runtime.on_gpu else torch.device("cpu")
        self.precision = runtime.chosen_precision
        self._together: Together | None = None
        self._meeting: Meeting | None = None

    # The process

    def apply(self) -> None:
        """Makes those settings that are the whole process's."""
        if self.runtime.threads is not None:
            torch.set_num_threads(self.runtime.threads)
        if self.device.type == "cpu":
            keep_freed_memory()
        if self.runtime.deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for the first matrix product on a GPU
        torch.use_deterministic_algorithms(self.runtime.deterministic)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a debugging aid
        torch.backends.cudnn.benchmark = not self.runtime.deterministic
        if self.device.type == "cuda":
            self.enter_thread()  # else whatever names no device, pinned memory for example, is GPU 0's in every rank
            torch.backends.cuda.matmul.allow_tf32 = self.precision.name == "tf32"
            torch.backends.cudnn.allow_tf32 = self.precision.name == "tf32"

    def describe(self) -> str:
        """One line: what was picked, and why."""
        if self.device.type == "cuda":
            place = f"cuda ({torch.cuda.get_device_name(self.device)})"
        else:
            why = "as set" if self.runtime.device == "cpu" else "no CUDA GPU here"
            threads = self.runtime.threads or torch.get_num_threads()
            place = f"cpu ({why}; {threads} thread{'s' if threads > 1 else ''})"
        parts = [place, f"{self.precision.name} ({self.precision.reason})"]
        parts.append("channels last" if self.runtime.channels_last else "channels first")
        parts.append("compiled" if self.runtime.compile else "eager")
        return "runtime: " + ", ".join(parts + ["deterministic"] * self.runtime.deterministic)

    @property
    def has_idle_core(self) -> bool:
        """Whether a thread finds a core (or hyper-thread) that the networks leave idle: else it slows them down."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return self.device.type == "cuda" or torch.get_num_threads() * self.world.size < cores

    def enter_thread(self) -> None:
        """To be called in each thread that uses the device (`apply` does): CUDA's current one is a thread's own."""
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)

    def synchronise(self) -> None:
        """Waits until the device has done what it was asked for."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    # Networks

    def place(self, module: nn.Module) -> nn.Module:
        """The module on the device, in the memory layout."""
        layout = torch.channels_last if self.runtime.channels_last else torch.contiguous_format
        if self.precision.name == "bf16" and self.device.type == "cpu":
            use_matrix_products(module)
        return module.to(self.device).to(memory_format=layout)

    def compiled(self, module: nn.Module) -> nn.Module:
        """The module, compiled when it is first called if so set. Its parameters and their names stay."""
        if self.runtime.compile:
            module.compile(dynamic=False)
        return module

    def forward(self, network: nn.Module, *inputs: Tensor) -> Tensor:
        """The network's output, computed in the machine's precision; float32 at least."""
        with self._autocast():
            return full_precision(network(*inputs))

    def forwards(self, network: nn.Module, *batches: tuple[Tensor, ...]) -> list[Tensor]:
        """`forward` of several batches, one after the other; the weights are cast to the precision once for all."""
        with self._autocast():
            return [self.forward(network, *inputs) for inputs in batches]

    def backward(self, network: nn.Module, loss: Tensor) -> None:
        """The gradients of `network`, those of the global batch; `loss` is that of this rank's part."""
        if self._together is None:
            loss.backward()
        else:
            self._together.backward(network, loss)

    def seed_networks(self, seed: int, purpose: str, index: int) -> None:
        """What networks draw from here on (dropout, noise) is a function of the arguments and the rank."""
        rank_seed = derived_seed(seed, f"{purpose}, rank {self.world.rank}", index)
        torch.default_generator.manual_seed(rank_seed)
        if self.device.type == "cuda":  # not torch.cuda.manual_seed: it takes a lock and the current device
            torch.cuda.default_generators[self.device.index].manual_seed(rank_seed)

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision.name == "bf16")

    # Ranks

    def part(self, num: int) -> slice:
        """Which of `num` samples are this rank's; `num` is divisible by the number of ranks."""
        rank, size = self.world.rank, self.world.size
        assert num % size == 0  # the config is checked for it
        return slice(rank * num // size, (rank + 1) * num // size)

    def noise(self, generator: torch.Generator) -> Noise:
        """A source of U[0, 1) for this rank's samples [N, ...]: drawn for those of all ranks, and cut like them."""
        draw = uniform(generator)

        def draw_part(shape: Any) -> Tensor:
            num = shape[0] * self.world.size
            return draw((num, *shape[1:]))[self.part(num)]

        return draw_part

    def meet(self) -> None:
        """Tells the other ranks that this one has started, before it reads any data; see `meeting.Meeting`."""
        if self.world.size > 1:
            self._meeting = Meeting(self.world)

    @contextmanager
    def joined(self) -> Iterator[None]:
        """In the body all ranks are together, each with its data ready; see `distributed.joined`."""
        if self.world.size == 1:
            yield
            return
        timeout = self.runtime.rank_timeout_seconds
        with joined(self.world, self.device, timeout, self._meeting) as self._together:
            yield

    def share(self, state: "TrainState") -> None:
        """All ranks train one state from here on: that of rank 0, its step included."""
        if self._together is not None:
            self._together.share(state, sync_batch_norm=self.runtime.sync_batch_norm)

    def gather(self, values: Tensor) -> Tensor:
        """[N / ranks, ...] of each rank -> [N, ...] in the order of the global batch, on every rank."""
        return values if self._together is None else self._together.gather(values)

    def whole(self, values: Tensor) -> Tensor:
        """[N / ranks, ...] of each rank -> [N, ...] as `gather`, but for a loss: gradients pass; nobody may be late."""
        if self._together is None:
            return values
        return of_all_ranks(values.flatten()).view(-1, *values.shape[1:])

    def stopping(self, stop: Stop) -> bool:
        """Whether to stop after this step, the same answer on all ranks; to be called once a step."""
        return stop.is_set() if self._together is None else self._together.stopping(stop)

    def wait_for_main(self) -> None:
        """Waits for rank 0, however long that takes: it may be drawing pictures, or computing a metric."""
        if self._together is not None:
            self._together.wait_for_main()


def full_precision(values: Tensor) -> Tensor:
    """What came out of a network, as float32 at least: losses and statistics are computed in it."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
