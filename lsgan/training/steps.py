"""The two half steps of a GAN update. Each updates its own network's parameters and no others.

D's batch norm adds the fakes of G's step to its running statistics too; training never reads those.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lsgan.errors import LsganError
from lsgan.losses import Loss
from lsgan.penalties import Noise, Penalty

Condition = tuple[Tensor, ...]  # what networks take beside z or samples: nothing, or labels int64 [N]
Backward = Callable[[Tensor], Tensor]  # computes the gradients of a batch's loss, and returns the loss


class NonFiniteLossError(LsganError):
    """A loss or a gradient became NaN or infinite; raised before the optimizer step: the weights are still good."""


class DiscriminatorStep(NamedTuple):
    """What D's half step saw; tensors without a graph."""

    loss: Tensor  # scalar, without the penalty
    penalty: Tensor  # scalar
    real_logits: Tensor  # [N, 1]
    fake_logits: Tensor  # [N, 1]
    real: Tensor  # [N, ...]
    fake: Tensor  # [N, ...]


def backward(total: Tensor) -> Tensor:
    """The gradients of a loss, by the process that has the whole batch; other ways are in distributed.py."""
    total.backward()
    return total.detach()


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
) -> DiscriminatorStep:
    """One update of D. Real and fake samples [N, ...] pass D as two batches (batch norm sees them apart).

    `condition` holds the labels, if any, of the real samples and the fake ones alike.

    Raises:
        NonFiniteLossError: before D is changed.
    """

    def judge(samples: Tensor) -> Tensor:
        return discriminator(samples, *condition)

    fake = fake.detach()
    real_logits, fake_logits = judge(real), judge(fake)
    adversarial = loss.discriminator(real_logits, fake_logits)
    regulariser = penalty(judge, real, fake, noise)
    total = adversarial + regulariser
    _update("discriminator", optimizer, total, backward)
    seen = (adversarial, regulariser, real_logits, fake_logits, real, fake)
    return DiscriminatorStep(*(tensor.detach() for tensor in seen))


def generator_step(
    discriminator: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Loss,
    fake: Tensor,
    condition: Condition = (),
    backward: Backward = backward,
) -> Tensor:
    """One update of G, through the fakes [N, ...] that G made with a graph; returns G's loss, a scalar.

    The fakes may be those of D's half step: G has not changed since, so they are still G's samples.

    Raises:
        NonFiniteLossError: before G is changed.
    """
    with _frozen(discriminator):
        value = loss.generator(discriminator(fake, *condition))
        _update("generator", optimizer, value, backward)
    return value.detach()


@contextmanager
def _frozen(module: nn.Module) -> Iterator[None]:
    """Gradients flow through the module, but none is computed for its parameters."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)


def _update(side: str, optimizer: torch.optim.Optimizer, loss: Tensor, backward: Backward) -> None:
    """One step of gradient descent on `loss`, unless it or its gradient is not finite.

    Loss and gradient are looked at together, after the backward pass: a look makes the host wait for a GPU.
    """
    optimizer.zero_grad(set_to_none=True)
    loss = backward(loss)
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    norm = gradient_norm(weights).to(loss.device)
    if not loss.isfinite() & norm.isfinite():
        what, value = ("loss", loss) if not loss.isfinite() else ("gradient norm", norm)
        raise NonFiniteLossError(
            f"the {side}'s {what} is {value.item()}; its weights were left as they are. "
            "Lower optimizer.lr, or add a penalty (penalty=r1)"
        )
    optimizer.step()


def gradient_norm(weights: Iterable[nn.Parameter]) -> Tensor:
    """2-norm of the weights' gradients, those of the last update until the next one; a scalar."""
    return torch.nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
