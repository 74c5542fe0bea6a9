"""The weight gradient of a wide strided convolution as a matrix product, where the library's own kernel is slow.

From 256 to 512 channels oneDNN's bf16 kernel for it takes two to three times as long, and was the largest single cost
of a DCGAN's step on a CPU. Narrower ones are better left to it.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_WIDE = (256, 512)  # channels on the narrow and the wide side, at least


def use_matrix_products(network: nn.Module) -> None:
    """Lets every convolution below `network` that gains by it compute its weight gradient as a matrix product.

    Only under autocast to bf16 on the CPU. Parameters, names and results stay, the latter up to rounding.
    """
    for module in network.modules():
        if type(module) is nn.Conv2d and _gains(module):
            module.__class__ = WideConv2d
        elif type(module) is nn.ConvTranspose2d and _gains(module):
            module.__class__ = WideConvTranspose2d


def _gains(module: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    channels = sorted((module.in_channels, module.out_channels))
    plain = module.dilation == (1, 1) and module.groups == 1 and module.padding_mode == "zeros"
    wide = channels[0] >= _WIDE[0] and channels[1] >= _WIDE[1]
    return plain and wide and module.stride == (2, 2) and not isinstance(module.padding, str)


class WideConv2d(nn.Conv2d):
    """A convolution with the weight gradient of this module."""

    def forward(self, input: Tensor) -> Tensor:
        """[N, in, H, W] -> [N, out, H', W']."""
        if not _in_bf16(input):
            return super().forward(input)
        return _convolve(input, self, (0, 0))


class WideConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution with the weight gradient of this module."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """[N, in, H, W] -> [N, out, H', W']."""
        if output_size is not None or not _in_bf16(input):
            return super().forward(input, output_size)
        return _convolve(input, self, self.output_padding)


def _in_bf16(input: Tensor) -> bool:
    return input.device.type == "cpu" and torch.is_autocast_enabled("cpu")


def _convolve(input: Tensor, module: nn.Conv2d | nn.ConvTranspose2d, output_padding: Any) -> Tensor:
    # cast in each call: autocast's cache of cast weights is not open to others
    weight, bias = module.weight.bfloat16(), None if module.bias is None else module.bias.bfloat16()
    return _Convolution.apply(
        input.bfloat16(), weight, bias, module.stride, module.padding, output_padding, module.transposed
    )


class _Convolution(torch.autograd.Function):
    """PyTorch's convolution but for the gradient of the weight."""

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        output_padding: tuple[int, int],
        transposed: bool,
    ) -> Tensor:
        ctx.save_for_backward(input, weight)
        ctx.geometry = (stride, padding, (1, 1), transposed, output_padding, 1)
        return torch.convolution(input, weight, bias, *ctx.geometry)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        input, weight = ctx.saved_tensors
        stride, padding, _, transposed, *_ = ctx.geometry
        of_input, of_weight, of_bias, *_ = ctx.needs_input_grad
        d_input = d_weight = d_bias = None
        if of_input:
            only_input = (True, False, False)
            d_input, *_ = torch.ops.aten.convolution_backward(gradient, input, weight, None, *ctx.geometry, only_input)
        if of_weight:
            large, small = (gradient, input) if transposed else (input, gradient)
            d_weight = _correlation(large, small, tuple(weight.shape[2:]), stride, padding)
        if of_bias:
            d_bias = gradient.sum((0, 2, 3))
        return d_input, d_weight, d_bias, None, None, None, None


def _correlation(
    large: Tensor, small: Tensor, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """[small C, large C, *kernel]: the sum over n, i, j of small[n, :, i, j] times the patch of large[n] there."""
    height, width = small.shape[2:]
    padded = nn.functional.pad(large, (padding[1], padding[1], padding[0], padding[0])).permute(0, 2, 3, 1)
    patches = padded.unfold(1, kernel[0], stride[0]).unfold(2, kernel[1], stride[1])  # [N, H, W, C, *kernel]
    patches = patches[:, :height, :width].permute(0, 1, 2, 4, 5, 3)
    rows = patches.reshape(small.shape[0] * height * width, -1)
    weights = small.permute(0, 2, 3, 1).reshape(len(rows), -1).t() @ rows
    return weights.view(small.shape[1], *kernel, large.shape[1]).permute(0, 3, 1, 2)
