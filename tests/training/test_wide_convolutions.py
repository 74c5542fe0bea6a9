import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from lsgan.losses import LeastSquares
from lsgan.penalties import R1
from lsgan.training.gan import Gan, Inputs, Recipe
from lsgan.training.machine import Machine
from lsgan.training.runtime import Runtime
from lsgan.training.state import TrainState
from lsgan.training.wide_convolutions import WideConv2d, WideConvTranspose2d, _Convolution, use_matrix_products

BF16 = partial(torch.autocast, "cpu", torch.bfloat16)
SHAPES = [(4, 1, 0), (5, 2, 1), (3, 1, 1), (3, 0, 0)]  # kernel, padding, output padding of the transposed one


def gradients(output, *inputs):
    torch.manual_seed(1)
    return torch.autograd.grad((output * torch.randn(output.shape, dtype=output.dtype)).sum(), inputs)


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize(("kernel", "padding", "output_padding"), SHAPES)
@pytest.mark.parametrize("transposed", [False, True])
def test_gradients_are_those_of_pytorch(kernel, padding, output_padding, transposed, size):
    """In double precision: the same sums."""
    torch.manual_seed(0)
    pad, out = (padding, padding), (output_padding * transposed,) * 2
    input = torch.randn(3, 4, size, size, dtype=torch.float64, requires_grad=True)
    shape = (4, 6) if transposed else (6, 4)
    weight = torch.randn(*shape, kernel, kernel, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(6, dtype=torch.float64, requires_grad=True)
    expected = torch.convolution(input, weight, bias, (2, 2), pad, (1, 1), transposed, out, 1)
    found = _Convolution.apply(input, weight, bias, (2, 2), pad, out, transposed)
    assert_close(found, expected)
    assert_close(gradients(found, input, weight, bias), gradients(expected, input, weight, bias))


@pytest.mark.parametrize(
    ("plain", "wide"),
    [
        (nn.Conv2d(256, 512, 4, stride=2, padding=1), WideConv2d),
        (nn.ConvTranspose2d(512, 256, 5, stride=2, padding=2, output_padding=1), WideConvTranspose2d),
    ],
)
def test_wide_layers_change_and_keep_their_results(plain, wide):
    changed = copy.deepcopy(nn.Sequential(plain))
    use_matrix_products(changed)
    assert type(changed[0]) is wide
    assert changed.state_dict().keys() == nn.Sequential(plain).state_dict().keys()
    torch.manual_seed(0)
    input = torch.randn(8, plain.in_channels, 8, 8).contiguous(memory_format=torch.channels_last)
    with BF16():
        expected, found = plain(input), changed(input)
    assert_close(found, expected, rtol=0, atol=0)
    for layer, output in ((plain, expected), (changed[0], found)):
        torch.manual_seed(1)
        output.backward(torch.randn(output.shape).bfloat16())
        assert layer.weight.grad.dtype == torch.float32
    scale = plain.weight.grad.abs().max()
    assert_close(changed[0].weight.grad / scale, plain.weight.grad / scale, rtol=0, atol=0.01)
    assert_close(changed[0].bias.grad, plain.bias.grad, rtol=0.02, atol=0.5)


def test_in_full_precision_the_layer_is_pytorchs_and_can_be_differentiated_twice():
    layers = nn.Sequential(nn.Conv2d(256, 512, 4, stride=2, padding=1))
    use_matrix_products(layers)
    input = torch.randn(1, 256, 4, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(layers(input).square().sum(), input, create_graph=True)
    gradient.sum().backward()
    assert layers[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(128, 512, 4, stride=2, padding=1),
        nn.Conv2d(256, 256, 4, stride=2, padding=1),
        nn.Conv2d(256, 512, 3, stride=1, padding=1),
        nn.Conv2d(256, 512, 4, stride=2, dilation=2),
        nn.Conv2d(256, 512, 4, stride=2, groups=2),
        nn.Conv2d(256, 512, 4, stride=2, padding=1, padding_mode="reflect"),
        nn.Linear(256, 512),
    ],
    ids=str,
)
def test_other_layers_stay(layer):
    layers = nn.Sequential(layer)
    use_matrix_products(layers)
    assert type(layers[0]) is type(layer)


def test_a_discriminator_step_goes_through_a_wide_layer_twice_differentiated():
    """In place behind it works LeakyReLU, and R1 differentiates it in full precision."""
    discriminator = nn.Sequential(
        nn.Conv2d(256, 512, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True), nn.Flatten(), nn.Linear(2048, 1)
    )
    expected = copy.deepcopy(discriminator)
    use_matrix_products(discriminator)
    torch.manual_seed(0)
    real, fake, gradients = torch.randn(4, 256, 4, 4), torch.randn(4, 256, 4, 4), []
    recipe = Recipe(LeastSquares(a=-1, b=1, c=0), R1(1.0), None, 4, 1, 0)
    for network in (discriminator, expected):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
        gan = Gan(TrainState(None, network, None, None, optimizer), recipe, None, Machine(Runtime("cpu", "bf16")))
        gan.discriminator_step(Inputs(real, fake, ()), fake, 0)
        gradients.append(network[0].weight.grad)
    scale = gradients[1].abs().max()
    assert_close(gradients[0] / scale, gradients[1] / scale, rtol=0, atol=0.01)
