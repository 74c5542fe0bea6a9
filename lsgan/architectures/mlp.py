"""Multi-layer perceptrons for points, as in the LSGAN Gaussian-mixture experiment."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

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
    init: str = "normal",
    conditioning: str = NONE,
    label_dim: int = 16,
) -> Networks:
    """tanh perceptrons: G z_dim -> width … -> points, linear output; D points -> width … -> 1.

    With z_dim 256 and 2-D points: 49,666 and 17,025 parameters. Orthogonal weights of gain 1.4, biases 0.

    The weights are made orthogonal from noise. TensorFlow's first `orthogonal`, which the LSGAN authors used, took
    U[0, 1), all of one sign: so have D's output weights, and one direction of every layer is nearly the units' mean.

    Args:
        shape: of one sample, (dimensions,).
        z_dim: dimension of z.
        num_classes: labels are in [0, num_classes); 0 without conditioning.
        width: units of each hidden layer.
        hidden_layers: how many of them.
        init: the noise: normal, or uniform on [0, 1).
        conditioning, label_dim: how both networks are told the class, if at all; see `conditioned`.

    Raises:
        ValueError: images instead of points, width < 1, hidden_layers < 1, another init, or what `conditioned` refuses.
    """
    SHAPES.expect("mlp", shape)
    if width < 1 or hidden_layers < 1:
        raise ValueError(f"width={width} and hidden_layers={hidden_layers} must be at least 1")
    if init not in _ORTHOGONAL:
        raise ValueError(f"init={init} must be one of {', '.join(_ORTHOGONAL)}")
    hidden = [width] * hidden_layers

    def pair(shape: tuple[int, ...], z_dim: int) -> Networks:
        return Networks(*(_perceptron(sizes, init) for sizes in ([z_dim, *hidden, *shape], [*shape, *hidden, 1])))

    return conditioned(pair, shape, z_dim, num_classes, conditioning, label_dim)


def _perceptron(sizes: list[int], init: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        linear = nn.Linear(n_in, n_out)
        _ORTHOGONAL[init](linear.weight, gain=1.4)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


@torch.no_grad()
def _orthogonal_of_uniform_(weight: Tensor, gain: float) -> None:
    """Writes `gain` times the singular vectors of a matrix from U[0, 1) into `weight` [out, in]."""
    left, _, right = torch.linalg.svd(torch.rand_like(weight), full_matrices=False)
    weight.copy_(gain * (left if left.shape == weight.shape else right))


_ORTHOGONAL: dict[str, Callable[..., object]] = {"normal": nn.init.orthogonal_, "uniform": _orthogonal_of_uniform_}
