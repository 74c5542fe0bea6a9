"""Divergences between two densities p and q, in nats where logarithms are taken.

Integrands are written in log p and log q, so that they stay exact where densities underflow: with d = log p - log q,
p - q = (p + q)·tanh(d/2).
"""

import math

import numpy as np

from lsgan.theory.pairs import Array, Pair


def kl(pair: Pair) -> float:
    """Kullback–Leibler, KL(p‖q) = ∫ p log(p/q), in [0, inf] (Kullback and Leibler, 1951)."""
    return pair.integral(_kl)


def jsd(pair: Pair) -> float:
    """Jensen–Shannon, ½ KL(p‖m) + ½ KL(q‖m) with m = (p+q)/2, in [0, log 2] (Lin, 1991)."""
    return pair.integral(_jsd)


def pearson(pair: Pair) -> float:
    """Pearson χ²(p‖q) = ∫ (q - p)² / p, in [0, inf]: the first argument is below the line, as in Mao et al. (2017).

    The LSGAN paper's equation 8 is χ²(p_d + p_g ‖ 2 p_g) in this convention.
    """
    return pair.integral(lambda log_p, log_q: _chi_square(log_q, log_p))


def neyman(pair: Pair) -> float:
    """Neyman χ²(p‖q) = ∫ (p - q)² / q, in [0, inf]: Pearson's of the exchanged densities."""
    return pair.integral(_chi_square)


def triangular(pair: Pair) -> float:
    """Triangular discrimination ∫ (p - q)² / (p + q), in [0, 2] (Topsøe, 2000).

    It is Pearson's χ²(p + q ‖ 2q): what LSGAN with b - c = 1 and b - a = 2 minimises, twice C(G).
    """
    return pair.integral(lambda log_p, log_q: np.exp(np.logaddexp(log_p, log_q)) * _contrast(log_p, log_q) ** 2)


def pearson_vajda(pair: Pair, k: float) -> float:
    """Pearson–Vajda |χ|^k(p + q ‖ 2q) = ∫ |p - q|^k / (p + q)^(k - 1), in [0, 2] (Nielsen and Nock, 2014).

    It is what LSGAN with c halfway and the exponent k minimises, up to |b - c|^k (Bhatia et al., 2020; arXiv
    2006.02479): of order 1 twice the total variation, of order 2 the triangular discrimination.
    """
    return pair.integral(lambda log_p, log_q: np.exp(np.logaddexp(log_p, log_q)) * abs(_contrast(log_p, log_q)) ** k)


def total_variation(pair: Pair) -> float:
    """½ ∫ |p - q|, in [0, 1]."""
    return pair.integral(lambda log_p, log_q: np.exp(np.logaddexp(log_p, log_q)) * abs(_contrast(log_p, log_q)) / 2)


def _kl(log_p: Array, log_q: Array) -> Array:
    """p log(p/q); 0 where p is, infinite where q alone is 0."""
    there = log_p > -np.inf
    with np.errstate(invalid="ignore"):
        return np.where(there, np.exp(log_p) * (log_p - log_q), 0.0)


def _jsd(log_p: Array, log_q: Array) -> Array:
    log_m = np.logaddexp(log_p, log_q) - math.log(2)
    return (_kl(log_p, log_m) + _kl(log_q, log_m)) / 2


def _chi_square(log_p: Array, log_q: Array) -> Array:
    """(p - q)² / q = q·(e^d - 1)², by its logarithm: q alone may underflow where the whole does not."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # what leaves float64 is inf, and not 0
        d = log_p - log_q
        # log |e^d - 1|, without cancellation on either side of 0
        log_gap = np.where(d > 0, d + np.log(-np.expm1(-abs(d))), np.log(-np.expm1(-abs(d))))
        values = np.exp(log_q + 2 * log_gap)
    both_absent = (log_p == -np.inf) & (log_q == -np.inf)
    return np.where(both_absent, 0.0, np.where(log_q == -np.inf, np.inf, np.where(d == 0, 0.0, values)))


def _contrast(log_p: Array, log_q: Array) -> Array:
    """(p - q) / (p + q), in [-1, 1]; 0 where neither is."""
    with np.errstate(invalid="ignore"):
        d = log_p - log_q
    return np.tanh(np.where(np.isnan(d), 0.0, d) / 2)
