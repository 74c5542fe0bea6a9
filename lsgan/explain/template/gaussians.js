"use strict";
// Divergences of two Gaussians {mean, std}, by Simpson's rule; tests compare each with lsgan.theory.

const logDensity = (x, { mean, std }) => -(((x - mean) / std) ** 2) / 2 - Math.log(std * Math.sqrt(2 * Math.PI));

// p / (p + q) at x: D* of the standard GAN. 1 / (1 + q / p) stays exact where both underflow.
const share = (x, p, q) => 1 / (1 + Math.exp(logDensity(x, q) - logDensity(x, p)));

// D* of LSGAN, the share scaled to run from a to b.
const answer = (x, p, q, { a, b }) => a + (b - a) * share(x, p, q);

// Where p = q, that is log p - log q = 0, a quadratic: none, one or two places.
function crossings(p, q) {
  const [u, v] = [1 / p.std ** 2, 1 / q.std ** 2];
  const [k2, k1] = [(v - u) / 2, u * p.mean - v * q.mean];
  const k0 = logDensity(0, p) - logDensity(0, q);
  if (k2 === 0) return k1 === 0 ? [] : [-k0 / k1];
  const root = Math.sqrt(k1 * k1 - 4 * k2 * k0);
  return Number.isNaN(root) ? [] : [(-k1 - root) / (2 * k2), (-k1 + root) / (2 * k2)].sort((s, t) => s - t);
}

// ∫ of f(log p, log q). |p - q| has corners at the crossings, so each piece between them is summed apart.
function integral(f, p, q) {
  const low = Math.min(p.mean - 12 * p.std, q.mean - 12 * q.std);
  const high = Math.max(p.mean + 12 * p.std, q.mean + 12 * q.std);
  const edges = [low, ...crossings(p, q).filter((x) => low < x && x < high), high];
  let sum = 0;
  for (let i = 0; i + 1 < edges.length; i++) {
    const length = edges[i + 1] - edges[i];
    const steps = 2 * Math.ceil(length / (0.04 * Math.min(p.std, q.std)));
    for (let k = 0; k <= steps; k++) {
      const x = edges[i] + (length * k) / steps;
      const weight = k === 0 || k === steps ? 1 : k % 2 ? 4 : 2;
      sum += (weight * f(logDensity(x, p), logDensity(x, q)) * length) / steps / 3;
    }
  }
  return sum;
}

// log(1 + χ²) with χ² = ∫ (q - p)² / p = ∫ q² / p - 1, whose integrand has another place and width than p and q.
// Infinity where the tails of q are too heavy for p.
function logChiSquareAnd1(p, q) {
  const precision = 2 / q.std ** 2 - 1 / p.std ** 2;
  if (precision <= 1e-9) return Infinity;
  const [middle, width] = [(2 * q.mean / q.std ** 2 - p.mean / p.std ** 2) / precision, 1 / Math.sqrt(precision)];
  const logs = [];
  for (let k = -400; k <= 400; k++) {
    const x = middle + 0.03 * k * width;
    logs.push(2 * logDensity(x, q) - logDensity(x, p));
  }
  const top = Math.max(...logs);
  return top + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - top), 0) * 0.03 * width);
}

const times = (logP, value) => (logP < -700 ? 0 : Math.exp(logP) * value);
const logMean = (s, t) => Math.max(s, t) + Math.log1p(Math.exp(-Math.abs(s - t))) - Math.LN2;
const contrast = (s, t) => Math.tanh((s - t) / 2); // (p - q) / (p + q)

function divergences(p, q) {
  return {
    kl: integral((s, t) => times(s, s - t), p, q),
    jsd: integral((s, t) => (times(s, s - logMean(s, t)) + times(t, t - logMean(s, t))) / 2, p, q),
    pearson: Math.expm1(logChiSquareAnd1(p, q)),
    neyman: Math.expm1(logChiSquareAnd1(q, p)),
    triangular: integral((s, t) => 2 * times(logMean(s, t), contrast(s, t) ** 2), p, q),
    total_variation: integral((s, t) => times(logMean(s, t), Math.abs(contrast(s, t))), p, q),
  };
}

// 2·C(G) = ∫ (p + q)·(D* - c)².
function criterion(p, q, { a, b, c }) {
  const half = (b - a) / 2;
  return integral((s, t) => 2 * times(logMean(s, t), ((a + b) / 2 + half * contrast(s, t) - c) ** 2), p, q);
}

// Targets as whole multiples of 1/20, which sliders step by: whether c is halfway is then a question of whole numbers.
function isPearson({ a, b, c }) {
  const [i, j, k] = [a, b, c].map((target) => Math.round(20 * target));
  return i !== j && i + j === 2 * k;
}
