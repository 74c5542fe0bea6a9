"""The LSGAN paper's VGG-inspired pair for LSUN scenes (Mao et al., ICCV 2017, figure 3)."""

from torch import nn

from lsgan.architectures.conditioning import NONE, conditioned
from lsgan.architectures.dcgan import dcgan_discriminator
from lsgan.architectures.networks import Networks, init_dcgan
from lsgan.architectures.shapes import Resolution

SHAPES = Resolution(112)


def lsgan_lsun(
    shape: tuple[int, ...], z_dim: int, num_classes: int = 0, *, conditioning: str = NONE, label_dim: int = 16
) -> Networks:
    """The 112×112 pair; 15,591,427 (G, with z_dim 1024) and 4,333,441 (D) parameters for RGB images.

    Args:
        shape: of one sample, (channels, 112, 112).
        z_dim: dimension of z; the paper's is 1024.
        num_classes: labels are in [0, num_classes); 0 without conditioning.
        conditioning, label_dim: how both networks are told the class, if at all; see `conditioned`.

    Raises:
        ValueError: points, a resolution other than 112, or what `conditioned` refuses.
    """
    return conditioned(_pair, shape, z_dim, num_classes, conditioning, label_dim)


def _pair(shape: tuple[int, ...], z_dim: int) -> Networks:
    SHAPES.expect("lsgan_lsun", shape)
    channels = shape[0]
    generator = nn.Sequential(
        nn.Linear(z_dim, 256 * 7 * 7),
        nn.Unflatten(1, (256, 7, 7)),
        nn.BatchNorm2d(256),
        nn.ReLU(inplace=True),
        *_deconvolution(256, 256, stride=2),  # [N, 256, 14, 14]
        *_deconvolution(256, 256, stride=1),
        *_deconvolution(256, 256, stride=2),  # [N, 256, 28, 28]
        *_deconvolution(256, 256, stride=1),
        *_deconvolution(256, 128, stride=2),  # [N, 128, 56, 56]
        *_deconvolution(128, 64, stride=2),  # [N, 64, 112, 112]
        nn.ConvTranspose2d(64, channels, 3, padding=1),
        nn.Tanh(),
    )
    discriminator = dcgan_discriminator(channels, base=7, widths=[64, 128, 256, 512])
    return Networks(generator.apply(init_dcgan), discriminator.apply(init_dcgan))


def _deconvolution(n_in: int, n_out: int, stride: int) -> list[nn.Module]:
    return [
        nn.ConvTranspose2d(n_in, n_out, 3, stride=stride, padding=1, output_padding=stride - 1),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    ]
