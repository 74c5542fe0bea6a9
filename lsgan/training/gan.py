"""A GAN and one step of its training, as the paper writes it: some updates of D, one of G, or both at once.

Each half step updates its own network's parameters and no others. (D's batch norm adds the fakes of G's step to its
running statistics too; training never reads those.)
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lsgan.data.batches import Batches
from lsgan.data.dataset import Dataset
from lsgan.latents import Latent
from lsgan.losses import Loss, generator_loss, needs_whole_batch
from lsgan.observe.observer import Seen
from lsgan.penalties import Penalty
from lsgan.streams import stream
from lsgan.training.machine import Machine
from lsgan.training.state import TrainState

Condition = tuple[Tensor, ...]  # what networks take beside z or samples: nothing, or labels int64 [N]


class Recipe(NamedTuple):
    """What is minimised, and on how much at a time."""

    loss: Loss
    penalty: Penalty
    latent: Latent
    batch_size: int  # of all ranks together
    discriminator_steps: int  # updates of D for each of G
    seed: int
    simultaneous: bool = False  # both networks move from where they were before the step; with one update of D


class Data(NamedTuple):
    """What the samples are."""

    dataset: Dataset
    batches: Batches
    conditional: bool = False  # the networks take labels


class Inputs(NamedTuple):
    """What an update of D is computed from, on the device; the last of a step also serves G."""

    real: Tensor  # [N, *shape]
    z: Tensor  # [N, z_dim]
    condition: Condition

    def first(self, num: int) -> "Inputs":
        """Those of the first `num` samples."""
        return Inputs(self.real[:num], self.z[:num], tuple(labels[:num] for labels in self.condition))


class Judged(NamedTuple):
    """What D made of a batch in its half step; tensors without a graph."""

    loss: Tensor  # scalar, without the penalty
    penalty: Tensor  # scalar
    real_logits: Tensor  # [N, 1]
    fake_logits: Tensor  # [N, 1]


class Gan:
    """Two networks, what they are trained for, and on what.

    Args:
        state: the networks, their average and optimizers.
        recipe: what is minimised.
        data: real samples.
        machine: computes. Of several ranks, this one has its part of each batch.
    """

    def __init__(self, state: TrainState, recipe: Recipe, data: Data, machine: Machine) -> None:
        self.state, self.recipe, self.data, self.machine = state, recipe, data, machine

    def inputs(self, index: int) -> Inputs:
        """Those of D's update `index`, a function of (seed, index); of several ranks, this one's part."""
        recipe, device = self.recipe, self.machine.device
        part = self.machine.part(recipe.batch_size)
        real, labels = self.data.batches.batch(index, device, part)
        z = recipe.latent.sample(recipe.batch_size, stream(recipe.seed, "z", index))[part]
        if device.type == "cuda":
            z = z.pin_memory()
        condition = (labels,) if self.data.conditional and labels is not None else ()
        return Inputs(real, z.to(device, non_blocking=True), condition)

    def step(self, inputs: Callable[[int], Inputs] | None = None) -> Seen:
        """`discriminator_steps` updates of D, one of G and of its average. No value is read back in here.

        The last batch of fakes serves D and G both, as in the paper's loop: the same z, and G does not change in
        between. In a simultaneous step G goes first, through the D that is there; D's update needs no more of G than
        those fakes, and so comes from the G that was there. `inputs` are the GAN's own if not given.
        """
        state, recipe, machine = self.state, self.recipe, self.machine
        for i in range(recipe.discriminator_steps):
            index = state.step * recipe.discriminator_steps + i
            batch = (inputs or self.inputs)(index)
            machine.seed_networks(recipe.seed, "networks", index)
            with torch.set_grad_enabled(i == recipe.discriminator_steps - 1):
                fake = machine.forward(state.generator, batch.z, *batch.condition)
            if recipe.simultaneous:
                loss_of_generator = self.generator_step(batch, fake)
            judged = self.discriminator_step(batch, fake, index)
        if not recipe.simultaneous:
            loss_of_generator = self.generator_step(batch, fake)
        state.step += 1
        state.generator_ema.update(state.generator, recipe.batch_size, state.step * recipe.batch_size)
        loss, penalty, real_logits, fake_logits = judged
        return Seen(loss, loss_of_generator, penalty, real_logits, fake_logits, batch.real, fake.detach())

    def discriminator_step(self, batch: Inputs, fake: Tensor, index: int) -> Judged:
        """D's update `index`: min V(D). Real and fake samples [N, ...] pass D apart, and so batch norm.

        The labels, if any, are those of real and fake samples alike. The penalty's D runs in full precision and is
        never compiled: second derivatives need it, and a graph.
        """
        network, condition, fake = self.state.discriminator, batch.condition, fake.detach()
        noise = self.machine.noise(stream(self.recipe.seed, "penalty", index))

        def judge(samples: Tensor) -> Tensor:
            return network.forward(samples, *condition)  # not __call__, which may be compiled

        real_logits, fake_logits = self.machine.forwards(network, (batch.real, *condition), (fake, *condition))
        loss = self.recipe.loss.discriminator(self._compared(real_logits), self._compared(fake_logits))
        penalty = self.recipe.penalty(judge, batch.real, fake, noise)
        self._update(network, self.state.discriminator_optimizer, loss + penalty)
        return Judged(*(tensor.detach() for tensor in (loss, penalty, real_logits, fake_logits)))

    def generator_step(self, batch: Inputs, fake: Tensor) -> Tensor:
        """G's update: min V(G), through the fakes [N, ...] that G made with a graph; returns G's loss, a scalar.

        The fakes may be those of D's half step: G has not changed since, so they are still G's samples. D may have, and
        so a loss that pairs real and fake has it judge the real samples again; no other one does.
        """
        discriminator = self.state.discriminator

        def judge(samples: Tensor) -> Tensor:
            return self._compared(self.machine.forward(discriminator, samples, *batch.condition))

        with frozen(discriminator):
            loss = generator_loss(self.recipe.loss, judge(fake), lambda: judge(batch.real))
            self._update(self.state.generator, self.state.generator_optimizer, loss)
        return loss.detach()

    def _compared(self, logits: Tensor) -> Tensor:
        """The logits that the loss of this rank is computed from: its own [N, 1], or those of all ranks."""
        return self.machine.whole(logits) if needs_whole_batch(self.recipe.loss) else logits

    def _update(self, network: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        self.machine.backward(network, loss)
        optimizer.step()


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Gradients flow through the module, but none is computed for its parameters; those frozen before stay frozen."""
    trained = [weight for weight in module.parameters() if weight.requires_grad]
    for weight in trained:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in trained:
            weight.requires_grad_(True)
