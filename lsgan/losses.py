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
    """Values that a loss takes in known situations; None where the loss does not determine one."""

    discriminator_at_equilibrium: float | None  # p_g = p_data and D optimal
    generator_at_equilibrium: float | None
    generator_if_discriminator_wins: float | None  # D tells every fake for certain; inf: unbounded
    discriminator_output_at_equilibrium: float | None = None  # D's logit, the same on all samples
    discriminator_if_it_wins: float | None = 0.0


class Loss(Protocol):
    """What the training needs of a loss. Three attributes may be added, where there is reason:

    - `needs_penalty`, a text: it should not be used without one, and why;
    - `pairs_real_and_fake = True`: G's side takes the real logits too;
    - `needs_whole_batch = True`: it is no mean over samples or pairs, so ranks bring their logits together first.
    """

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


def needs_whole_batch(loss: Loss) -> bool:
    """Whether the loss of a batch is not the mean of those of its parts, as where it compares with batch means."""
    return getattr(loss, "needs_whole_batch", False)


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
        min_G  1/2 E[|D(G(z)) - c|^k]

    With D* = (b p_data + a p_g) / (p_data + p_g) (eq. 5) and the same term of real samples added, which has no gradient
    for G, G minimises C (eq. 6 to 9, there for k = 2):

        2 C(G) = integral |(b-c) p_data + (a-c) p_g|^k / (p_data + p_g)^(k-1)

    For k = 2 that is ((b-a)/2)^2 chi^2 + 2 ((a+b)/2 - c)^2, with Pearson's chi^2(p_data + p_g || 2 p_g): c adds a
    constant, and so does not choose the divergence. It chooses what a fake gets through the D that is there: D's own
    gradient times D - c. For any k, and c halfway between a and b, 2 C is |b-c|^k times the Pearson-Vajda divergence of
    order k of the same two (Bhatia et al., 2020, arXiv 2006.02479, whose loss lacks the 1/2): for k = 1 it is 2 |b-c|
    times the total variation. With another c and k > 1 it is least at p_g = p_data alone, too, but another divergence.

    Args:
        a: D's target for fake samples.
        b: D's target for real samples.
        c: the value that G wants D to give its samples.
        k: the exponent of G's side, at least 1; 2 is least squares.

    Raises:
        ValueError: a number is not finite, a equals b, or k is below 1.
    """

    a: float
    b: float
    c: float
    k: float = 2.0

    def __post_init__(self) -> None:
        _check_targets(self.a, self.b, self.c)
        if not _is_finite(self.k) or self.k < 1:
            raise ValueError(f"k={self.k!r} must be a finite number of at least 1: below 1, |D - c|^k is not convex")

    @property
    def name(self) -> str:
        return f"lsgan_{_targets(self.a, self.b, self.c)}" + (f"k{self.k:g}" if self.k != 2 else "")

    @property
    def is_halfway(self) -> bool:
        """Whether c lies halfway between a and b: b - a = 2 (b - c)."""
        return math.isclose(self.b - self.a, 2 * (self.b - self.c), rel_tol=1e-9)

    @property
    def is_pearson(self) -> bool:
        """Whether G minimises a multiple of Pearson's chi-square between p_data + p_g and 2 p_g, and no constant.

        It is (b-c)^2 chi^2 exactly when c is halfway; b-c=1, b-a=2 is the paper's instance.
        """
        return self.k == 2 and self.is_halfway

    @property
    def meaning(self) -> str:
        divergence = "χ²(p_data + p_g ‖ 2 p_g)" if self.k == 2 else f"|χ|^{self.k:g}(p_data + p_g ‖ 2 p_g)"
        factor = abs((self.b - self.a) / 2) ** self.k / 2
        if self.is_halfway:
            kind = "Pearson χ²" if self.k == 2 else f"Pearson-Vajda |χ|^{self.k:g}"
            return f"{kind} (G minimises {factor:g}·{divergence} under an optimal D)"
        if self.k == 2:
            constant = ((self.a + self.b) / 2 - self.c) ** 2
            return (
                f"Pearson χ² and a constant (G minimises {factor:g}·{divergence} + {constant:g} under an optimal D; "
                "the constant is 0 if b - a = 2 (b - c))"
            )
        if self.k == 1:
            return "no divergence (under an optimal D all p_g near p_data are alike to G; not so if b - a = 2 (b - c))"
        mixed = f"{self.b - self.c:g}·p_data{_signed(self.a - self.c)}·p_g"
        return (
            "no Pearson-Vajda divergence (that takes b - a = 2 (b - c)), but one that is least at p_g = p_data, too "
            f"(G minimises ½∫ |{mixed}|^{self.k:g} / (p_data + p_g)^{self.k - 1:g} under an optimal D)"
        )

    @property
    def reference(self) -> Reference:
        a, b, c, k = self.a, self.b, self.c, self.k
        middle = (a + b) / 2  # D* at equilibrium, eq. 5
        if k == 2:
            return Reference((b - a) ** 2 / 4, (middle - c) ** 2 / 2, (a - c) ** 2 / 2, middle)
        return Reference((b - a) ** 2 / 4, abs(middle - c) ** k / 2, abs(a - c) ** k / 2, middle)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return ((real_logits - self.b).square().mean() + (fake_logits - self.a).square().mean()) / 2

    def generator(self, fake_logits: Tensor) -> Tensor:
        if self.k == 2:
            return (fake_logits - self.c).square().mean() / 2
        return (fake_logits - self.c).abs().pow(self.k).mean() / 2


@dataclass(frozen=True)
class _Relativistic:
    """What both pairings share: targets for the difference of D's outputs, of two samples instead of one.

    Only b - a matters to D beside a constant, and D's outputs are determined up to one, too. With s = (b-a)/2 and an
    optimal D, which gives real samples s·t more than fakes in the mean, D's loss is s^2 (1 - t) + ((a+b)/2)^2 and G's
    c^2 + s (s + 2c) t. The share t grows with the triangular discrimination of the densities, which is
    chi^2(p_data + p_g || 2 p_g), from 0 to 1 (lsgan/theory/pairing.py). So G's loss falls as p_g comes nearer if
    s (s + 2c) > 0.
    """

    a: float
    b: float
    c: float

    pairs_real_and_fake = True

    def __post_init__(self) -> None:
        _check_targets(self.a, self.b, self.c)

    @property
    def reference(self) -> Reference:
        a, b, c = self.a, self.b, self.c
        return Reference((a * a + b * b) / 2, float(c * c), ((b - a) / 2 + c) ** 2, None, ((a + b) / 2) ** 2)

    def _meaning(self, kind: str, share: str) -> str:
        half = (self.b - self.a) / 2
        factor = half * (half + 2 * self.c)
        told = (
            f"{kind} (under an optimal D G's loss is {self.c**2:g}{_signed(factor)}·{share}, "
            "Δ = χ²(p_data + p_g ‖ 2 p_g)"
        )
        return told + (")" if factor > 0 else "; G gains nothing by coming nearer: that takes (b - a)(b - a + 4c) > 0)")


@dataclass(frozen=True)
class RelativisticPaired(_Relativistic):
    """Least squares on pairs of a real and a fake sample (Rp; Jolicoeur-Martineau, 2018, arXiv 1807.00734).

        min_D  1/2 E[(D(x) - D(G(z)) - b)^2] + 1/2 E[(D(G(z)) - D(x) - a)^2]
        min_G  1/2 E[(D(G(z)) - D(x) - c)^2] + 1/2 E[(D(x) - D(G(z)) + c)^2]

    Pairs are the real and fake samples of the same place in the batch, with labels those of one class. G's loss has the
    roles exchanged: c is its target for fake minus real, and so -c that for real minus fake; the two terms are equal,
    for the difference is one number with two signs. The paper's (a, b, c) is (-1, 1, 1), where -c = a.

    Args:
        a: D's target for fake minus real.
        b: D's target for real minus fake.
        c: what G wants D to give for fake minus real.

    Raises:
        ValueError: a, b or c is not a finite number, or a equals b.
    """

    @property
    def name(self) -> str:
        return f"lsgan_rp_{_targets(self.a, self.b, self.c)}"

    @property
    def meaning(self) -> str:
        return self._meaning("relativistic, in pairs", "2Δ/(2 + Δ)")

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        gaps = real_logits - fake_logits
        return ((gaps - self.b).square().mean() + (gaps + self.a).square().mean()) / 2

    def generator(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        return (fake_logits - real_logits - self.c).square().mean()


@dataclass(frozen=True)
class RelativisticAverage(_Relativistic):
    """Least squares against the mean of the other side (Ra; Jolicoeur-Martineau, 2018, arXiv 1807.00734).

        min_D  1/2 E[(D(x) - E[D(G(z))] - b)^2] + 1/2 E[(D(G(z)) - E[D(x)] - a)^2]
        min_G  1/2 E[(D(G(z)) - E[D(x)] - c)^2] + 1/2 E[(D(x) - E[D(G(z))] + c)^2]

    The inner means are those of the batch, and gradients pass through them. G's loss has the roles exchanged: it pulls
    fakes to c above the mean of the real samples, and these to c below that of the fakes, by moving that mean. The
    paper's (a, b, c) is (-1, 1, 1), without the 1/2.

    Args:
        a: D's target for a fake above the mean of the real samples.
        b: D's target for a real sample above the mean of the fakes.
        c: what G wants D to give for a fake above the mean of the real samples.

    Raises:
        ValueError: a, b or c is not a finite number, or a equals b.
    """

    needs_whole_batch = True

    @property
    def name(self) -> str:
        return f"lsgan_ra_{_targets(self.a, self.b, self.c)}"

    @property
    def meaning(self) -> str:
        return self._meaning("relativistic, against the mean", "4Δ/(2 + 3Δ)")

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return self._halves(real_logits, self.b, fake_logits, self.a)

    def generator(self, fake_logits: Tensor, real_logits: Tensor) -> Tensor:
        return self._halves(real_logits, -self.c, fake_logits, self.c)

    def _halves(self, real_logits: Tensor, real_target: float, fake_logits: Tensor, fake_target: float) -> Tensor:
        of_real = (real_logits - fake_logits.mean() - real_target).square().mean()
        return (of_real + (fake_logits - real_logits.mean() - fake_target).square().mean()) / 2


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
    reference = Reference(0.0, None, math.inf, discriminator_if_it_wins=None)
    needs_penalty = "nothing keeps D Lipschitz, so its loss estimates no distance and may run away; add penalty=wgan_gp"

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        return -fake_logits.mean()


def _cross_entropy(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-E[log sigmoid(D(x))] - E[log(1 - sigmoid(D(G(z))))], in nats."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def _targets(a: float, b: float, c: float) -> str:
    return f"b{b:g}c{c:g}a{a:g}"


def _signed(value: float) -> str:
    """As a term of a sum: ` + 2` or ` - 2`."""
    return f" {'-' if value < 0 else '+'} {abs(value):g}"


def _check_targets(a: float, b: float, c: float) -> None:
    for name, value in (("a", a), ("b", b), ("c", c)):
        if not _is_finite(value):
            raise ValueError(f"{name}={value!r} must be a finite number")
    if a == b:
        raise ValueError(f"a={a:g} and b={b:g} must differ: D cannot tell fake from real with one target")


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
