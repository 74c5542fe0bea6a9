"""An exponential moving average of G's weights: what samples are drawn from."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_RAMP_UP = 0.05  # the half-life is at most this share of the images seen, so early samples do not lag


class Ema:
    """Averages weights and batch-norm statistics with a half-life in images, and copies every other buffer.

    Only the two former mean something on average. Spectral norm's singular vectors, for example, do not: between two
    unit vectors lies none, and a layer divided by a wrong norm is a larger layer. Batch norm's count of its batches
    stays what it was.

    The half-life in images and its ramp-up follow StyleGAN2-ADA (Karras et al., 2020; arXiv 2006.06676).

    Args:
        generator: the network to follow; it is copied.
        halflife_images: images after which a weight's share has halved; 0 follows G exactly.
    """

    def __init__(self, generator: nn.Module, halflife_images: float) -> None:
        self.module = copy.deepcopy(generator).eval().requires_grad_(False)
        self._halflife_images = halflife_images

    @torch.no_grad()
    def update(self, generator: nn.Module, batch_size: int, images_seen: int) -> None:
        """Moves towards `generator` after a batch; `images_seen` counts that batch too."""
        halflife = min(self._halflife_images, _RAMP_UP * images_seen)
        keep = 0.5 ** (batch_size / halflife) if halflife > 0 else 0.0
        (averaged, copied), (now_averaged, now_copied) = _split(self.module), _split(generator)
        torch._foreach_lerp_(averaged, now_averaged, 1 - keep)
        if copied:
            torch._foreach_copy_(copied, now_copied)

    def state_dict(self) -> dict[str, Any]:
        """That of the averaged network: a checkpoint of it is one of a generator."""
        return self.module.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state)


def _split(network: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """What is averaged of a network, and what is copied."""
    averaged, copied = [weight.detach() for weight in network.parameters()], []
    for module in network.modules():
        for buffer in module._buffers.values():
            if buffer is None:
                continue
            if not isinstance(module, _BatchNorm):
                copied.append(buffer)
            elif buffer.is_floating_point():  # the running mean and variance
                averaged.append(buffer)
    return averaged, copied
