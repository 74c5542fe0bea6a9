"""The LSGAN paper's conditional pair for Chinese characters (Mao et al., ICCV 2017, figure 4)."""

import torch
from torch import Tensor, nn

from lsgan.architectures.blocks import enlarge, normalised, project
from lsgan.architectures.conditioning import ConditionalGenerator, LabelMap, with_maps
from lsgan.architectures.networks import Networks, init_dcgan
from lsgan.architectures.shapes import Resolution

_LABEL_DIM = 256

SHAPES = Resolution(28)


def lsgan_hwdb(shape: tuple[int, ...], z_dim: int, num_classes: int) -> Networks:
    """The 28×28 pair; with z_dim 1024 and 3,740 classes 9,417,857 (G) and 21,392,155 (D) parameters.

    The paper's images are in [0, 1] and its G ends in a sigmoid. Images here are in [-1, 1] everywhere, so G's
    sigmoid is stretched to that range, and D shrinks what it sees to [0, 1] first: the same functions.

    Args:
        shape: of one sample, (1, 28, 28).
        z_dim: dimension of z; the paper's is 1024.
        num_classes: labels are in [0, num_classes).

    Raises:
        ValueError: points, or another shape.
    """
    SHAPES.expect("lsgan_hwdb", shape)
    channels = shape[0]
    generator = nn.Sequential(
        *project(z_dim + _LABEL_DIM, 128, base=7),
        *normalised(enlarge(128, 128)),  # [N, 128, 14, 14]
        enlarge(128, channels),  # [N, channels, 28, 28]
        _SymmetricSigmoid(),
    )
    return Networks(
        ConditionalGenerator(generator, LabelMap(num_classes, _LABEL_DIM)).apply(init_dcgan),
        _Discriminator(channels, num_classes).apply(init_dcgan),
    )


class _SymmetricSigmoid(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x) * 2 - 1


class _Discriminator(nn.Module):
    """Φ(y) joins the maps of the first convolution, the vector before the hidden layer, and the one after it."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.label_map = LabelMap(num_classes, _LABEL_DIM)
        self.first = nn.Sequential(nn.Conv2d(channels, 257, 5, stride=2, padding=2), nn.LeakyReLU(0.2, inplace=True))
        self.second = nn.Sequential(
            nn.Conv2d(257 + _LABEL_DIM, 320, 5, stride=2, padding=2),
            nn.BatchNorm2d(320),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Flatten(),
        )
        self.hidden = nn.Sequential(
            nn.Linear(320 * 7 * 7 + _LABEL_DIM, 1024), nn.BatchNorm1d(1024), nn.LeakyReLU(0.2, inplace=True)
        )
        self.output = nn.Linear(1024 + _LABEL_DIM, 1)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        label = self.label_map(labels)
        maps = with_maps(self.first((images + 1) / 2), label)  # [N, 513, 14, 14]
        hidden = self.hidden(torch.cat([self.second(maps), label], 1))
        return self.output(torch.cat([hidden, label], 1))
