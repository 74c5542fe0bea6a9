"""What D, as it is at this step, thinks of samples that it is not trained on just now."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lsgan.data.batches import Batch
from lsgan.losses import generator_loss
from lsgan.observe.observer import JudgedFakes
from lsgan.streams import stream
from lsgan.training.gan import Gan, frozen
from lsgan.training.machine import full_precision

_PURPOSE = "seen by the discriminator"


class Opinions:
    """D's outputs at one step, computed once for all observers that ask for the same; all of them on this rank.

    In evaluation mode: batch norm with the batch's own statistics lets a batch as a whole tell whether it is real, and
    D looks as if it had won when it has not. In full precision. Nothing that is trained changes, gradients included.

    Args:
        gan: at some step.
    """

    def __init__(self, gan: Gan) -> None:
        self._gan = gan
        self._reals: dict[tuple[int, bool], Tensor] = {}
        self._fakes: dict[int, JudgedFakes] = {}

    def of_reals(self, num: int, *, held_out: bool) -> Tensor:
        """As `View.judged_reals`."""
        if (num, held_out) not in self._reals:
            self._seed()
            batches = self._gan.data.batches.reals(num, self._gan.machine.device, held_out=held_out)
            with torch.no_grad(), evaluating(self._gan.state.discriminator):
                self._reals[num, held_out] = torch.cat([self._judge(batch) for batch in batches]).flatten()
        return self._reals[num, held_out]

    def of_fakes(self, num: int) -> JudgedFakes:
        """As `View.judged_fakes`."""
        if num not in self._fakes:
            self._seed()
            state = self._gan.state
            with evaluating(state.generator), evaluating(state.discriminator), frozen(state.discriminator):
                parts = [self._of_batch(index, batch) for index, batch in enumerate(self._fresh(num))]
            self._fakes[num] = JudgedFakes(*(torch.cat(values) for values in zip(*parts, strict=True)))
        return self._fakes[num]

    def _seed(self) -> None:
        """Of networks that draw even in evaluation mode: what comes out does not depend on who asked."""
        self._gan.machine.seed_networks(self._gan.recipe.seed, f"networks, {_PURPOSE}", self._gan.state.step)

    def _fresh(self, num: int) -> Iterator[Batch]:
        """Fakes of G itself, in evaluation mode, with labels of real batches if it takes any."""
        recipe, state, device = self._gan.recipe, self._gan.state, self._gan.machine.device
        draw = stream(recipe.seed, f"fakes, {_PURPOSE}", state.step)
        for index, start in enumerate(range(0, num, recipe.batch_size)):
            size = min(recipe.batch_size, num - start)
            z = recipe.latent.sample(size, draw).to(device)
            conditional = self._gan.data.conditional
            labels = self._gan.data.batches.batch(index, device, slice(size)).labels if conditional else None
            with torch.no_grad():  # not around the yield: it would reach whoever goes on from there
                fakes = state.generator.forward(z, *_condition(labels))
            yield Batch(fakes, labels)

    def _of_batch(self, index: int, batch: Batch) -> JudgedFakes:
        fakes = batch.samples.detach().requires_grad_()
        outputs = self._judge(Batch(fakes, batch.labels))

        def judge_real() -> Tensor:
            reals = self._gan.data.batches.batch(index, self._gan.machine.device, slice(len(fakes))).samples
            return self._judge(Batch(reals, batch.labels))

        loss = generator_loss(self._gan.recipe.loss, outputs, judge_real)
        (gradient,) = torch.autograd.grad(loss, fakes)
        norms = len(fakes) * full_precision(gradient).flatten(1).norm(dim=1)  # the loss is a mean over the batch
        return JudgedFakes(outputs.detach().flatten(), norms)

    def _judge(self, batch: Batch) -> Tensor:
        """[N, 1]."""
        condition = _condition(batch.labels) if self._gan.data.conditional else ()
        return full_precision(self._gan.state.discriminator.forward(batch.samples, *condition))  # never compiled


def _condition(labels: Tensor | None) -> tuple[Tensor, ...]:
    return () if labels is None else (labels,)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Batch norm uses its running statistics and leaves them, dropout draws nothing; then all is as it was."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
