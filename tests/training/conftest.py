import pytest
import torch
from torch import nn

from lsgan.data.gaussian_ring import GaussianRing
from lsgan.latents import Normal
from lsgan.losses import LeastSquares
from lsgan.penalties import NoPenalty
from lsgan.training.ema import Ema
from lsgan.training.problem import Problem, Schedule
from lsgan.training.state import TrainState


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
def make_problem(tmp_path):
    def make(loss=None, penalty=None, batch_size=16, seed=0) -> Problem:
        ring = GaussianRing(name="ring")
        batches = ring.open(tmp_path, batch_size, seed)
        return Problem(loss or LeastSquares(a=-1, b=1, c=0), penalty or NoPenalty(), Normal(4), ring, batches)

    return make


@pytest.fixture
def make_schedule():
    def make(**changes) -> Schedule:
        defaults = {"steps": 6, "batch_size": 16, "seed": 0, "discriminator_steps": 1, "log_every": 2}
        return Schedule(**{**defaults, "sample_every": 3, "checkpoint_every": 2, "keep_checkpoints": 2, **changes})

    return make
