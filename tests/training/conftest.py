from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from lsgan.data.sets.gaussian_ring import GaussianRing
from lsgan.latents import Normal
from lsgan.losses import LeastSquares
from lsgan.observe.best import KeepBest
from lsgan.observe.histograms import Histograms
from lsgan.observe.numbers import Numbers
from lsgan.observe.observer import Observer, Observers
from lsgan.observe.samples import Samples
from lsgan.penalties import NoPenalty
from lsgan.tracking.tracker import Record
from lsgan.training.checkpoints import Checkpoints
from lsgan.training.ema import Ema
from lsgan.training.gan import Data, Gan, Recipe
from lsgan.training.loop import train
from lsgan.training.machine import Machine
from lsgan.training.runtime import Runtime
from lsgan.training.state import TrainState

MACHINE = Machine(Runtime("cpu", "fp32"))


class Memory:
    """A tracker that keeps everything."""

    def __init__(self):
        self.records: list[Record] = []

    def log(self, record):
        self.records.append(record)

    def close(self, outcome):
        pass


@pytest.fixture
def make_state():
    """A toy GAN on points, the same for the same seed."""

    def make(seed: int = 0, batch_norm: bool = True, **ema) -> TrainState:
        torch.manual_seed(seed)
        norm = [nn.BatchNorm1d(8)] if batch_norm else []
        generator = nn.Sequential(nn.Linear(4, 8), *norm, nn.Tanh(), nn.Linear(8, 2))
        discriminator = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
        return TrainState(
            generator=generator,
            discriminator=discriminator,
            generator_ema=Ema(generator, ema.get("halflife_images", 100)),
            generator_optimizer=torch.optim.Adam(generator.parameters(), lr=1e-2),
            discriminator_optimizer=torch.optim.Adam(discriminator.parameters(), lr=1e-2),
        )

    return make


@pytest.fixture
def make_gan(make_state, tmp_path) -> Callable[..., Gan]:
    """A GAN on the Gaussian ring; what is not given is the usual."""

    def make(state=None, data=None, machine=MACHINE, **recipe) -> Gan:
        usual = {"loss": LeastSquares(a=-1, b=1, c=0), "penalty": NoPenalty(), "latent": Normal(4)}
        parts = Recipe(**{**usual, "batch_size": 16, "discriminator_steps": 1, "seed": 0, **recipe})
        ring = GaussianRing(name="ring")
        data = data or Data(ring, ring.open(tmp_path, parts.batch_size, parts.seed))
        return Gan(state or make_state(), parts, data, machine)

    return make


@pytest.fixture
def make_observers():
    """Those of conf/observe/default.yaml but the watch for collapse."""

    def make(log_every=2, sample_every=3, best: KeepBest | None = None, **more: Observer) -> Observers:
        usual = {
            "numbers": Numbers(log_every),
            "samples": Samples(sample_every),
            "histograms": Histograms(sample_every),
        }
        return Observers({**usual, **({} if best is None else {"best": best}), **more})

    return make


@pytest.fixture
def run(make_gan, make_observers, tmp_path):
    """Trains a toy GAN; returns its state and what was logged."""

    def run_training(
        gan=None, steps=6, folder: str | Path = "checkpoints", observers=None, checkpoint_every=2, keep=2, **changes
    ):
        gan, tracker = gan or make_gan(**changes), Memory()
        checkpoints = Checkpoints(tmp_path / folder, checkpoint_every, keep)
        train(gan, observers or make_observers(), tracker, checkpoints, steps)
        return gan.state, tracker.records

    return run_training
