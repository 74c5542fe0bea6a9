"""The Inception v3 of FID: TensorFlow's weights of 2015-12-05 in torch-fidelity's network, as in published numbers."""

import io
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from lsgan.errors import LsganError
from lsgan.evaluation.extractors.inputs import as_rgb
from lsgan.evaluation.extractors.network import NetworkExtractor
from lsgan.evaluation.extractors.weights import fetch_weights, read_weights

# torch-fidelity's; the original weights are under Apache-2.0.
URL = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"


class Inception(NetworkExtractor):
    """2,048 features, the last average pooling, and 1,008 classes.

    The logits are without their bias, as the Inception Score has been computed since its authors' code
    (arXiv 1606.03498).

    Args:
        cache: a folder for the downloaded weights.
        weights: a file with them; None: downloaded, 96 MB, the first time.
        url: where they are downloaded from.
    """

    name: ClassVar[str] = "inception"
    dim: ClassVar[int] = 2048
    rule: ClassVar[str] = "TensorFlow 1's bilinear to 299×299, no antialias, grey repeated to RGB, (x−128)/128"
    classes: ClassVar[int] = 1008

    def __init__(self, cache: Path, weights: Path | None = None, url: str = URL) -> None:
        super().__init__()
        self._cache, self._weights, self._url = Path(cache).expanduser(), weights, url

    def network(self) -> tuple[nn.Module, str]:
        if self._weights is None:
            path = fetch_weights(self._url, SHA256, self._cache)
            state, digest = read_weights(path, SHA256)
        else:
            path = Path(self._weights).expanduser()
            state, digest = read_weights(path)
        try:
            return InceptionV3(state), digest
        except RuntimeError as error:
            raise LsganError(f"the weights {path} are not those of FID's Inception: other names or shapes") from error

    def prepared(self, images: Tensor) -> Tensor:
        """uint8 [N, 1 or 3, H, W] -> uint8 [N, 3, H, W]; the network itself resizes and scales."""
        return as_rgb(images)


class InceptionV3(nn.Module):
    """torch-fidelity's network with these weights. Raises RuntimeError if they are another network's."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        try:
            from torch_fidelity import FeatureExtractorInceptionV3
        except ImportError as error:
            raise LsganError("features=inception needs the package torch-fidelity: install it") from error
        super().__init__()
        # It always reads a file, and would run what is in it: it is given one of ours, of tensors that are known.
        buffer = io.BytesIO()
        torch.save(state, buffer)
        buffer.seek(0)
        self._network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"], buffer)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 [N, 3, H, W] -> features [N, 2048] and logits [N, 1008] without bias."""
        return self._network(images)
