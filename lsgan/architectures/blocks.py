"""Layers that the LSGAN authors' generators share."""

from torch import nn


def project(n_in: int, channels: int, base: int) -> list[nn.Module]:
    """[N, n_in] -> [N, channels, base, base]: a linear layer, batch norm of each of its outputs, ReLU."""
    size = channels * base * base
    return [nn.Linear(n_in, size), nn.BatchNorm1d(size), nn.ReLU(inplace=True), nn.Unflatten(1, (channels, base, base))]


def enlarge(n_in: int, n_out: int, *, odd: bool = False) -> nn.ConvTranspose2d:
    """[N, n_in, S, S] -> [N, n_out, 2·S, 2·S], or 2·S - 1 a side if `odd`: a 5×5 deconvolution of stride 2."""
    return nn.ConvTranspose2d(n_in, n_out, 5, stride=2, padding=2, output_padding=0 if odd else 1)


def normalised(deconvolution: nn.ConvTranspose2d) -> list[nn.Module]:
    """The layer, batch norm of each channel, ReLU."""
    return [deconvolution, nn.BatchNorm2d(deconvolution.out_channels), nn.ReLU(inplace=True)]
