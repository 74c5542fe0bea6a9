"""One rank of the trainings that tests/training/test_distributed.py compares: torchrun … ranks.py <folder>."""

import copy
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import torch

from lsgan.architectures.dcgan import dcgan
from lsgan.architectures.mlp import mlp
from lsgan.architectures.networks import Networks
from lsgan.data.batches import Batch, Batches
from lsgan.data.sets.digits import Digits
from lsgan.data.sets.gaussian_ring import GaussianRing
from lsgan.latents import Normal
from lsgan.losses import LeastSquares, Loss, RelativisticAverage, RelativisticPaired
from lsgan.observe.numbers import Numbers
from lsgan.observe.observer import Observers
from lsgan.penalties import R1, LsganGP, NoPenalty, Penalty, WganGP
from lsgan.training.ema import Ema
from lsgan.training.gan import Data, Gan, Recipe
from lsgan.training.loop import train
from lsgan.training.machine import Machine
from lsgan.training.runtime import Runtime
from lsgan.training.state import TrainState
from lsgan.world import World

RING, DIGITS = GaussianRing(name="ring"), Digits(name="digits", resolution=16, channels=1, flip=True)
SMALL = {"shape": (1, 16, 16), "z_dim": 5, "width": 4}


class Case(NamedTuple):
    penalty: Penalty
    architecture: str = "dcgan"
    discriminator_steps: int = 1
    frozen: bool = False  # D's first layer
    loss: Loss = LeastSquares(a=-1, b=1, c=0)
    simultaneous: bool = False

    @property
    def dataset(self):
        return RING if self.architecture == "mlp" else DIGITS

    def networks(self) -> Networks:
        if self.architecture == "mlp":
            return mlp((2,), 5, width=8)
        if self.architecture == "dcgan":
            return dcgan(**SMALL)
        return dcgan(num_classes=10, conditioning="concatenated", **SMALL)


CASES = {
    "points, R1": Case(R1(0.5), "mlp"),
    "points, a frozen layer": Case(R1(0.5), "mlp", frozen=True),
    "images": Case(NoPenalty()),
    "images, R1": Case(R1(0.5)),
    "images, WGAN-GP, two steps of D": Case(WganGP(1.0), discriminator_steps=2),
    "classes, LSGAN-GP": Case(LsganGP(1.0, 0.5), "dcgan_conditional"),
    "points, Ra": Case(NoPenalty(), "mlp", loss=RelativisticAverage(a=-1, b=2, c=0.5)),
    "images, Ra, simultaneous": Case(R1(0.5), loss=RelativisticAverage(a=-1, b=1, c=0), simultaneous=True),
    "points, Rp": Case(NoPenalty(), "mlp", loss=RelativisticPaired(a=-1, b=1, c=0)),
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
    if case.frozen:
        next(discriminator.parameters()).requires_grad_(False)
    return TrainState(
        generator,
        discriminator,
        Ema(generator, 100),
        torch.optim.SGD(generator.parameters(), lr=0.05),
        torch.optim.SGD(discriminator.parameters(), lr=0.05),
    )


def outcome(case: Case, machine: Machine, folder: Path) -> dict:
    """Five steps of a case: weights, what was logged, the real samples and z that this rank saw; and then one more step
    with a count of what it communicates.
    """
    state = new_state(case, seed=machine.world.rank)  # rank 0's weights are to replace the others'
    source = Doubles(case.dataset.open(folder / "data", 16, 3, 0), Normal(5))
    latents: list[torch.Tensor] = []
    state.generator.register_forward_pre_hook(lambda module, inputs: latents.append(inputs[0]))
    recipe = Recipe(case.loss, case.penalty, source, 16, case.discriminator_steps, 3, case.simultaneous)
    data = Data(case.dataset, source, conditional=case.architecture == "dcgan_conditional")
    gan, tracker = Gan(state, recipe, data, machine), Memory()
    machine.share(state)
    source.seen.clear()
    train(gan, Observers({"numbers": Numbers(2)}), tracker, None, 5)
    steps = 5 * case.discriminator_steps
    weights = {name: part.state_dict() for name, part in state.parts.items() if "optimizer" not in name}
    found = {
        "weights": copy.deepcopy(weights),
        "real": [source.seen[index] for index in range(steps)],
        "z": latents[-steps:],
    }
    with torch.profiler.profile() as profile:
        gan.step()
    return {
        **found,
        "communicated": Counter(event.name for event in profile.events() if event.name.startswith("gloo:")),
        "scalars": tracker.scalars,
    }


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    machine = Machine(Runtime("cpu", "fp32"), World.from_environment())
    with machine.joined():
        for name, case in CASES.items():
            world = machine.world
            torch.save(outcome(case, machine, folder), folder / f"{name} {world.rank} of {world.size}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
