"""The LSGAN authors' pair for synthetic digits at 28×28 (Mao et al., TPAMI 2019; arXiv 1712.06391)."""

from torch import nn

from lsgan.architectures.blocks import enlarge, normalised, project
from lsgan.architectures.conditioning import NONE, conditioned
from lsgan.architectures.networks import Networks, init_dcgan
from lsgan.architectures.shapes import Resolution

SHAPES = Resolution(28)


def lsgan_synthetic_digits(
    shape: tuple[int, ...], z_dim: int, num_classes: int = 0, *, conditioning: str = NONE, label_dim: int = 16
) -> Networks:
    """The 28×28 pair; 4,944,129 (G, with z_dim 100) and 1,252,671 (D) parameters for grey images.

    Args:
        shape: of one sample, (channels, 28, 28).
        z_dim: dimension of z; the paper's is 100.
        num_classes: labels are in [0, num_classes); 0 without conditioning.
        conditioning, label_dim: how both networks are told the class, if at all; see `conditioned`.

    Raises:
        ValueError: points, a resolution other than 28, or what `conditioned` refuses.
    """
    return conditioned(_pair, shape, z_dim, num_classes, conditioning, label_dim)


def _pair(shape: tuple[int, ...], z_dim: int) -> Networks:
    SHAPES.expect("lsgan_synthetic_digits", shape)
    channels = shape[0]
    generator = nn.Sequential(
        *project(z_dim, 512, base=4),
        *normalised(enlarge(512, 256, odd=True)),  # [N, 256, 7, 7]
        *normalised(enlarge(256, 128)),  # [N, 128, 14, 14]
        enlarge(128, channels),  # [N, channels, 28, 28]
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(channels, 20, 5, stride=2, padding=2),  # [N, 20, 14, 14]
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(20, 50, 5, stride=2, padding=2),  # [N, 50, 7, 7]
        nn.BatchNorm2d(50),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Flatten(),
        nn.Linear(50 * 7 * 7, 500),
        nn.BatchNorm1d(500),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Linear(500, 1),
    )
    return Networks(generator.apply(init_dcgan), discriminator.apply(init_dcgan))
