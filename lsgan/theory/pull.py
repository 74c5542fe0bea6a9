"""How hard a loss pulls: G's and D's losses by D's output for a sample, and the D that each asks for.

A fake sample x moves by -∂V_G/∂x = pull(D(x)) · D'(x): the loss gives the first factor, D the second.
"""

from dataclasses import dataclass
from typing import Protocol

from scipy.special import expit

from lsgan.theory.optimal import Targets, gan_discriminator
from lsgan.theory.pairs import Array


class Game(Protocol):
    """A loss of D and of G by D's raw output t (a logit where there is a sigmoid), elementwise."""

    @property
    def middle(self) -> float:
        """What the optimal D answers where real and fake are as likely."""
        ...

    def real_slope(self, t: Array) -> Array:
        """By t, of D's loss for a real sample."""
        ...

    def fake_slope(self, t: Array) -> Array:
        """By t, of D's loss for a fake sample."""
        ...

    def pull(self, t: Array) -> Array:
        """-dV_G/dt: above 0 where G wants t to grow."""
        ...

    def optimal(self, log_p: Array, log_q: Array) -> Array:
        """The output that minimises D's loss pointwise."""
        ...

    def optimal_slope(self, log_p: Array, log_q: Array, slope: Array) -> Array:
        """∂D*/∂x, where `slope` is that of log p - log q."""
        ...


@dataclass(frozen=True)
class CrossEntropy:
    """Of Goodfellow et al. (2014): G's loss is log(1 - sigmoid t) (equation 1), or else -log sigmoid t (section 3).

    Args:
        saturates: minimax, equation 1; otherwise the loss that practice uses.
    """

    saturates: bool
    middle = 0.0

    def real_slope(self, t: Array) -> Array:
        return -expit(-t)

    def fake_slope(self, t: Array) -> Array:
        return expit(t)

    def pull(self, t: Array) -> Array:
        return expit(t) if self.saturates else expit(-t)

    def optimal(self, log_p: Array, log_q: Array) -> Array:
        return log_p - log_q

    def optimal_slope(self, log_p: Array, log_q: Array, slope: Array) -> Array:
        return slope


@dataclass(frozen=True)
class LeastSquares:
    """Of Mao et al. (2017), equation 2, with the ½."""

    targets: Targets

    @property
    def middle(self) -> float:
        return (self.targets.a + self.targets.b) / 2

    def real_slope(self, t: Array) -> Array:
        return t - self.targets.b

    def fake_slope(self, t: Array) -> Array:
        return t - self.targets.a

    def pull(self, t: Array) -> Array:
        return self.targets.c - t

    def optimal(self, log_p: Array, log_q: Array) -> Array:
        return self.targets.discriminator(log_p, log_q)

    def optimal_slope(self, log_p: Array, log_q: Array, slope: Array) -> Array:
        share, rest = gan_discriminator(log_p, log_q), gan_discriminator(log_q, log_p)
        return (self.targets.b - self.targets.a) * share * rest * slope


MINIMAX, NON_SATURATING = CrossEntropy(saturates=True), CrossEntropy(saturates=False)


def sent(game: Game, outputs: Array, slopes: Array) -> Array:
    """-∂V_G/∂x of fake samples, from D's outputs [N] and D's slopes there [N, d]: of shape [N, d]."""
    there: Array = game.pull(outputs)[:, None] * slopes
    return there
