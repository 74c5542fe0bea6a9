"""What extractors with a network share: samples in chunks, in full precision, through a network that learns nothing."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch import Tensor, nn

from lsgan.evaluation.extractors.inputs import require_images
from lsgan.evaluation.features import Extracted

# Images at once. The first layers of a network that sees 224×224 pixels take 5 MB for each: with 64 at once on a CPU
# more time went into getting that memory than into the network.
_CHUNK, _CHUNK_ON_GPU = 16, 128


class NetworkExtractor(ABC):
    """A subclass tells its input and its network, whose output is (features [N, dim], logits [N, classes])."""

    name: ClassVar[str]
    dim: ClassVar[int]
    rule: ClassVar[str]
    classes: ClassVar[int]

    def __init__(self) -> None:
        self._network: nn.Module | None = None
        self._device = torch.device("cpu")
        self._digest = ""

    @property
    def digest(self) -> str:
        """SHA-256 of the weights; there is one once they are loaded."""
        if not self._digest:
            raise RuntimeError(f"features={self.name} is not loaded yet")
        return self._digest

    @abstractmethod
    def network(self) -> tuple[nn.Module, str]:
        """The network with its weights, on the CPU, and their SHA-256. Raises LsganError if they cannot be had."""

    @abstractmethod
    def prepared(self, images: Tensor) -> Tensor:
        """uint8 [N, 1 or 3, H, W] -> the network's input."""

    def load(self, device: torch.device) -> None:
        """Gets the weights, the first time, and puts them on the device."""
        if self._network is None:
            with torch.random.fork_rng(devices=[]):  # the first values of weights are drawn, in vain
                network, self._digest = self.network()
            self._network = network.eval().requires_grad_(False)
        self._device = torch.device(device)
        self._network.to(self._device)

    def __call__(self, samples: Tensor) -> Extracted:
        """uint8 images [N, 1 or 3, H, W] -> features [N, dim] and probabilities [N, classes]."""
        require_images(samples, self.name)
        if self._network is None:
            raise RuntimeError(f"features={self.name} is not loaded yet")
        features, probabilities = [], []
        chunk_size = _CHUNK if self._device.type == "cpu" else _CHUNK_ON_GPU
        with full_precision(self._device):
            for chunk in samples.split(chunk_size):
                found, logits = self._network(self.prepared(chunk.to(self._device)))
                features.append(found.float().cpu())
                probabilities.append(logits.float().softmax(dim=1).cpu())
        return Extracted(torch.cat(features), torch.cat(probabilities))


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """float32 throughout, without gradients, the same bits each time, whatever the training around it is set to."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic
    matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic = False, False, False, True
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic = before
