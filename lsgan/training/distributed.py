"""Several processes that train one model together: torchrun starts them, DistributedDataParallel averages gradients.

A half step communicates once: the gradients of its network, averaged while the backward pass still runs. A number
travels with them, whether somebody wants to stop, so that all ranks decide alike without further words.
Batch norm exchanges its statistics besides (sync_batch_norm.py).
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lsgan.errors import LsganError
from lsgan.training.interrupt import Stop
from lsgan.training.meeting import Meeting
from lsgan.training.state import TrainState
from lsgan.training.sync_batch_norm import synchronise_batch_norm
from lsgan.world import World

_PATIENCE = timedelta(days=7)  # how long ranks wait for rank 0's observers


class Together:
    """This process as one of several, all of which ask for the same things in the same order.

    Args:
        world: of a group that has been joined.
        patient: the same ranks as a group that waits for hours.
    """

    def __init__(self, world: World, patient: dist.ProcessGroup) -> None:
        self._world, self._patient = world, patient
        self._reducers: dict[nn.Module, DistributedDataParallel] = {}
        self._asked, self._answer = False, torch.zeros(())

    def share(self, state: TrainState, *, sync_batch_norm: bool) -> None:
        """Rank 0's weights, averages, optimizers and step replace those of the others, which have the same networks.

        These stay as they are, so checkpoints do not tell how many ranks wrote them. `sync_batch_norm`: batch norm sees
        the global batch, not each rank's part alone.
        """
        _copy_from_main(state, self._world)
        for network in (state.discriminator, state.generator):
            self._reducers[network] = _reducer(network, sync_batch_norm)

    def backward(self, network: nn.Module, loss: Tensor) -> None:
        """The network's gradients, averaged over the ranks."""
        reducer = self._reducers[network]
        reducer.module.asked.grad = None
        reducer(loss, float(self._asked)).backward()
        self._answer = reducer.module.asked.grad

    def gather(self, values: Tensor) -> Tensor:
        """[N / ranks, ...] of each rank -> [N, ...]; rank 0 may come late."""
        self.wait_for_main()
        parts = [torch.empty_like(values) for _ in range(self._world.size)]
        dist.all_gather(parts, values.contiguous())
        return torch.cat(parts)

    def stopping(self, stop: Stop) -> bool:
        """Whether a rank has asked for it."""
        self._asked = stop.is_set()  # the next step tells the others, and then all of them stop
        return bool(self._answer > 0)

    def wait_for_main(self) -> None:
        """Rank 0 itself waits for nobody here, so that it notices a rank that hangs in its usual time."""
        dist.broadcast(torch.zeros(1), src=0, group=self._patient)


class _WithMessage(nn.Module):
    """A loss whose backward pass also averages a number over the ranks, as the gradient of a parameter of value 0.

    The network's forward pass is not in here: DistributedDataParallel only has to know that a backward pass comes, and
    which parameters' gradients it brings. Nor are its buffers, which it would broadcast again and again.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.parameters_of_network = nn.ParameterList(network.parameters())  # frozen ones stay frozen
        self.asked = nn.Parameter(next(network.parameters()).new_zeros(()))

    def forward(self, loss: Tensor, asked: float) -> Tensor:
        return loss + self.asked * asked


def _reducer(network: nn.Module, sync_batch_norm: bool) -> DistributedDataParallel:
    if sync_batch_norm:
        synchronise_batch_norm(network)
    # Of a convolution with one channel there are several ways to write the strides; nothing is lost by it.
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    return DistributedDataParallel(_WithMessage(network), gradient_as_bucket_view=True)


def _copy_from_main(state: TrainState, world: World) -> None:
    file = BytesIO()
    if world.is_main:
        torch.save(state.state_dict(), file)
    sent = [file.getvalue()]
    dist.broadcast_object_list(sent)
    if not world.is_main:
        state.load_state_dict(torch.load(BytesIO(sent[0]), map_location="cpu", weights_only=True))


@contextmanager
def joined(
    world: World, device: torch.device, timeout_seconds: float, meeting: Meeting | None = None
) -> Iterator[Together]:
    """A group of all ranks of `world`, in the body.

    Every rank must have its data ready: the group waits for each as long as that takes, but in the body a rank that
    others have waited for in vain for `timeout_seconds` is taken for dead.

    Args:
        world: the ranks.
        device: of this one.
        timeout_seconds: in the body.
        meeting: of the same ranks, if this one has said before that it is there.

    Raises:
        LsganError: another rank died, hangs, or was never started.
    """
    try:
        _join(meeting or Meeting(world), world, device, timedelta(seconds=timeout_seconds))
        patient = dist.new_group(backend="gloo", timeout=_PATIENCE)
        assert isinstance(patient, dist.ProcessGroup)  # not a number: this rank is in it
        yield Together(world, patient)
    except RuntimeError as error:
        if not (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise
        raise LsganError(
            f"rank {world.rank} of {world.size} has lost another rank, or waited {timeout_seconds:g} s for it in vain: "
            "the first error of the job tells why; started again, the run goes on from its last checkpoint"
        ) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _join(meeting: Meeting, world: World, device: torch.device, timeout: timedelta) -> None:
    store = dist.PrefixStore(meeting.meet(), meeting.store)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=world.rank, world_size=world.size, timeout=timeout)
