"use strict";
// What moves when a slider does. p is N(0, 1); the sliders place q.

const SAID = JSON.parse(document.getElementById("said").textContent);
const KEYS = ["distance", "spread", "a", "b", "c"];
const find = (id) => document.getElementById(id);

const shown = (value) => String(Number(value.toFixed(4))).replace("-", "−");

// Of any size; χ² comes as log(1 + χ²), as it leaves the range of numbers.
function told(value, log = 0) {
  if (log === Infinity) return "∞";
  if (log < Math.log(1e6)) return value.toFixed(4);
  const power = Math.floor(log / Math.LN10);
  const raised = [...String(power)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
  return `${(10 ** (log / Math.LN10 - power)).toFixed(2)}·10${raised}`;
}

function put(id, text, value) {
  find(id).textContent = text;
  if (value !== undefined) find(id).dataset.value = String(value);
}

function verdict({ a, b, c }) {
  if (a === b) return SAID.same;
  const factor = shown(((b - a) / 2) ** 2);
  const constant = shown(2 * ((a + b) / 2 - c) ** 2);
  const text = isPearson({ a, b, c }) ? SAID.pearson : SAID.no_pearson;
  return text.replace("[factor]", factor).replace("[constant]", constant).replace("[middle]", shown((a + b) / 2));
}

function redraw() {
  const at = Object.fromEntries(KEYS.map((key) => [key, Number(find(key).value)]));
  for (const key of KEYS) put(`${key}-value`, shown(at[key]));
  const [p, q] = [{ mean: 0, std: 1 }, { mean: at.distance, std: at.spread }];
  const { a, b, c } = at;
  const levels = [["a", a], ["b", b], ["c", c], ["(a+b)/2", (a + b) / 2]].map(([name, value]) => ({ name, value }));
  const [low, high] = [Math.min(a, b, c), Math.max(a, b, c)];
  const margin = Math.max(0.15 * (high - low), 0.05);
  const x = [-5, 13];

  plot(find("plot-densities"), {
    x,
    y: [0, 1.1 * Math.max(0.4, 0.4 / q.std)],
    lines: [{ class: "real", f: (t) => Math.exp(logDensity(t, p)) }, { class: "fake", f: (t) => Math.exp(logDensity(t, q)) }],
  });
  plot(find("plot-gan"), { x, y: [-0.1, 1.1], lines: [{ class: "gan", f: (t) => share(t, p, q) }], levels: [{ value: 0.5, name: "½" }] });
  for (const id of ["plot-lsgan", "plot-answer"]) {
    const lines = [{ class: "lsgan", f: (t) => answer(t, p, q, at) }];
    plot(find(id), { x, y: [low - margin, high + margin], lines, levels });
  }
  plot(find("plot-losses"), {
    x: [-4, 4],
    y: [0, 6],
    lines: [["fake", a], ["real", b], ["lsgan goal", c]].map(([kind, target]) => ({ class: kind, f: (t) => (t - target) ** 2 / 2 })),
  });

  const found = divergences(p, q);
  const logs = { pearson: logChiSquareAnd1(p, q), neyman: logChiSquareAnd1(q, p) };
  for (const [key, value] of Object.entries(found)) put(`value-${key}`, told(value, logs[key]), value);
  const twiceC = criterion(p, q, at);
  put("value-criterion", told(twiceC), twiceC);
  put("verdict", verdict(at), isPearson(at));
  put("value-d-equilibrium", shown((b - a) ** 2 / 4));
  put("value-g-equilibrium", shown(((a + b) / 2 - c) ** 2 / 2));
  put("value-g-wins", shown((a - c) ** 2 / 2));
}

for (const key of KEYS) find(key).addEventListener("input", redraw);
redraw();
