"""Relativistic least squares when D is free: what D makes of two densities, and what the losses are then worth.

Let s = (b - a)/2 and g = E_p D - E_q D, the gap in D's mean outputs on real and on fake samples. Up to a constant, D's
loss is w·(Var_p D + Var_q D) + (g - s)², with the weight w = 1 where pairs are compared (`RelativisticPaired`) and ½
where one sample is compared with a mean (`RelativisticAverage`). For a given gap the variances are least where D is a
multiple of (p - q)/(p + q), up to a constant: g² = R·(Var_p D + Var_q D) with R = 2Δ/(2 - Δ), Δ the triangular
discrimination. The best gap is therefore g = s·R/(R + w), and everything else follows.
"""

from dataclasses import dataclass

PAIRED, AVERAGE = 1.0, 0.5  # the weights of the variances


@dataclass(frozen=True)
class PairedTargets:
    """The targets of a relativistic loss: D's for fake minus real a, for real minus fake b, and G's for the former c.

    Args:
        a: see above.
        b: see above; another number.
        c: see above.
        weight: PAIRED or AVERAGE.
    """

    a: float
    b: float
    c: float
    weight: float

    def share(self, triangular: float) -> float:
        """g/s of the optimal D, in [0, 1]: 2Δ/(2 + Δ) of pairs, 4Δ/(2 + 3Δ) on average, for Δ in [0, 2]."""
        return 2 * triangular / (2 * triangular + self.weight * (2 - triangular))

    def gap(self, triangular: float) -> float:
        """E_p D - E_q D of the optimal D, from 0 to s = (b - a)/2."""
        return self._half * self.share(triangular)

    def discriminator_value(self, triangular: float) -> float:
        """D's loss with the optimal D: s²·(1 - g/s) + ((a + b)/2)²."""
        return self._half**2 * (1 - self.share(triangular)) + ((self.a + self.b) / 2) ** 2

    def generator_value(self, triangular: float) -> float:
        """G's loss with the optimal D: c² + s·(s + 2c)·g/s."""
        return self.c**2 + self._half * (self._half + 2 * self.c) * self.share(triangular)

    @property
    def _half(self) -> float:
        return (self.b - self.a) / 2


def triangular_from_paired_value(value: float, targets: PairedTargets) -> float:
    """The triangular discrimination, in [0, 2], from D's loss with the optimal D; of another D a lower bound."""
    share = 1 - (value - ((targets.a + targets.b) / 2) ** 2) / ((targets.b - targets.a) / 2) ** 2
    return 2 * targets.weight * share / (2 - (2 - targets.weight) * share)
