"""How a pair of any family is told the class of a sample: generator(z, labels), discriminator(samples, labels).

A family says how it builds its pair for a shape and a z_dim; what a kind of conditioning widens or adds is said here.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lsgan.architectures.networks import Networks, init_dcgan

Build = Callable[[tuple[int, ...], int], Networks]  # (shape, z_dim) -> the pair without classes


def conditioned(
    build: Build, shape: tuple[int, ...], z_dim: int, num_classes: int, conditioning: str, label_dim: int
) -> Networks:
    """The pair that `build` makes, told the class in the way that `conditioning` names.

    Args:
        build: makes the pair without classes.
        shape: of one sample.
        z_dim: dimension of z.
        num_classes: labels are in [0, num_classes); 0 if the networks are told nothing.
        conditioning: a key of `KINDS`.
        label_dim: dimension of each network's Φ(y), whose entries begin as N(0, 1), as z's do. If it is not much
            smaller than z_dim, G learns to go by the class and to ignore z.

    Raises:
        ValueError: no such conditioning, classes without one or one without classes, label_dim < 1, or what `build`
            refuses.
    """
    if conditioning not in KINDS:
        raise ValueError(f"conditioning={conditioning} must be one of {', '.join(KINDS)}")
    if label_dim < 1:
        raise ValueError(f"label_dim={label_dim} must be at least 1")
    if (conditioning == NONE) != (num_classes == 0):
        raise ValueError(f"conditioning={conditioning} does not go with num_classes={num_classes}: {NONE} goes with 0")
    return KINDS[conditioning](build, shape, z_dim, num_classes, label_dim)


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
    """A discriminator of [x, Φ(y)]; in images as maps of one value each (Mirza & Osindero, 2014; arXiv 1411.1784).

    Args:
        discriminator: of samples with as many more channels, or coordinates, as the label map has dimensions.
        label_map: Φ.
    """

    def __init__(self, discriminator: nn.Module, label_map: LabelMap) -> None:
        super().__init__()
        self.discriminator, self.label_map = discriminator, label_map

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Samples [N, *shape] and labels [N] -> logits [N, 1]."""
        return self.discriminator(with_maps(samples, self.label_map(labels)))


class ProjectionDiscriminator(nn.Module):
    """ψ(φ(x)) + ⟨v_y, φ(x)⟩: features are projected on a vector of the class (Miyato & Koyama, 2018; arXiv 1802.05637).

    On the digits the generator kept two thirds of the real images' spread within a class at best; with Φ(y) as maps
    it keeps five sixths.

    Args:
        discriminator: of samples; its last layer, ψ, is linear, and what enters that is φ(x).
        num_classes: labels are in [0, num_classes).

    Raises:
        ValueError: the discriminator is no sequence that ends in a linear layer.
    """

    def __init__(self, discriminator: nn.Module, num_classes: int) -> None:
        super().__init__()
        if not (isinstance(discriminator, nn.Sequential) and isinstance(discriminator[-1], nn.Linear)):
            raise ValueError("conditioning=projection needs a discriminator that ends in a linear layer")
        self.features, self.output = discriminator[:-1], discriminator[-1]
        self.rows = nn.Embedding(num_classes, self.output.in_features).apply(init_dcgan)

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Samples [N, *shape] and labels [N] -> logits [N, 1]."""
        features = self.features(samples)  # [N, features]
        return self.output(features) + (self.rows(labels) * features).sum(1, keepdim=True)


def with_maps(samples: Tensor, vectors: Tensor) -> Tensor:
    """[N, C, *size] and [N, dim] -> [N, C + dim, *size]: each entry of a vector as a map of one value."""
    maps = vectors.reshape(*vectors.shape, *[1] * (samples.dim() - 2)).expand(-1, -1, *samples.shape[2:])
    return torch.cat([samples, maps], 1)


def _told_nothing(build: Build, shape: tuple[int, ...], z_dim: int, num_classes: int, label_dim: int) -> Networks:
    return build(shape, z_dim)


def _concatenated(build: Build, shape: tuple[int, ...], z_dim: int, num_classes: int, label_dim: int) -> Networks:
    """Of each of two pairs, wider where Φ(y) enters, the network that it enters."""
    generator = build(shape, z_dim + label_dim).generator
    discriminator = build((shape[0] + label_dim, *shape[1:]), z_dim).discriminator
    return Networks(
        ConditionalGenerator(generator, LabelMap(num_classes, label_dim)),
        ConditionalDiscriminator(discriminator, LabelMap(num_classes, label_dim)),
    )


def _projection(build: Build, shape: tuple[int, ...], z_dim: int, num_classes: int, label_dim: int) -> Networks:
    generator, discriminator = build(shape, z_dim + label_dim)
    return Networks(
        ConditionalGenerator(generator, LabelMap(num_classes, label_dim)),
        ProjectionDiscriminator(discriminator, num_classes),
    )


NONE = "none"
KINDS: dict[str, Callable[[Build, tuple[int, ...], int, int, int], Networks]] = {
    NONE: _told_nothing,
    "concatenated": _concatenated,
    "projection": _projection,
}
