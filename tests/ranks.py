"""One rank of the trainings that tests/training/test_distributed.py compares: torchrun … ranks.py <folder>."""

import copy
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import torch

from lsgan.architectures.conditional import dcgan_conditional
from lsgan.architectures.dcgan import dcgan
from lsgan.architectures.mlp import mlp
from lsgan.architectures.networks import Networks
from lsgan.data.batches import Batch, Batches
from lsgan.data.digits import Digits
from lsgan.data.gaussian_ring import GaussianRing
from lsgan.latents import Normal
from lsgan.losses import LeastSquares
from lsgan.penalties import R1, LsganGP, NoPenalty, Penalty, WganGP
from lsgan.training.distributed import joined, together
from lsgan.training.ema import Ema
from lsgan.training.loop import train, train_step
from lsgan.training.problem import Problem, Schedule, inputs
from lsgan.training.runtime import Runtime
from lsgan.training.state import TrainState
from lsgan.world import World

CPU, RUNTIME = torch.device("cpu"), Runtime("cpu", "fp32")
RING, DIGITS = GaussianRing(name="ring"), Digits(name="digits", resolution=16, channels=1, flip=True)
SMALL = {"shape": (1, 16, 16), "z_dim": 5, "width": 4}


class Case(NamedTuple):
    penalty: Penalty
    architecture: str = "dcgan"
    discriminator_steps: int = 1

    @property
    def dataset(self):
        return RING if self.architecture == "mlp" else DIGITS

    def networks(self) -> Networks:
        if self.architecture == "mlp":
            return mlp((2,), 5, width=8)
        return dcgan(**SMALL) if self.architecture == "dcgan" else dcgan_conditional(num_classes=10, **SMALL)


CASES = {
    "points, R1": Case(R1(0.5), "mlp"),
    "images": Case(NoPenalty()),
    "images, R1": Case(R1(0.5)),
    "images, WGAN-GP, two steps of D": Case(WganGP(1.0), discriminator_steps=2),
    "classes, LSGAN-GP": Case(LsganGP(1.0, 0.5), "dcgan_conditional"),
}


class Doubles:
    """Batches and z in double precision; writes both down."""

    def __init__(self, batches: Batches, latent: Normal):
        self.dim, self._batches, self._latent, self.seen = latent.dim, batches, latent, {}

    def batch(self, index, device, part=slice(None)):
        samples, labels = self._batches.batch(index, device, part)
        self.seen[index] = samples  # one batch more than is trained on may be prepared
        return Batch(samples.double(), labels)

    def sample(self, num, generator):
        return self._latent.sample(num, generator).double()


class Memory:
    def __init__(self):
        self.scalars = {}

    def log(self, record):
        if record.scalars:
            self.scalars[record.step] = {k: v for k, v in record.scalars.items() if k != "images_per_second"}

    def close(self, outcome):
        pass


def new_state(case: Case, seed: int) -> TrainState:
    torch.manual_seed(seed)
    generator, discriminator = (network.double() for network in case.networks())
    return TrainState(
        generator,
        discriminator,
        Ema(generator, 100),
        torch.optim.SGD(generator.parameters(), lr=0.05),
        torch.optim.SGD(discriminator.parameters(), lr=0.05),
    )


def outcome(case: Case, world: World, folder: Path) -> dict:
    """Five steps of a case: weights, what was logged, the real samples and z that this rank saw; and then one more step
    with a count of what it communicates.
    """
    state = new_state(case, seed=world.rank)  # rank 0's weights are to replace the others'
    source = Doubles(case.dataset.open(folder / "data", 16, 3, 0), Normal(5))
    latents: list[torch.Tensor] = []
    state.generator.register_forward_pre_hook(lambda module, inputs: latents.append(inputs[0]))
    schedule = Schedule(5, 16, 3, case.discriminator_steps, 2, 100, 100, 1)
    conditional = case.architecture == "dcgan_conditional"
    problem = Problem(LeastSquares(a=-1, b=1, c=0), case.penalty, source, case.dataset, source, conditional)
    tracker = Memory()
    ranks = together(state, world, sync_batch_norm=True)
    source.seen.clear()
    train(state, problem, schedule, RUNTIME, tracker, None, ranks)
    steps = schedule.steps * case.discriminator_steps
    weights = {name: part.state_dict() for name, part in state._parts().items() if "optimizer" not in name}
    found = {
        "weights": copy.deepcopy(weights),
        "real": [source.seen[index] for index in range(steps)],
        "z": latents[-steps:],
    }
    with torch.profiler.profile() as profile:
        train_step(state, problem, schedule, RUNTIME, lambda k: inputs(k, problem, schedule, CPU, world), ranks)
    return {
        **found,
        "communicated": Counter(event.name for event in profile.events() if event.name.startswith("gloo:")),
        "scalars": tracker.scalars,
    }


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    world = World.from_environment()
    with joined(world, CPU, 45):
        for name, case in CASES.items():
            torch.save(outcome(case, world, folder), folder / f"{name} {world.rank} of {world.size}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
