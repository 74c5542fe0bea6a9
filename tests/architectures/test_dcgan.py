import pytest
import torch
from torch import nn

from lsgan.architectures.dcgan import dcgan


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_parameter_counts_of_the_stability_experiments():
    """Counts of the authors' networks at 64×64, z 1024: BN in D only, and none at all."""
    generator, discriminator = dcgan((3, 64, 64), 1024, generator_batch_norm=False)
    assert (parameters(generator), parameters(discriminator)) == (12_702_851, 4_316_545)
    generator, discriminator = dcgan((3, 64, 64), 1024, generator_batch_norm=False, discriminator_batch_norm=False)
    assert (parameters(generator), parameters(discriminator)) == (12_702_851, 4_314_753)


@pytest.mark.parametrize("kernel_size", [3, 4, 5])
@pytest.mark.parametrize("resolution", [8, 14, 16, 28, 32, 56, 64, 112, 128])
def test_shapes(resolution, kernel_size):
    generator, discriminator = dcgan((3, resolution, resolution), 10, width=2, kernel_size=kernel_size)
    images = generator(torch.randn(2, 10))
    assert images.shape == (2, 3, resolution, resolution)
    assert images.abs().max() <= 1
    assert discriminator(images).shape == (2, 1)


def test_batch_norm_switches():
    def norms(module):
        return sum(isinstance(m, nn.BatchNorm2d) for m in module.modules())

    assert [norms(net) for net in dcgan((1, 32, 32), 8, width=2)] == [3, 2]
    assert [norms(net) for net in dcgan((1, 32, 32), 8, width=2, generator_batch_norm=False)] == [0, 2]
    assert [norms(net) for net in dcgan((1, 32, 32), 8, width=2, discriminator_batch_norm=False)] == [3, 0]


def test_channels_double_up_to_eight_widths():
    _, discriminator = dcgan((3, 128, 128), 8, width=4)
    assert [m.out_channels for m in discriminator if isinstance(m, nn.Conv2d)] == [4, 8, 16, 32, 32]


def test_first_values_of_the_weights():
    torch.manual_seed(0)
    generator, discriminator = dcgan((3, 64, 64), 128)
    for module in (*generator.modules(), *discriminator.modules()):
        if isinstance(module, nn.Conv2d):
            assert module.weight.abs().max() <= 0.04
            assert abs(module.weight.std().item() - 0.0176) < 0.001  # a normal of 0.02 cut at two of its deviations
        elif isinstance(module, (nn.ConvTranspose2d, nn.Linear)):
            assert abs(module.weight.std().item() - 0.02) < 0.001
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            assert not module.bias.any()


@pytest.mark.parametrize("resolution", [1, 4, 7, 12, 30, 48, 100])
def test_other_resolutions_are_refused(resolution):
    with pytest.raises(ValueError, match=rf"dcgan cannot make resolution {resolution}: it must be 4·2\^k or 7·2\^k"):
        dcgan((3, resolution, resolution), 8)


def test_points_and_odd_arguments_are_refused():
    with pytest.raises(ValueError, match=r"holds points of shape .* use mlp"):
        dcgan((2,), 8)
    with pytest.raises(ValueError, match="width=0 must be at least 1"):
        dcgan((3, 32, 32), 8, width=0)
    for kernel_size in (2, 6):
        with pytest.raises(ValueError, match=f"kernel_size={kernel_size} must be 3, 4 or 5"):
            dcgan((3, 32, 32), 8, kernel_size=kernel_size)
