"""The two half steps of a GAN update. Each updates its own network's parameters and no others.

D's batch norm adds the fakes of G's step to its running statistics too; training never reads those.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lsgan.losses import Loss
from lsgan.penalties import Noise, Penalty

Condition = tuple[Tensor, ...]  # what networks take beside z or samples: nothing, or labels int64 [N]
Backward = Callable[[Tensor], None]  # computes the gradients of a batch's loss
Autocast = Callable[[], AbstractContextManager[Any]]  # the precision that networks run in


class DiscriminatorStep(NamedTuple):
    """What D's half step saw; tensors without a graph."""

    loss: Tensor  # scalar, without the penalty
    penalty: Tensor  # scalar
    real_logits: Tensor  # [N, 1]
    fake_logits: Tensor  # [N, 1]
    real: Tensor  # [N, ...]
    fake: Tensor  # [N, ...]


def backward(loss: Tensor) -> None:
    """The gradients of a loss, by the process that has the whole batch; other ways are in distributed.py."""
    loss.backward()


def discriminator_step(
    discriminator: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Loss,
    penalty: Penalty,
    real: Tensor,
    fake: Tensor,
    noise: Noise,
    condition: Condition = (),
    backward: Backward = backward,
    autocast: Autocast = nullcontext,
) -> DiscriminatorStep:
    """One update of D. Real and fake samples [N, ...] pass D as two batches (batch norm sees them apart).

    `condition` holds the labels, if any, of the real samples and the fake ones alike. D runs under `autocast`; the
    penalty does not, and its D is never compiled: second derivatives need full precision, and a graph.
    """

    def judge(samples: Tensor) -> Tensor:
        return discriminator.forward(samples, *condition)  # not __call__, which may be compiled

    fake = fake.detach()
    with autocast():
        real_logits, fake_logits = discriminator(real, *condition), discriminator(fake, *condition)
    real_logits, fake_logits = full_precision(real_logits), full_precision(fake_logits)
    adversarial = loss.discriminator(real_logits, fake_logits)
    regulariser = penalty(judge, real, fake, noise)
    optimizer.zero_grad(set_to_none=True)
    backward(adversarial + regulariser)
    optimizer.step()
    seen = (adversarial, regulariser, real_logits, fake_logits, real, fake)
    return DiscriminatorStep(*(tensor.detach() for tensor in seen))


def generator_step(
    discriminator: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Loss,
    fake: Tensor,
    condition: Condition = (),
    backward: Backward = backward,
    autocast: Autocast = nullcontext,
) -> Tensor:
    """One update of G, through the fakes [N, ...] that G made with a graph; returns G's loss, a scalar.

    The fakes may be those of D's half step: G has not changed since, so they are still G's samples.
    """
    with _frozen(discriminator):
        with autocast():
            logits = discriminator(fake, *condition)
        value = loss.generator(full_precision(logits))
        optimizer.zero_grad(set_to_none=True)
        backward(value)
        optimizer.step()
    return value.detach()


def full_precision(values: Tensor) -> Tensor:
    """What came out of a network, as float32 at least: losses and statistics are computed in it."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


@contextmanager
def _frozen(module: nn.Module) -> Iterator[None]:
    """Gradients flow through the module, but none is computed for its parameters."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)


def gradient_norm(weights: Iterable[nn.Parameter]) -> Tensor:
    """2-norm of the weights' gradients, those of the last update until the next one; a scalar."""
    return torch.nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
