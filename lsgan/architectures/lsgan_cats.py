"""The LSGAN authors' pair for aligned cat faces at 128×128 (Mao et al., TPAMI 2019; arXiv 1712.06391)."""

from torch import nn

from lsgan.architectures.blocks import enlarge, normalised, project
from lsgan.architectures.conditioning import NONE, conditioned
from lsgan.architectures.dcgan import dcgan_discriminator
from lsgan.architectures.networks import Networks, init_dcgan
from lsgan.architectures.shapes import Resolution

SHAPES = Resolution(128)


def lsgan_cats(
    shape: tuple[int, ...], z_dim: int, num_classes: int = 0, *, conditioning: str = NONE, label_dim: int = 16
) -> Networks:
    """The 128×128 pair; 7,682,051 (G, with z_dim 100) and 4,341,121 (D) parameters for RGB images.

    Args:
        shape: of one sample, (channels, 128, 128).
        z_dim: dimension of z; the paper's is 100.
        num_classes: labels are in [0, num_classes); 0 without conditioning.
        conditioning, label_dim: how both networks are told the class, if at all; see `conditioned`.

    Raises:
        ValueError: points, a resolution other than 128, or what `conditioned` refuses.
    """
    return conditioned(_pair, shape, z_dim, num_classes, conditioning, label_dim)


def _pair(shape: tuple[int, ...], z_dim: int) -> Networks:
    SHAPES.expect("lsgan_cats", shape)
    channels = shape[0]
    generator = nn.Sequential(
        *project(z_dim, 512, base=8),
        *normalised(enlarge(512, 256)),  # [N, 256, 16, 16]
        *normalised(enlarge(256, 128)),  # [N, 128, 32, 32]
        *normalised(enlarge(128, 64)),  # [N, 64, 64, 64]
        enlarge(64, channels),  # [N, channels, 128, 128]
        nn.Tanh(),
    )
    discriminator = dcgan_discriminator(channels, base=8, widths=[64, 128, 256, 512])
    return Networks(generator.apply(init_dcgan), discriminator.apply(init_dcgan))
