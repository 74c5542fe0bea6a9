import pytest
import torch
from torch import nn
from torch.testing import assert_close

from lsgan.architectures.lsgan_hwdb import lsgan_hwdb


def test_parameter_counts_of_the_paper():
    generator, discriminator = lsgan_hwdb((1, 28, 28), 1024, 3740)
    assert sum(p.numel() for p in generator.parameters()) == 9_417_857
    assert sum(p.numel() for p in discriminator.parameters()) == 21_392_155


def test_shapes_and_range():
    generator, discriminator = lsgan_hwdb((1, 28, 28), 16, 5)
    labels = torch.tensor([0, 4, 2])
    images = generator(100 * torch.rand(3, 16), labels)
    assert images.shape == (3, 1, 28, 28)
    assert images.abs().max() <= 1
    assert images.min() < 0 < images.max()
    assert discriminator(images, labels).shape == (3, 1)


def test_inside_it_is_the_papers_range():
    """G's last layer is a sigmoid, and D's first convolution sees [0, 1]."""
    generator, discriminator = lsgan_hwdb((1, 28, 28), 16, 5)
    assert_close(generator.generator[-1](torch.tensor([-50.0, 0.0, 50.0])), torch.tensor([-1.0, 0.0, 1.0]))
    assert_close(generator.generator[-1](torch.tensor([0.3])) / 2 + 0.5, torch.tensor([0.3]).sigmoid())
    seen = []
    discriminator.first.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    discriminator(torch.linspace(-1, 1, 2 * 784).view(2, 1, 28, 28), torch.tensor([0, 1]))
    assert (seen[0].min(), seen[0].max()) == (0, 1)


def test_the_class_enters_d_at_three_places():
    torch.manual_seed(0)
    _, discriminator = lsgan_hwdb((1, 28, 28), 16, 5)
    assert (discriminator.second[0].in_channels, discriminator.hidden[0].in_features) == (513, 320 * 49 + 256)
    assert discriminator.output.in_features == 1024 + 256
    discriminator.eval()
    image = torch.rand(1, 1, 28, 28).expand(2, -1, -1, -1)
    one, other = discriminator(image, torch.tensor([0, 3]))
    assert one != other


def test_first_values_of_the_weights():
    torch.manual_seed(0)
    for network in lsgan_hwdb((1, 28, 28), 1024, 3740):
        for module in network.modules():
            if isinstance(module, (nn.Linear, nn.ConvTranspose2d, nn.Embedding)):
                assert abs(module.weight.std().item() - 0.02) < 0.002


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="lsgan_hwdb cannot make resolution 32: it must be 28"):
        lsgan_hwdb((1, 32, 32), 16, 5)
    with pytest.raises(ValueError, match="use mlp"):
        lsgan_hwdb((2,), 16, 5)
