"""DiracGAN for LSGAN: the smallest GAN, whose training can be followed by hand.

The data are the single point 0, G makes the single point θ, and D(x) = w·x + h (Mescheder et al., 2018, section 2, with
minimax and Wasserstein losses; arXiv 1801.04406). Theirs has no h. Here D needs it: at its optimum it answers
m = (a + b) / 2, not 0. With R1 (their equation 9), whose gradient of D is w at the data,

    V_D = ½ (h - b)² + ½ (wθ + h - a)² + ½ γ w²,        V_G = ½ (wθ + h - c)².

Both players descend at the same rate. A state is (w, h, θ), the last axis of an array. G is right and D is flat at
(0, m, 0), `DiracGAN.goal`; there, with δ = (b - a) / 2 and κ = c - m, the eigenvalues are -2 for h and the roots of
λ² + γλ + δκ = 0 for w and θ. So where c lies against the middle of a and b decides.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy import integrate

from lsgan.theory.optimal import Targets
from lsgan.theory.pairs import Array

_TO_FLAT = 2.0  # at which rate h finds its place while the others stand still


class Fate(Enum):
    """What becomes of a start near the goal, without R1 and with it; m = (a + b) / 2."""

    SPIRALS = "c > m: |θ| falls like 1/√t, around and around"
    CLOSES = "c > m, R1: |θ| falls exponentially"
    LINE = "c = m: θ falls exponentially, to a D that is not flat"
    CREEPS = "c = m, R1: D becomes flat and |θ| falls like 1/√t, slower with a larger γ"
    STEEPENS = "a < c < m: |θ| falls like 1/√t while |w| grows like √t"
    ASIDE = "a < c < m, R1: G comes to rest away from the data"
    LEAVES = "c <= a: G does not come back to the data"


@dataclass(frozen=True)
class DiracGAN:
    """The game for one choice of targets.

    Args:
        targets: with a < b; the others are their mirror images, (-a, -b, -c) with w and h of the other sign.
        r1_gamma: γ, R1's weight, at least 0.

    Raises:
        ValueError: a is not below b, or γ is negative or infinite.
    """

    targets: Targets
    r1_gamma: float = 0.0

    def __post_init__(self) -> None:
        if not self.targets.a < self.targets.b:
            raise ValueError(f"a={self.targets.a:g} must be below b={self.targets.b:g}: change the sign of a, b and c")
        if not 0 <= self.r1_gamma < math.inf:
            raise ValueError(f"r1_gamma={self.r1_gamma:g} must be a number of at least 0")

    # Where c is

    @property
    def middle(self) -> float:
        """m = (a + b) / 2, what the optimal D answers where real and fake are the same."""
        return (self.targets.a + self.targets.b) / 2

    @property
    def half_gap(self) -> float:
        """δ = (b - a) / 2, above 0."""
        return (self.targets.b - self.targets.a) / 2

    @property
    def above_middle(self) -> float:
        """κ = c - m, exactly 0 where c is at the middle but for rounding: a Pearson triple."""
        return 0.0 if self.targets.pearson_factor is not None else self.targets.c - self.middle

    @property
    def goal(self) -> Array:
        """(0, m, 0): G at the data, D flat. [3]"""
        return np.array([0.0, self.middle, 0.0])

    @property
    def fate(self) -> Fate:
        """Which of the cases this is; the methods below give their rates."""
        has_r1 = self.r1_gamma > 0
        if self.above_middle > 0:
            return Fate.CLOSES if has_r1 else Fate.SPIRALS
        if self.above_middle == 0:
            return Fate.CREEPS if has_r1 else Fate.LINE
        if self.targets.c > self.targets.a:
            return Fate.ASIDE if has_r1 else Fate.STEEPENS
        return Fate.LEAVES

    # The vector field

    def field(self, state: Array) -> Array:
        """(w', h', θ') = -(∂V_D/∂w, ∂V_D/∂h, ∂V_G/∂θ) at states [..., 3], of the same shape."""
        w, h, theta = np.moveaxis(np.asarray(state, np.float64), -1, 0)
        a, b, c = self.targets.a, self.targets.b, self.targets.c
        fake = w * theta + h
        return np.stack(
            [-(fake - a) * theta - self.r1_gamma * w, -(h - b) - (fake - a), -(fake - c) * w],
            axis=-1,
        )

    def jacobian(self, state: Array) -> Array:
        """∂(w', h', θ') / ∂(w, h, θ) at one state [3]: [3, 3], a row for each of w', h' and θ'."""
        w, h, theta = np.asarray(state, np.float64)
        a, c, twice = self.targets.a, self.targets.c, 2 * w * theta + h
        return np.array(
            [
                [-(theta**2) - self.r1_gamma, -theta, -(twice - a)],
                [-theta, -2.0, -w],
                [-(twice - c), -w, -(w**2)],
            ]
        )

    @property
    def eigenvalues(self) -> Array:
        """Of the Jacobian at the goal: (-γ ± √(γ² - 4δκ)) / 2 of w and θ, and -2 of h. [3], complex."""
        root = np.sqrt(complex(self.r1_gamma**2 - 4 * self.half_gap * self.above_middle))
        return np.array([(-self.r1_gamma + root) / 2, (-self.r1_gamma - root) / 2, -_TO_FLAT])

    def step_eigenvalues(self, rate: float, *, alternating: bool) -> Array:
        """Of one update at the goal; it comes nearer where all are below 1 in size. [3], complex.

        Of simultaneous updates by gradient descent they are 1 + rate·λ: on a circle around the goal always outwards.
        If G moves through the D that has just moved, w and θ have the determinant 1 - rate·γ and the trace
        2 - rate·γ - rate²·δκ, so without R1 a spiral is left to the terms of higher order, as in the flow.
        """
        if not alternating:
            return 1 + rate * self.eigenvalues
        trace = 2 - rate * self.r1_gamma - rate**2 * self.half_gap * self.above_middle
        root = np.sqrt(complex(trace**2 / 4 - (1 - rate * self.r1_gamma)))
        return np.array([trace / 2 + root, trace / 2 - root, 1 - rate * _TO_FLAT])

    # How it goes on

    def flow(self, start: Sequence[float], times: Array) -> Array:
        """Infinitely small steps of both: the states at `times`, which begin with that of `start`. [len(times), 3]"""
        found = integrate.solve_ivp(
            lambda _, state: self.field(state),
            (times[0], times[-1]),
            start,
            method="LSODA",  # D may become steep, and then θ moves much faster than w
            t_eval=times,
            jac=lambda _, state: self.jacobian(state),
            rtol=1e-9,
            atol=1e-12,
        )
        return np.asarray(found.y.T, np.float64)

    def descend(self, start: Sequence[float], rate: float, steps: int, *, alternating: bool) -> Array:
        """Gradient descent: D and G from the same state, or D first and G through the new D. [steps + 1, 3]

        `updates=alternating` and `updates=simultaneous` of a training are the same two. Steps that are too large for a
        steep D may grow without bound; what no float holds is infinite or NaN from there on.
        """
        states = np.empty((steps + 1, 3))
        states[0] = start
        with np.errstate(over="ignore", invalid="ignore"):
            for i in range(steps):
                moved = states[i] + rate * self.field(states[i])
                if alternating:
                    through = np.array([moved[0], moved[1], states[i, 2]])
                    moved[2] = states[i, 2] + rate * self.field(through)[2]
                states[i + 1] = moved
        return states

    # How fast

    @property
    def exponential_rate(self) -> float | None:
        """The r of |θ| ~ exp(-r·t) where that is how the goal is reached from all sides (CLOSES); None elsewhere.

        It is γ/2 up to γ = 2√(δκ), where it is largest, and falls with a larger γ: like δκ/γ in the end.
        """
        return -float(self.eigenvalues.real.max()) if self.fate is Fate.CLOSES else None

    def line_rate(self, w: float) -> float | None:
        """The r of |θ| ~ exp(-r·t) where D comes to rest with the slope w (LINE): in [0, 1); None elsewhere.

        Each (w, m, 0) is a point of rest there. h and θ have the eigenvalues of [[-2, -w], [-w, -w²]]; the slower is
        ½ (√(4 + w⁴) - 2 - w²), which is about -w²/2 for a D that is nearly flat.
        """
        if self.fate is not Fate.LINE:
            return None
        return 2 * w**2 / (2 + w**2 + math.sqrt(4 + w**4))

    @property
    def algebraic_constant(self) -> float | None:
        """The K of |θ| → K / √t where that is how it falls; of a spiral, its turning points. None elsewhere.

        SPIRALS: √(2 / (δs)). The energy E = ½ (κw² + δθ²) would stay, were it not for terms of third order. h follows w
        and θ, by a form of second order; averaged over a turn E' = -s·E², s = (δ + κ)(1 + 2δκ) / (4δκ (1 + δκ)).
        CREEPS: γ/δ. w follows θ as -δθ/γ, h - m as -wθ/2, and what is left is θ' = -½ w² θ.
        STEEPENS: √((m - c) / (c - a)). D(θ) stays near c, so h near a + b - c, wθ near -2 (m - c), and
        (w²)' is 4 (m - c)(c - a).
        """
        delta, kappa = self.half_gap, self.above_middle
        match self.fate:
            case Fate.SPIRALS:
                product = delta * kappa
                slowing = (delta + kappa) * (1 + 2 * product) / (4 * product * (1 + product))
                return math.sqrt(2 / (delta * slowing))
            case Fate.CREEPS:
                return self.r1_gamma / delta
            case Fate.STEEPENS:
                return math.sqrt(-kappa / (self.targets.c - self.targets.a))
        return None

    @property
    def aside(self) -> Array | None:
        """Where G rests away from the data (ASIDE), θ = √(2γ (m - c) / (c - a)) and its mirror image; None elsewhere.

        D answers c there, with h = a + b - c and wθ = -2 (m - c), and R1's penalty ½ γ w² is (m - c)(c - a) for all γ.
        It is so for every D with a free scale and offset that answers c to fakes and a + b - c to real samples.
        [2, 3], that with θ above 0 first.
        """
        if self.fate is not Fate.ASIDE:
            return None
        below, (a, b, c) = -self.above_middle, (self.targets.a, self.targets.b, self.targets.c)
        theta = math.sqrt(2 * self.r1_gamma * below / (c - a))
        w = -2 * below / theta
        return np.array([[w, a + b - c, theta], [-w, a + b - c, -theta]])
