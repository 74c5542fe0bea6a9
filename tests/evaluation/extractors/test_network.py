import pytest
import torch
from torch import nn

from lsgan.evaluation.extractors.network import NetworkExtractor, full_precision

CPU = torch.device("cpu")


class Brightness(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(1))  # draws from the global generator, as any network's construction
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        mean = x.mean(dim=(1, 2, 3)).unsqueeze(1)
        return mean, torch.cat([mean, -mean], dim=1)


class Tiny(NetworkExtractor):
    name, dim, rule, classes = "tiny", 1, "/255", 2

    def __init__(self):
        super().__init__()
        self.made = 0

    def network(self):
        self.made += 1
        return Brightness(), "ab" * 32

    def prepared(self, images):
        return images.float() / 255


def test_weights_are_loaded_once_and_the_digest_is_theirs():
    tiny = Tiny()
    with pytest.raises(RuntimeError, match="features=tiny is not loaded yet"):
        _ = tiny.digest
    with pytest.raises(RuntimeError, match="features=tiny is not loaded yet"):
        tiny(torch.zeros(1, 1, 2, 2, dtype=torch.uint8))
    tiny.load(CPU)
    tiny.load(CPU)
    assert tiny.made == 1
    assert tiny.digest == "ab" * 32


def test_samples_go_through_in_chunks_and_keep_their_order():
    tiny = Tiny()
    tiny.load(CPU)
    images = torch.arange(150, dtype=torch.uint8).view(150, 1, 1, 1).expand(150, 3, 4, 4)
    features, probabilities = tiny(images)
    torch.testing.assert_close(features[:, 0], torch.arange(150) / 255)
    torch.testing.assert_close(probabilities[:, 0], torch.sigmoid(2 * torch.arange(150) / 255))
    assert tiny._network.calls == 10
    assert not features.requires_grad


def test_loading_draws_nothing_from_the_global_generator():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    Tiny().load(CPU)
    assert torch.equal(torch.get_rng_state(), before)


def test_full_precision_whatever_surrounds_it_and_settings_are_given_back():
    torch.backends.cudnn.benchmark = True
    try:
        with torch.autocast("cpu", torch.bfloat16):
            with full_precision(CPU):
                product = torch.ones(2, 2) @ torch.ones(2, 2)
                assert not torch.is_grad_enabled()
                assert not torch.backends.cudnn.benchmark
                assert not torch.backends.cudnn.allow_tf32
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
        assert product.dtype == torch.float32
        assert torch.backends.cudnn.benchmark
        assert torch.is_grad_enabled()
    finally:
        torch.backends.cudnn.benchmark = False
