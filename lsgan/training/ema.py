"""An exponential moving average of G's weights: what samples are drawn from."""

import copy

import torch
from torch import Tensor, nn

_RAMP_UP = 0.05  # the half-life is at most this share of the images seen, so early samples do not lag


class Ema:
    """Averages parameters and batch-norm statistics with a half-life in images.

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
        torch._foreach_lerp_(_floats(self.module), _floats(generator), 1 - keep)


def _floats(module: nn.Module) -> list[Tensor]:
    return [t.detach() for t in (*module.parameters(), *module.buffers()) if t.is_floating_point()]
