import torch

from lsgan.streams import stream


def draws(*arguments):
    return torch.rand(8, generator=stream(*arguments))


def test_same_arguments_same_draws():
    assert torch.equal(draws(3, "z", 7), draws(3, "z", 7))


def test_each_argument_matters():
    base = draws(3, "z", 7)
    for other in (draws(4, "z", 7), draws(3, "epoch", 7), draws(3, "z", 8)):
        assert not torch.equal(base, other)


def test_neighbouring_streams_are_uncorrelated():
    rows = torch.stack([torch.randn(1000, generator=stream(0, "z", i)) for i in range(20)])
    correlation = torch.corrcoef(rows) - torch.eye(20)
    assert correlation.abs().max() < 0.15  # 190 pairs, each of standard deviation 0.032
