"""DCGAN (Radford et al., 2016; arXiv 1511.06434) at any resolution 4·2^k or 7·2^k."""

from itertools import pairwise

from torch import nn

from lsgan.architectures.conditioning import NONE, conditioned
from lsgan.architectures.networks import Networks, init_dcgan
from lsgan.architectures.shapes import Doublings

SHAPES = Doublings(4, 7)


def dcgan(
    shape: tuple[int, ...],
    z_dim: int,
    num_classes: int = 0,
    *,
    width: int = 64,
    kernel_size: int = 5,
    generator_batch_norm: bool = True,
    discriminator_batch_norm: bool = True,
    conditioning: str = NONE,
    label_dim: int = 16,
) -> Networks:
    """A DCGAN pair. At 64×64 with z_dim 1024 it is the network of the LSGAN stability experiments.

    Each stride-2 layer pads symmetrically; TensorFlow's SAME (the authors' code) pads one pixel less
    at the top and left for 5×5 kernels, which shifts maps by a pixel and leaves parameters alone.

    Args:
        shape: of one sample, (channels, resolution, resolution).
        z_dim: dimension of z.
        num_classes: labels are in [0, num_classes); 0 without conditioning.
        width: channels beside the image; they double towards the 4×4 (or 7×7) end, up to 8·width.
        kernel_size: of every convolution, 3 to 5: 5 is the paper's, 4 the usual PyTorch DCGAN's.
        generator_batch_norm: batch norm in G after every layer but the last.
        discriminator_batch_norm: batch norm in D after every convolution but the first.
        conditioning, label_dim: how both networks are told the class, if at all; see `conditioned`.

    Raises:
        ValueError: points, a resolution that is neither 4·2^k nor 7·2^k with k ≥ 1, width < 1, a
            kernel_size outside 3 to 5, or what `conditioned` refuses.
    """
    if width < 1:
        raise ValueError(f"width={width} must be at least 1")
    if kernel_size not in (3, 4, 5):
        raise ValueError(f"kernel_size={kernel_size} must be 3, 4 or 5")

    def pair(shape: tuple[int, ...], z_dim: int) -> Networks:
        SHAPES.expect("dcgan", shape)
        channels, resolution, _ = shape
        base, halvings = SHAPES.base_and_doublings(resolution)
        widths = [width * min(2**i, 8) for i in range(halvings)]  # from the image inwards
        generator = _generator(channels, base, widths[::-1], z_dim, kernel_size, generator_batch_norm)
        discriminator = dcgan_discriminator(channels, base, widths, kernel_size, discriminator_batch_norm)
        return Networks(generator.apply(init_dcgan), discriminator.apply(init_dcgan))

    return conditioned(pair, shape, z_dim, num_classes, conditioning, label_dim)


def dcgan_discriminator(
    channels: int, base: int, widths: list[int], kernel_size: int = 5, batch_norm: bool = True
) -> nn.Sequential:
    """D: images -> logits [N, 1]; one stride-2 convolution for each entry of `widths`, then a linear layer."""
    layers: list[nn.Module] = []
    for i, (n_in, n_out) in enumerate(pairwise([channels, *widths])):
        layers.append(nn.Conv2d(n_in, n_out, kernel_size, stride=2, padding=(kernel_size - 1) // 2))
        if batch_norm and i > 0:
            layers.append(nn.BatchNorm2d(n_out))
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    layers += [nn.Flatten(), nn.Linear(widths[-1] * base * base, 1)]
    return nn.Sequential(*layers)


def _generator(
    channels: int, base: int, widths: list[int], z_dim: int, kernel_size: int, batch_norm: bool
) -> nn.Sequential:
    def normalise(n: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(n)] if batch_norm else []

    def double(n_in: int, n_out: int) -> nn.Module:
        return nn.ConvTranspose2d(
            n_in, n_out, kernel_size, stride=2, padding=(kernel_size - 1) // 2, output_padding=kernel_size % 2
        )

    layers = [nn.Linear(z_dim, widths[0] * base * base), nn.Unflatten(1, (widths[0], base, base))]
    layers += [*normalise(widths[0]), nn.ReLU(inplace=True)]
    for n_in, n_out in pairwise(widths):
        layers += [double(n_in, n_out), *normalise(n_out), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, double(widths[-1], channels), nn.Tanh())
