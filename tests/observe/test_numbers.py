import math

import pytest
import torch
from torch import nn

from lsgan.errors import NonFiniteError
from lsgan.observe.numbers import Numbers, diversity, gradient_norm
from lsgan.observe.observer import Seen


def test_diversity_by_hand():
    points = torch.tensor([[0.0, 1.0], [2.0, 1.0], [0.0, 1.0], [2.0, 1.0]])  # variances 1 and 0
    assert diversity(points).item() == pytest.approx(math.sqrt(0.5))
    assert diversity(points.reshape(4, 1, 1, 2)).item() == pytest.approx(math.sqrt(0.5))
    assert diversity(points[:1].repeat(5, 1)).item() == 0
    distances = [(x - y).square().sum() for x in points for y in points]
    rms_distance = (sum(distances) / len(distances)).sqrt()
    assert diversity(points).item() == pytest.approx(rms_distance.item() / math.sqrt(2 * 2))
    assert diversity(3 * points).item() == pytest.approx(3 * math.sqrt(0.5))
    assert not diversity(points.requires_grad_()).requires_grad


def test_the_gradient_norm_is_that_of_all_weights_together():
    weights = [nn.Parameter(torch.zeros(2)) for _ in range(3)]
    weights[0].grad, weights[1].grad = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0])
    assert gradient_norm(weights).item() == 5


class View:
    """After 8 steps of 10 images, 4 seconds long."""

    step, images, seconds = 8, 80, 4.0
    generator, discriminator = nn.Linear(1, 1), nn.Linear(1, 1)

    def __init__(self, d_loss=0.5):
        real, fake = torch.tensor([[1.0], [3.0]]), torch.tensor([[-1.0], [-1.0]])
        values = torch.tensor([[0.0], [2.0]])
        self.seen = Seen(torch.tensor(d_loss), torch.tensor(0.25), torch.tensor(0.125), real, fake, values, values / 2)
        for network in (self.generator, self.discriminator):
            for weight in network.parameters():
                weight.grad = torch.ones_like(weight)

    def gather(self, values):
        return values


def test_the_numbers_by_hand():
    numbers = Numbers(10)
    finding = numbers.see(View())
    assert finding.scalars == pytest.approx({
        "loss/discriminator": 0.5,
        "loss/generator": 0.25,
        "loss/penalty": 0.125,
        "gradient_norm/discriminator": math.sqrt(2),
        "gradient_norm/generator": math.sqrt(2),
        "logits/real_mean": 2.0,
        "logits/real_std": 1.0,
        "logits/fake_mean": -1.0,
        "logits/fake_std": 0.0,
        "diversity/real": 1.0,
        "diversity/fake": 0.5,
        "images_per_second": 20.0,
    })  # fmt: skip
    assert tuple(sorted(finding.scalars)) == numbers.columns
    assert finding.summary == "20 images/s  loss D 0.500 G 0.250  D(real) +2.00 D(fake) -1.00"


def test_speed_is_that_since_the_last_look():
    numbers, later = Numbers(10), View()
    numbers.see(View())
    later.images, later.seconds = 280, 6.0
    assert numbers.see(later).scalars["images_per_second"] == 100


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_told_and_by_name(value):
    with pytest.raises(NonFiniteError, match=rf"^step 8: loss/discriminator is {value}: lower optimizer.lr, or add or"):
        Numbers(10).see(View(d_loss=value))
