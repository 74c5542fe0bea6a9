"use strict";
// Lines in an SVG that the page has; colours and dashes come from its style sheet, by class.

const SPACE = { width: 480, height: 190, left: 40, right: 84, top: 8, bottom: 24 };

function made(name, attributes, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return node;
}

// A round step that gives three to seven ticks.
function ticks(low, high) {
  const rough = (high - low) / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= rough * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(Number((k * step).toPrecision(6)));
  return found;
}

// lines: {class, f} drawn over x; levels: {value, name} across.
function plot(svg, { x: [x0, x1], y: [y0, y1], lines, levels = [] }) {
  const { width, height, left, right, top, bottom } = SPACE;
  const across = (x) => left + ((x - x0) / (x1 - x0)) * (width - left - right);
  const up = (y) => height - bottom - ((y - y0) / (y1 - y0)) * (height - top - bottom);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const nodes = [];
  for (const x of ticks(x0, x1)) {
    nodes.push(made("line", { class: "grid", x1: across(x), x2: across(x), y1: up(y0), y2: up(y1) }));
    nodes.push(made("text", { x: across(x), y: height - 7, "text-anchor": "middle" }, String(x).replace("-", "−")));
  }
  for (const y of ticks(y0, y1)) {
    nodes.push(made("line", { class: "grid", x1: across(x0), x2: across(x1), y1: up(y), y2: up(y) }));
    nodes.push(made("text", { x: left - 5, y: up(y) + 4, "text-anchor": "end" }, String(y).replace("-", "−")));
  }
  const named = new Map();
  for (const { value, name } of levels) named.set(value, [...(named.get(value) ?? []), name]);
  for (const [value, names] of named) {
    nodes.push(made("line", { class: "level", x1: across(x0), x2: across(x1), y1: up(value), y2: up(value) }));
    nodes.push(made("text", { x: across(x1) + 4, y: up(value) + 4 }, names.join(" = ")));
  }
  for (const { class: kind, f } of lines) {
    const points = [];
    for (let i = 0; i <= 240; i++) {
      const x = x0 + ((x1 - x0) * i) / 240;
      const y = f(x);
      if (y >= y0 - (y1 - y0) && y <= y1 + (y1 - y0)) points.push(`${across(x).toFixed(1)},${up(y).toFixed(1)}`);
    }
    nodes.push(made("polyline", { class: `curve ${kind}`, points: points.join(" ") }));
  }
  svg.replaceChildren(...nodes);
}
