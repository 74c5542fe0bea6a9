"""Multi-layer perceptrons for points, as in the LSGAN Gaussian-mixture experiment."""

from itertools import pairwise

from torch import nn

from lsgan.architectures.conditioning import NONE, conditioned
from lsgan.architectures.networks import Networks
from lsgan.architectures.shapes import Points

SHAPES = Points()


def mlp(
    shape: tuple[int, ...],
    z_dim: int,
    num_classes: int = 0,
    *,
    width: int = 128,
    hidden_layers: int = 2,
    conditioning: str = NONE,
    label_dim: int = 16,
) -> Networks:
    """tanh perceptrons: G z_dim -> width … -> points, linear output; D points -> width … -> 1.

    With z_dim 256 and 2-D points: 49,666 and 17,025 parameters. Orthogonal weights of gain 1.4, biases 0.

    Args:
        shape: of one sample, (dimensions,).
        z_dim: dimension of z.
        num_classes: labels are in [0, num_classes); 0 without conditioning.
        width: units of each hidden layer.
        hidden_layers: how many of them.
        conditioning, label_dim: how both networks are told the class, if at all; see `conditioned`.

    Raises:
        ValueError: images instead of points, width < 1, hidden_layers < 1, or what `conditioned` refuses.
    """
    SHAPES.expect("mlp", shape)
    if width < 1 or hidden_layers < 1:
        raise ValueError(f"width={width} and hidden_layers={hidden_layers} must be at least 1")
    hidden = [width] * hidden_layers

    def pair(shape: tuple[int, ...], z_dim: int) -> Networks:
        return Networks(_perceptron([z_dim, *hidden, *shape]), _perceptron([*shape, *hidden, 1]))

    return conditioned(pair, shape, z_dim, num_classes, conditioning, label_dim)


def _perceptron(sizes: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        linear = nn.Linear(n_in, n_out)
        nn.init.orthogonal_(linear.weight, gain=1.4)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])
