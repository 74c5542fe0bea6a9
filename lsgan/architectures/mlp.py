"""Multi-layer perceptrons for points, as in the LSGAN Gaussian-mixture experiment."""

from itertools import pairwise

from torch import nn

from lsgan.architectures.networks import Networks


def mlp(shape: tuple[int, ...], z_dim: int, *, width: int = 128, hidden_layers: int = 2) -> Networks:
    """tanh perceptrons: G z_dim -> width … -> points, linear output; D points -> width … -> 1.

    With z_dim 256 and 2-D points: 49,666 and 17,025 parameters. Orthogonal weights of gain 1.4, biases 0.

    Args:
        shape: of one sample, (dimensions,).
        z_dim: dimension of z.
        width: units of each hidden layer.
        hidden_layers: how many of them.

    Raises:
        ValueError: images instead of points, width < 1 or hidden_layers < 1.
    """
    if len(shape) != 1:
        raise ValueError(f"mlp makes points, but the data set holds images of shape {shape}: use dcgan")
    if width < 1 or hidden_layers < 1:
        raise ValueError(f"width={width} and hidden_layers={hidden_layers} must be at least 1")
    hidden = [width] * hidden_layers
    return Networks(_perceptron([z_dim, *hidden, *shape]), _perceptron([*shape, *hidden, 1]))


def _perceptron(sizes: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        linear = nn.Linear(n_in, n_out)
        nn.init.orthogonal_(linear.weight, gain=1.4)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])
