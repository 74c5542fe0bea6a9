"""What is too large for the memory."""

import sys

import pytest

from lsgan import config
from lsgan.errors import LsganError
from lsgan.training import memory

RING = "dataset=gaussian_ring"
TOO_LARGE = {
    ("batch_size=100000000",): "batch_size=100000000: a batch alone would take 819 GB of memory, and there are 8 ",
    ("latent.dim=1000000000",): "batch_size=32, latent.dim=1000000000: z for a batch alone would take 128 GB",
    ("architecture.width=100000",): "architecture.width=100000, latent.dim=128, architecture.label_dim=16: the weights",
    (RING, "architecture.width=1000000"): "architecture.width=1000000, ",
    (RING, "batch_size=10000000000"): "batch_size=10000000000: a batch alone would take 160 GB",
    (RING, "dataset.modes=1000000000000"): "dataset: modes=1000000000000 must be at most 1000000",
    ("dataset=synthetic_digits", "dataset.num_images=1000000000"): "dataset: num_images=1000000000 must be at most",
}


@pytest.mark.parametrize("overrides", TOO_LARGE)
def test_what_cannot_fit_is_refused_before_it_is_allocated(composed, monkeypatch, overrides):
    monkeypatch.setattr(memory, "available_bytes", lambda: 8 * 10**9)
    with pytest.raises(LsganError) as caught:
        config.assemble(composed(*overrides))
    assert str(caught.value).startswith(TOO_LARGE[overrides])


@pytest.mark.parametrize(
    "override", ["architecture.width=10000000", "architecture.width=10000000000", "latent.dim=100000000000000"]
)
def test_networks_that_get_no_memory_are_a_sentence(composed, monkeypatch, override):
    """Where nobody could tell before."""
    monkeypatch.setattr(memory, "available_bytes", lambda: sys.maxsize)
    with pytest.raises(LsganError, match=rf"^the memory does not suffice: make something smaller \({override}, "):
        config.assemble(composed(override))


def test_data_that_get_no_memory_are_a_sentence(composed, monkeypatch, tmp_path):
    from lsgan.run import run

    monkeypatch.setattr(memory, "available_bytes", lambda: sys.maxsize)
    experiment = config.assemble(composed(RING, "batch_size=100000000000000", f"runs_dir={tmp_path}", "tracker=none"))
    with pytest.raises(LsganError, match=r"^the memory does not suffice: .*\(batch_size=100000000000000, "):
        run(experiment)
