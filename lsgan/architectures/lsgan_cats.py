"""The LSGAN authors' pair for aligned cat faces at 128×128 (Mao et al., TPAMI 2019; arXiv 1712.06391)."""

from torch import nn

from lsgan.architectures.blocks import enlarge, normalised, project
from lsgan.architectures.dcgan import dcgan_discriminator
from lsgan.architectures.networks import Networks, expect_resolution, init_dcgan


def lsgan_cats(shape: tuple[int, ...], z_dim: int) -> Networks:
    """The 128×128 pair; 7,682,051 (G, with z_dim 100) and 4,341,121 (D) parameters for RGB images.

    Args:
        shape: of one sample, (channels, 128, 128).
        z_dim: dimension of z; the paper's is 100.

    Raises:
        ValueError: points, or a resolution other than 128.
    """
    channels = expect_resolution("lsgan_cats", shape, 128)
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
