"""Adversarial losses: frozen objects that hold both sides' targets and know nothing else.

`discriminator` and `generator` take D's raw outputs ("logits" throughout, also where no sigmoid ever
follows) of shape [N, 1] and return a scalar, the batch *mean*. `reference` tells what the numbers
should be read against.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor
from torch.nn import functional as F


class Reference(NamedTuple):
    """Values that a loss takes in three known situations; None where the loss does not determine one."""

    discriminator_at_equilibrium: float | None  # p_g = p_data and D optimal
    generator_at_equilibrium: float | None
    generator_if_discriminator_wins: float | None  # D tells every fake for certain; inf: unbounded
    discriminator_output_at_equilibrium: float | None = None  # D's logit, the same on all samples


class Loss(Protocol):
    """What the training needs of a loss. One that should not be used alone says why in `needs_penalty`, a text."""

    @property
    def name(self) -> str:
        """Short name that holds the targets; part of the run's name."""
        ...

    @property
    def meaning(self) -> str:
        """One clause: what G minimises when D is optimal."""
        ...

    @property
    def reference(self) -> Reference: ...

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor: ...

    @property
    def generator(self) -> Callable[..., Tensor]:
        """G's side, a method of fake_logits; of fake_logits and real_logits if the loss pairs. See `generator_loss`."""
        ...


def generator_loss(loss: Loss, fake_logits: Tensor, judge_real: Callable[[], Tensor]) -> Tensor:
    """G's loss, a scalar: whoever wants it asks here.

    Args:
        loss: any.
        fake_logits: [N, 1], of the D through which G is trained.
        judge_real: gives the real logits [N, 1] of the same D; it is called for a loss that pairs, and for no other.
    """
    pairs = getattr(loss, "pairs_real_and_fake", False)
    return loss.generator(fake_logits, judge_real()) if pairs else loss.generator(fake_logits)


def describe(loss: Loss) -> str:
    """The line at the start of every run: what the loss means and what to read its numbers against."""

    def show(value: float | None) -> str:
        return "not determined" if value is None else f"{value:.4g}"

    reference = loss.reference
    return (
        f"loss {loss.name}: {loss.meaning}. "
        f"At equilibrium D's loss is {show(reference.discriminator_at_equilibrium)} "
        f"and G's {show(reference.generator_at_equilibrium)}; "
        f"if D wins outright G's is {show(reference.generator_if_discriminator_wins)}."
    )


def lacking(loss: Loss, penalty: object) -> str | None:
    """A warning if the loss needs a penalty and `penalty` is none, or weighs nothing; None if all is well."""
    why = getattr(loss, "needs_penalty", None)
    return f"loss {loss.name} without a penalty: {why}" if why and getattr(penalty, "is_zero", False) else None


@dataclass(frozen=True)
class LeastSquares:
    """Least squares loss (Mao et al., ICCV 2017, eq. 2; arXiv 1611.04076), mean over the batch, with the 1/2.

        min_D  1/2 E[(D(x) - b)^2] + 1/2 E[(D(G(z)) - a)^2]
        min_G  1/2 E[(D(G(z)) - c)^2]

    Args:
        a: D's target for fake samples.
        b: D's target for real samples.
        c: the value that G wants D to give its samples.

    Raises:
        ValueError: a, b or c is not a finite number, or a equals b.
    """

    a: float
    b: float
    c: float

    def __post_init__(self) -> None:
        for name, value in (("a", self.a), ("b", self.b), ("c", self.c)):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ValueError(f"{name}={value!r} must be a finite number")
        if self.a == self.b:
            raise ValueError(f"a={self.a:g} and b={self.b:g} must differ: D cannot tell fake from real with one target")

    @property
    def name(self) -> str:
        return f"lsgan_b{self.b:g}c{self.c:g}a{self.a:g}"

    @property
    def is_pearson(self) -> bool:
        """Whether G minimises a multiple of Pearson's chi-square between p_data + p_g and 2 p_g.

        2 C(G) = integral ((b-c) p_data + (a-c) p_g)^2 / (p_data + p_g) (eq. 6 to 9) is
        (b-c)^2 chi^2 exactly when a - c = -(b - c); b-c=1, b-a=2 is the paper's instance.
        """
        return math.isclose(self.b - self.a, 2 * (self.b - self.c), rel_tol=1e-9)

    @property
    def meaning(self) -> str:
        if self.is_pearson:
            return (
                f"Pearson χ² (G minimises {(self.b - self.c) ** 2 / 2:g}·χ²(p_data + p_g ‖ 2 p_g) under an optimal D)"
            )
        return "not a Pearson χ² (that takes b - a = 2 (b - c))"

    @property
    def reference(self) -> Reference:
        a, b, c = self.a, self.b, self.c
        # D* = (b p_data + a p_g) / (p_data + p_g), eq. 5: (a + b) / 2 at equilibrium.
        return Reference((b - a) ** 2 / 4, ((a + b) / 2 - c) ** 2 / 2, (a - c) ** 2 / 2, (a + b) / 2)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return ((real_logits - self.b).square().mean() + (fake_logits - self.a).square().mean()) / 2

    def generator(self, fake_logits: Tensor) -> Tensor:
        return (fake_logits - self.c).square().mean() / 2


@dataclass(frozen=True)
class Minimax:
    """The original saturating cross-entropy (Goodfellow et al., 2014, eq. 1; arXiv 1406.2661)."""

    name = "minimax"
    meaning = "saturating cross-entropy (G minimises 2·JSD(p_data ‖ p_g) under an optimal D)"
    reference = Reference(2 * math.log(2), -math.log(2), 0.0, 0.0)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return _cross_entropy(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor) -> Tensor:
        return -F.softplus(fake_logits).mean()  # E[log(1 - sigmoid(D))]


@dataclass(frozen=True)
class NonSaturating:
    """Cross-entropy with the generator loss that practice uses: -log D (Goodfellow et al., 2014, sec. 3)."""

    name = "nsgan"
    meaning = "non-saturating cross-entropy (D's loss implies JSD = log 2 - loss/2)"
    reference = Reference(2 * math.log(2), math.log(2), math.inf, 0.0)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return _cross_entropy(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor) -> Tensor:
        return F.softplus(-fake_logits).mean()  # E[-log sigmoid(D)]


@dataclass(frozen=True)
class Hinge:
    """Hinge loss (Lim and Ye, 2017; arXiv 1705.02894). At equilibrium any constant D in [-1, 1] is optimal."""

    name = "hinge"
    meaning = "hinge (G minimises the total variation up to scale under an optimal D)"
    reference = Reference(2.0, None, 1.0)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        return -fake_logits.mean()


@dataclass(frozen=True)
class Wasserstein:
    """Wasserstein loss (Arjovsky et al., 2017; arXiv 1701.07875). Needs a penalty that keeps D Lipschitz."""

    name = "wgan"
    meaning = "Wasserstein (D's loss is minus the estimated distance; use it with penalty=wgan_gp)"
    reference = Reference(0.0, None, math.inf)
    needs_penalty = "nothing keeps D Lipschitz, so its loss estimates no distance and may run away; add penalty=wgan_gp"

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        return -fake_logits.mean()


def _cross_entropy(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-E[log sigmoid(D(x))] - E[log(1 - sigmoid(D(G(z))))], in nats."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
