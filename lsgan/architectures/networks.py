"""What every architecture returns, and the first values of its weights."""

from typing import NamedTuple

from torch import nn


class Networks(NamedTuple):
    """A generator z [N, z_dim] -> samples [N, *shape], and a discriminator samples -> logits [N, 1].

    Networks that are told the class take labels, int64 [N], as a second argument (conditioning.py).
    """

    generator: nn.Module
    discriminator: nn.Module


def init_dcgan(module: nn.Module) -> None:
    """The LSGAN authors' first values: convolutions truncated normal, the rest normal, std 0.02, biases 0."""
    if isinstance(module, nn.Conv2d):
        # TensorFlow truncates at two standard deviations.
        nn.init.trunc_normal_(module.weight, std=0.02, a=-0.04, b=0.04)
    elif isinstance(module, (nn.ConvTranspose2d, nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)) and module.bias is not None:
        nn.init.zeros_(module.bias)
