"""A small network that reads handwritten digits, trained here within seconds: features of digits, from no download.

It is trained in double precision, by gradient descent with momentum, on one thread, and its weights are rounded to
multiples of 2^-12 afterwards. Instruction sets add in different orders, which changed weights by 1e-15 at most (with
AVX2 and without): after the rounding they were the same bits, and with them the digest in the label. Should a weight
lie that close to the middle of two multiples on some machine, the digest there is another one, and the label says so.
"""

import hashlib
import io
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from lsgan.evaluation.extractors.inputs import as_grey, resized
from lsgan.evaluation.extractors.network import NetworkExtractor
from lsgan.files import lock, write_atomically
from lsgan.streams import stream

log = logging.getLogger(__name__)

_VERSION = 1  # of the network and of how it is trained: another one makes another file
_SIZE = 32  # pixels a side
_MEAN, _STD = 0.3, 0.32  # of the digits' pixels
_HELD_OUT = 360  # digits
_EPOCHS, _BATCH = 10, 32
_RATE, _MOMENTUM = 0.03, 0.9  # the rate falls to 0
_SHIFT = 2  # pixels at most, of a batch of digits as it is seen in training
_CHANNELS = (1, 8, 16, 32)
_GRID = 2**12


class Digits(NetworkExtractor):
    """64 features: the layer before the last of a small convolutional network, trained on scikit-learn's digits.

    Args:
        cache: a folder for the trained network.
    """

    name: ClassVar[str] = "digits"
    dim: ClassVar[int] = 64
    rule: ClassVar[str] = "grey (BT.601), bilinear to 32×32, antialias, /255"
    classes: ClassVar[int] = 10

    def __init__(self, cache: Path) -> None:
        super().__init__()
        self._cache = Path(cache).expanduser()
        self.accuracy = 0.0  # share of held-out digits that are read right, once it is loaded

    def network(self) -> tuple[nn.Module, str]:
        content = self._kept_or_trained()
        network = DigitsNetwork()
        network.load_state_dict(content["state"])
        self.accuracy = content["accuracy"]
        log.info("features=digits reads %.1f%% of %d held-out digits right", 100 * self.accuracy, _HELD_OUT)
        return network, content["digest"]

    def prepared(self, images: Tensor) -> Tensor:
        """uint8 [N, 1 or 3, H, W] -> float32 [N, 1, 32, 32] in [0, 1]."""
        return resized(as_grey(images), _SIZE) / 255

    def _kept_or_trained(self) -> dict[str, Any]:
        """From the cache, or made and put there; a folder that cannot be written costs the seconds each time."""
        path = self._cache / f"digits-{_VERSION}.pt"
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            with lock(path.with_name(f".{path.name}.lock"), "training features=digits"):
                content = _kept(path)
                if content is None:
                    content = _trained()
                    buffer = io.BytesIO()
                    torch.save(content, buffer)
                    write_atomically(path, buffer.getvalue())
                return content
        except OSError as error:
            log.warning("features=digits cannot be kept in %s (%s)", self._cache, error.strerror or error)
            return _kept(path) or _trained()


class DigitsNetwork(nn.Module):
    """Three convolutions, each halving the image, and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1) for before, after in pairwise(_CHANNELS)
        )
        self.hidden, self.last = nn.Linear(_CHANNELS[-1] * 4 * 4, Digits.dim), nn.Linear(Digits.dim, Digits.classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[N, 1, 32, 32] in [0, 1] -> features [N, 64] and logits [N, 10]."""
        x = (x - _MEAN) / _STD
        for convolution in self.convolutions:
            x = F.relu(convolution(x))
        features = F.relu(self.hidden(x.flatten(1)))
        return features, self.last(features)


def _kept(path: Path) -> dict[str, Any] | None:
    """What the file holds; None if there is none, or it is not what was written."""
    if not path.is_file():
        return None
    try:
        content = torch.load(path, weights_only=True)
        if _digest(content["state"]) != content["digest"]:
            reason = "it does not have its checksum"
        elif _shapes(content["state"]) != _shapes(DigitsNetwork().state_dict()):
            reason = "it is of another network"
        else:
            return {**content, "accuracy": float(content["accuracy"])}
    except Exception as error:  # torch.load raises nearly anything on a damaged file
        reason = type(error).__name__
    log.warning("%s is damaged (%s): the network is trained anew", path, reason)
    return None


def _trained() -> dict[str, Any]:
    """The network's weights, float32, with their digest and how well it reads digits that it has not seen."""
    began = time.perf_counter()
    images, labels = _digits()
    order = torch.randperm(len(images), generator=stream(0, "features=digits, held out"))
    held_out, seen = order[:_HELD_OUT], order[_HELD_OUT:]
    with _one_thread(), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        network = _fit(images[seen], labels[seen])
        right = network(images[held_out])[1].argmax(dim=1) == labels[held_out]
    state = {name: value.float() for name, value in network.state_dict().items()}
    log.info("features=digits was trained on %d digits in %.1f s", len(seen), time.perf_counter() - began)
    return {"state": state, "digest": _digest(state), "accuracy": right.double().mean().item()}


def _digits() -> tuple[Tensor, Tensor]:
    """scikit-learn's digits, float64 [N, 1, 32, 32] in [0, 1], and their labels, int64 [N]."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    small = np.round(digits.images * (255 / 16)).astype(np.uint8)  # [N, 8, 8]
    size = (_SIZE, _SIZE)
    images = np.stack([np.asarray(Image.fromarray(i).resize(size, Image.Resampling.BILINEAR)) for i in small])
    return torch.from_numpy(images).double().unsqueeze(1) / 255, torch.from_numpy(digits.target).long()


def _fit(images: Tensor, labels: Tensor) -> DigitsNetwork:
    """Gradient descent without anything that divides by small numbers, which would magnify what rounding leaves."""
    network = DigitsNetwork().double()
    generator = stream(0, "features=digits, weights")
    for module in [*network.convolutions, network.hidden, network.last]:
        nn.init.kaiming_uniform_(module.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(module.bias)
    optimizer = torch.optim.SGD(network.parameters(), lr=_RATE, momentum=_MOMENTUM)
    batches = [batch for epoch in range(_EPOCHS) for batch in _batches(len(images), epoch)]
    for step, batch in enumerate(batches):
        optimizer.param_groups[0]["lr"] = _RATE * (1 - step / len(batches))
        optimizer.zero_grad()
        F.cross_entropy(network(_shifted(images[batch], step))[1], labels[batch]).backward()
        optimizer.step()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_((parameter * _GRID).round() / _GRID)
    return network


def _batches(num: int, epoch: int) -> Iterator[Tensor]:
    """Indices of `num` digits in the order of this epoch; what is left over is left out."""
    order = torch.randperm(num, generator=stream(0, "features=digits, order", epoch))
    return (batch for batch in order.split(_BATCH) if len(batch) == _BATCH)


def _shifted(images: Tensor, step: int) -> Tensor:
    """All alike, a few pixels; what leaves on one side comes in on the other, and is black."""
    shifts = torch.randint(-_SHIFT, _SHIFT + 1, (2,), generator=stream(0, "features=digits, shift", step))
    return images.roll(shifts.tolist(), dims=(2, 3))


def _shapes(state: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}


def _digest(state: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(f"{name} {[*value.shape]}\n".encode())
        digest.update(value.numpy().astype("<f4").tobytes())
    return digest.hexdigest()


@contextmanager
def _one_thread() -> Iterator[None]:
    """So that sums are taken in one order, however many threads a machine has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
