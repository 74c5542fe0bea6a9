"""The numbers of every training: losses, logits, gradients, diversity and speed."""

import math
from typing import TYPE_CHECKING

from lsgan.errors import NonFiniteError
from lsgan.observe.observer import Finding, Observer, View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor, nn


class Numbers(Observer):
    """Losses, logits and diversity of the last batch, all ranks together; images a second since it looked before.

    Args:
        every: steps.
    """

    columns = (
        "diversity/fake",
        "diversity/real",
        "gradient_norm/discriminator",
        "gradient_norm/generator",
        "images_per_second",
        "logits/fake_mean",
        "logits/fake_std",
        "logits/real_mean",
        "logits/real_std",
        "loss/discriminator",
        "loss/generator",
        "loss/penalty",
    )
    on_all_ranks = True
    on_demand = True

    def __init__(self, every: int) -> None:
        self.every = every
        self._images, self._seconds = 0, 0.0

    def see(self, view: View) -> Finding:
        """Raises NonFiniteError, on all ranks, if a loss or a gradient is NaN or infinite."""
        import torch

        values = _values(view)
        numbers = torch.stack([value.double() for value in values.values()]).tolist()  # the host waits once
        scalars = dict(zip(values, numbers, strict=True))
        for name, number in scalars.items():
            if not math.isfinite(number):
                raise NonFiniteError(
                    f"step {view.step}: {name} is {number}: lower optimizer.lr, or add or weaken a penalty"
                )
        scalars["images_per_second"] = (view.images - self._images) / (view.seconds - self._seconds)
        self._images, self._seconds = view.images, view.seconds
        return Finding(scalars, summary=_summary(scalars))


def _values(view: View) -> "dict[str, Tensor]":
    """Scalars, in the order in which one that is not finite is told."""
    import torch

    seen = view.seen
    parts = torch.stack([seen.discriminator_loss, seen.penalty, seen.generator_loss])[None]
    discriminator_loss, penalty, generator_loss = view.gather(parts).mean(0)
    real_logits, fake_logits = view.gather(seen.real_logits), view.gather(seen.fake_logits)
    return {
        "loss/discriminator": discriminator_loss,
        "loss/generator": generator_loss,
        "loss/penalty": penalty,
        "gradient_norm/discriminator": gradient_norm(view.discriminator.parameters()),
        "gradient_norm/generator": gradient_norm(view.generator.parameters()),
        "logits/real_mean": real_logits.mean(),
        "logits/real_std": real_logits.std(correction=0),
        "logits/fake_mean": fake_logits.mean(),
        "logits/fake_std": fake_logits.std(correction=0),
        "diversity/real": diversity(seen.real, view.gather),
        "diversity/fake": diversity(seen.fake, view.gather),
    }


def _summary(value: dict[str, float]) -> str:
    return (
        f"{value['images_per_second']:.0f} images/s  "
        f"loss D {value['loss/discriminator']:.3f} G {value['loss/generator']:.3f}  "
        f"D(real) {value['logits/real_mean']:+.2f} D(fake) {value['logits/fake_mean']:+.2f}"
    )


def gradient_norm(weights: "Iterable[nn.Parameter]") -> "Tensor":
    """2-norm of the weights' gradients, those of the last update until the next one; a scalar."""
    import torch

    return torch.nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])


def diversity(samples: "Tensor", gather: "Callable[[Tensor], Tensor]" = lambda part: part) -> "Tensor":
    """How far samples [N, ...] lie apart: the standard deviation of a coordinate, root mean square over coordinates.

    `gather` brings together what several ranks have, [1, ...] each, where each has an equal part of the batch.

    It is the root mean square distance of two samples, divided by the square root of twice the number of coordinates;
    in the units of the samples, a scalar without a graph.
    """
    import torch

    values = samples.detach().flatten(1)
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    mean = gather(values.mean(0, keepdim=True)).mean(0)
    return gather((values - mean).square().mean(0, keepdim=True)).mean().sqrt()
