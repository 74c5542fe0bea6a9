"""The discriminator that a loss asks for when D is free, and what the losses are then worth.

p is the density of the real samples, q that of G's: `Pair` has them in that order.
"""

import math
from dataclasses import dataclass

import numpy as np

from lsgan.theory.pairs import Array, Pair


def lemma_argmax(a: float, b: float) -> float:
    """Where a·log x + b·log(1 - x) is largest on [0, 1]: a / (a + b) (Goodfellow et al., 2014, proposition 1).

    Raises:
        ValueError: a or b is negative, or both are 0.
    """
    if not (a >= 0 and b >= 0 and a + b > 0):
        raise ValueError(f"a={a:g} and b={b:g} must be at least 0, and one of them above")
    return a / (a + b)


def gan_discriminator(log_p: Array, log_q: Array) -> Array:
    """D* = p / (p + q) of the standard GAN (Goodfellow et al., 2014, equation 2); ½ where neither is."""
    return _share(log_p, log_q)


def gan_value(pair: Pair) -> float:
    """V(D*, G) = ∫ p log D* + q log(1 - D*), in [-2 log 2, 0]; it is 2·JSD - 2 log 2 (the paper's theorem 1)."""

    def integrand(log_p: Array, log_q: Array) -> Array:
        log_sum = np.logaddexp(log_p, log_q)
        return _times(log_p, log_p - log_sum) + _times(log_q, log_q - log_sum)

    return pair.integral(integrand)


@dataclass(frozen=True)
class Targets:
    """LSGAN's targets: D's for fakes a and for real ones b, and G's c (Mao et al., 2017, equation 2).

    G's exponent k is 2 there, and at least 1 in Bhatia et al. (2020; arXiv 2006.02479).
    """

    a: float
    b: float
    c: float
    k: float = 2.0

    def discriminator(self, log_p: Array, log_q: Array) -> Array:
        """D* = (b·p + a·q) / (p + q) (equation 5); (a + b) / 2 where neither is."""
        return self.a + (self.b - self.a) * _share(log_p, log_q)

    def discriminator_value(self, pair: Pair) -> float:
        """V(D*) = ½ ∫ p (D* - b)² + ½ ∫ q (D* - a)², which is ½ (b - a)² ∫ p q / (p + q), in [0, (b - a)² / 4]."""
        gap = (self.b - self.a) ** 2
        return pair.integral(
            lambda log_p, log_q: (
                gap / 2 * np.exp(np.logaddexp(log_p, log_q)) * _share(log_p, log_q) * _share(log_q, log_p)
            )
        )

    def generator_value(self, pair: Pair) -> float:
        """V(G) = ½ ∫ q |D* - c|^k: what G's loss is under the optimal D."""
        return pair.integral(
            lambda log_p, log_q: np.exp(log_q) * abs(self.discriminator(log_p, log_q) - self.c) ** self.k / 2
        )

    def criterion(self, pair: Pair) -> float:
        """2·C(G) = ∫ |(b - c)·p + (a - c)·q|^k / (p + q)^(k - 1) (equations 6, 7): V(G) and the same of real samples.

        The added term does not depend on G, given D; without it there would be no divergence. Here it is twice C. For
        k = 2 it is ((b - a)/2)²·χ²_Pearson(p + q ‖ 2 q) + 2 ((a + b)/2 - c)², whatever c is.
        """
        return pair.integral(
            lambda log_p, log_q: (
                np.exp(np.logaddexp(log_p, log_q)) * abs(self.discriminator(log_p, log_q) - self.c) ** self.k
            )
        )

    @property
    def pearson_factor(self) -> float | None:
        """f, where 2·C(G) = f · χ²_Pearson(p + q ‖ 2 q) for all p and q: (b - c)²; None if it is no χ² at all.

        It is one if b - a = 2 (b - c), that is if c is halfway between a and b; with b - c = 1, as in the paper
        (equation 8), the factor is 1.
        """
        return self.vajda_factor if self.k == 2 else None

    @property
    def vajda_factor(self) -> float | None:
        """f, where 2·C(G) = f · |χ|^k(p + q ‖ 2 q) for all p and q: |b - c|^k if c is halfway, else None."""
        is_halfway = math.isclose(self.b - self.a, 2 * (self.b - self.c), rel_tol=1e-12) and self.a != self.b
        return abs(self.b - self.c) ** self.k if is_halfway else None

    @property
    def at_equilibrium(self) -> tuple[float, float]:
        """V(D) and V(G) where p = q and D is optimal: D* = (a + b) / 2."""
        return (self.b - self.a) ** 2 / 4, abs((self.a + self.b) / 2 - self.c) ** self.k / 2

    @property
    def if_discriminator_wins(self) -> tuple[float, float]:
        """V(D) and V(G) where D tells all samples apart: D = b on the real ones and a on the others."""
        return 0.0, abs(self.a - self.c) ** self.k / 2


def triangular_from_value(value: float, targets: Targets) -> float:
    """The triangular discrimination from V(D*): 2 - 8·V(D*) / (b - a)², the same for all targets.

    Of a D that is not optimal it is a lower bound, and may be below 0.
    """
    return 2 - 8 * value / (targets.b - targets.a) ** 2


def jsd_from_value(value: float) -> float:
    """The Jensen–Shannon divergence, in nats, from the loss of the optimal D by cross-entropy: log 2 - loss / 2."""
    return math.log(2) - value / 2


def _share(log_p: Array, log_q: Array) -> Array:
    """p / (p + q), in [0, 1]; ½ where neither is."""
    with np.errstate(invalid="ignore", over="ignore"):
        d = log_q - log_p
        return 1 / (1 + np.exp(np.where(np.isnan(d), 0.0, d)))


def _times(log_density: Array, values: Array) -> Array:
    """density · values; 0 where the density is, whatever the values."""
    there = log_density > -np.inf
    return np.where(there, np.exp(log_density) * np.where(there, values, 0.0), 0.0)
