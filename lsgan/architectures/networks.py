"""What every architecture returns, and the first values of its weights."""

from typing import NamedTuple

from torch import nn


class Networks(NamedTuple):
    """A generator z [N, z_dim] -> samples [N, *shape], and a discriminator samples -> logits [N, 1].

    Those of an architecture with a parameter `num_classes` take labels, int64 [N], as a second argument.
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


def expect_images(name: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """(channels, resolution) of an image shape (channels, resolution, resolution).

    Raises:
        ValueError: the shape is that of points.
    """
    if len(shape) != 3:
        raise ValueError(f"{name} makes square images, but the data set holds points of shape {shape}: use mlp")
    channels, resolution, _ = shape
    return channels, resolution


def expect_resolution(name: str, shape: tuple[int, ...], resolution: int) -> int:
    """The channels of an image shape of this resolution.

    Raises:
        ValueError: the shape is that of points, or of another resolution.
    """
    channels, actual = expect_images(name, shape)
    if actual != resolution:
        raise ValueError(f"{name} cannot make resolution {actual}: it must be {resolution} (dcgan makes others)")
    return channels
