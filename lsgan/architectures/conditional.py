"""Networks that are told the class of a sample: generator(z, labels), discriminator(samples, labels)."""

from typing import Any

import torch
from torch import Tensor, nn

from lsgan.architectures.dcgan import dcgan
from lsgan.architectures.networks import Networks


class LabelMap(nn.Module):
    """Φ(y) of the LSGAN paper (ICCV 2017, section 3.3): labels [N] -> vectors [N, dim].

    The paper multiplies one-hot vectors by a matrix and adds a bias; looking the row up gives the same vector
    without a one-hot array of thousands of classes.
    """

    def __init__(self, num_classes: int, dim: int) -> None:
        super().__init__()
        self.rows = nn.Embedding(num_classes, dim)
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, labels: Tensor) -> Tensor:
        return self.rows(labels) + self.bias


class ConditionalGenerator(nn.Module):
    """A generator of [z, Φ(y)].

    Args:
        generator: of vectors [N, z_dim + the label map's dim].
        label_map: Φ.
    """

    def __init__(self, generator: nn.Module, label_map: LabelMap) -> None:
        super().__init__()
        self.generator, self.label_map = generator, label_map

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """z [N, z_dim] and labels [N] -> samples [N, *shape]."""
        return self.generator(torch.cat([z, self.label_map(labels)], 1))


class ConditionalDiscriminator(nn.Module):
    """A discriminator of images that carry Φ(y) as further maps, each of one value (Mirza & Osindero, 2014).

    On the digits the generator keeps five sixths of the real images' spread within a class; under a projection
    discriminator (Miyato & Koyama, 2018) it kept two thirds at best.

    Args:
        discriminator: of images [N, channels + the label map's dim, H, W].
        label_map: Φ.
    """

    def __init__(self, discriminator: nn.Module, label_map: LabelMap) -> None:
        super().__init__()
        self.discriminator, self.label_map = discriminator, label_map

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Images [N, channels, H, W] and labels [N] -> logits [N, 1]."""
        return self.discriminator(with_maps(images, self.label_map(labels)))


def with_maps(images: Tensor, vectors: Tensor) -> Tensor:
    """[N, C, H, W] and [N, dim] -> [N, C + dim, H, W]: each entry of a vector as a map of one value."""
    maps = vectors[:, :, None, None].expand(-1, -1, *images.shape[2:])
    return torch.cat([images, maps], 1)


def dcgan_conditional(
    shape: tuple[int, ...],
    z_dim: int,
    num_classes: int,
    *,
    width: int = 64,
    kernel_size: int = 5,
    label_dim: int = 16,
    generator_batch_norm: bool = True,
    discriminator_batch_norm: bool = True,
) -> Networks:
    """A DCGAN pair that is told the class, otherwise as `dcgan`.

    Args:
        num_classes: labels are in [0, num_classes).
        label_dim: dimension of each network's Φ(y), whose entries begin as N(0, 1), as z's do. If it is not much
            smaller than z_dim, G learns to go by the class and to ignore z.

    Raises:
        ValueError: label_dim < 1, or what `dcgan` refuses.
    """
    if label_dim < 1:
        raise ValueError(f"label_dim={label_dim} must be at least 1")
    settings: dict[str, Any] = {
        "width": width,
        "kernel_size": kernel_size,
        "generator_batch_norm": generator_batch_norm,
        "discriminator_batch_norm": discriminator_batch_norm,
    }
    generator = dcgan(shape, z_dim + label_dim, **settings).generator
    channels, *size = shape
    discriminator = dcgan((channels + label_dim, *size), z_dim, **settings).discriminator
    return Networks(
        ConditionalGenerator(generator, LabelMap(num_classes, label_dim)),
        ConditionalDiscriminator(discriminator, LabelMap(num_classes, label_dim)),
    )
