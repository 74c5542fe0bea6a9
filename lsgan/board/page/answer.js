"use strict";
// The answer: sentences, and for each setting its seeds, mean and interval, and the paired difference to the best one.
{
  const { html, svg, painted, number, signed } = board;
  const answer = board.data("answer");
  const byId = (id) => document.getElementById(id);

  for (const button of document.querySelectorAll("#troubles button")) {
    button.addEventListener("click", () => board.show(button.dataset.run));
  }

  // A horizontal axis for values, which intervals may leave: of two seeds they are long, and would flatten all else.
  const axis = (values, width) => {
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const room = (high - low || Math.abs(high) || 1) * 0.35;
    [low, high] = [low - room, high + room];
    return { low, high, x: (value) => 6 + ((Math.min(high, Math.max(low, value)) - low) / (high - low)) * (width - 12) };
  };

  const WIDTH = 340;
  const plot = (scale, told, { points = [], mean, low, high, colour, zero = false }) => {
    const parts = [svg("title", {}, told)];
    if (zero) parts.push(svg("line", { class: "zero", x1: scale.x(0), x2: scale.x(0), y1: 0, y2: 30 }));
    if (low !== null && high !== null) {
      parts.push(painted(svg("line", { x1: scale.x(low), x2: scale.x(high), y1: 15, y2: 15, "stroke-width": 3, opacity: 0.5 }), "stroke", colour));
      for (const [end, beyond] of [[low, low < scale.low], [high, high > scale.high]]) {
        const x = scale.x(end);
        const tip = end === low ? 6 : -6;
        const path = beyond ? `M${x + tip},9L${x},15L${x + tip},21` : `M${x},10V20`;
        parts.push(painted(svg("path", { d: path, fill: "none", "stroke-width": 2 }), "stroke", colour));
      }
    }
    for (const [, value] of points) {
      parts.push(painted(svg("circle", { cx: scale.x(value), cy: 15, r: 3.5, "fill-opacity": 0.45 }), "fill", colour));
    }
    if (mean !== null) parts.push(painted(svg("circle", { class: "mean", cx: scale.x(mean), cy: 15, r: 6 }), "fill", colour));
    return svg("svg", { viewBox: `0 0 ${WIDTH} 30`, role: "img", "aria-label": told }, ...parts);
  };

  const axisRow = (scale) =>
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} 16`, "aria-hidden": "true" },
      ...board.ticks(scale.low, scale.high, 4).map((tick) => svg("text", { x: scale.x(tick), y: 12, "text-anchor": "middle" }, number(tick))),
    );

  const interval = (found) => (found.low === null ? "interval not known" : `${number(found.low)} to ${number(found.high)}`);
  const seeds = (num) => `${num} seed${num === 1 ? "" : "s"}`;

  // Broken into lines between its phrases only.
  const phrases = (text) => text.split(/(?<=,) |(?= \()/).flatMap((phrase, i) => [i ? " " : "", html("span", {}, phrase.trim())]);

  const row = (found, setting, scales) => {
    const { colour } = board.nth(board.settings.indexOf(setting.name));
    const contrast = found.contrasts[setting.name];
    const isBest = setting === found.settings[0] && setting.mean !== null;
    const told = setting.mean === null ? "no finished run has it" : `${number(setting.mean)} (${interval(setting)}), ${seeds(setting.seeds)}`;
    const against = contrast
      ? `${signed(-contrast.mean)} (${contrast.low === null ? "interval not known" : `${signed(-contrast.high)} to ${signed(-contrast.low)}`})`
      : "";
    const p = contrast?.p === null || contrast === undefined ? "" : `, p = ${number(contrast.p)}`;
    return html(
      "tr",
      { class: isBest ? "best" : null },
      html("th", { scope: "row" }, mark(colour), setting.name),
      html("td", { class: "plot" }, setting.mean === null ? null : plot(scales.values, told, { ...setting, colour })),
      html("td", { "data-title": "mean" }, ...phrases(told)),
      html("td", { class: "plot" }, contrast ? plot(scales.differences, against, { mean: -contrast.mean, low: contrast.low === null ? null : -contrast.high, high: contrast.low === null ? null : -contrast.low, colour, zero: true }) : null),
      html("td", contrast ? { "data-title": "against the best" } : {}, ...phrases(contrast ? `${against}, ${seeds(contrast.seeds)}${p}` : isBest ? "the best" : "")),
      html("td", { "data-title": "runs" }, ...phrases(setting.ended)),
    );
  };

  const mark = (colour) =>
    svg("svg", { class: "swatch", viewBox: "0 0 22 10", "aria-hidden": "true" }, painted(svg("rect", { width: 22, height: 10, rx: 3 }), "fill", colour));

  const figure = (found, metric, at) => {
    const values = found.settings.flatMap((setting) => setting.points.map(([, value]) => value));
    const differences = Object.values(found.contrasts).map((contrast) => -contrast.mean);
    const scales = { values: axis(values, WIDTH), differences: axis([0, ...differences], WIDTH) };
    const head = html(
      "thead",
      {},
      html("tr", {}, ...["setting", `${at} ${metric.title} of each seed, mean, 95% interval`, "mean", "difference to the best, seed by seed", "", "runs"].map((text) => html("th", { scope: "col" }, text))),
    );
    const feet = html("tr", { "aria-hidden": "true" }, html("td"), html("td", { class: "plot" }, axisRow(scales.values)), html("td"), html("td", { class: "plot" }, differences.length ? axisRow(scales.differences) : null), html("td"), html("td"));
    byId("answer-figure").replaceChildren(head, html("tbody", {}, ...found.settings.map((setting) => row(found, setting, scales)), feet));
  };

  const show = () => {
    const metric = answer.metrics.find(({ column }) => column === byId("answer-metric").value);
    const at = byId("answer-at").value;
    const found = answer.answers[metric.column][at];
    const [first, ...others] = found.sentences;
    const shown = found.compares ? 2 : 3; // who won, and how sure it is against the next; before it that numbers do not compare
    const rest = others.slice(shown - 1);
    byId("answer-told").replaceChildren(
      html("p", {}, first),
      ...others.slice(0, shown - 1).map((sentence) => html("p", {}, sentence)),
      ...(rest.length ? [html("details", { open: rest.length < 5 }, html("summary", {}, "How sure, and what may not be read from it"), ...rest.map((sentence) => html("p", {}, sentence)))] : []),
    );
    figure(found, metric, at);
    byId("answer-note").textContent = [
      `${metric.title}: ${metric.mode === "min" ? "the least" : "the largest"} is best${metric.label ? `; ${metric.label}` : ""}.`,
      "Small dots are seeds, a large one their mean, bars 95% intervals (Student's t); a bar that ends in an arrow goes on.",
      "Differences are taken between runs of one seed, which have seen the same data and noise; p is of the exact sign-flip test, corrected for the number of comparisons.",
    ].join(" ");
  };

  board.mark = mark;
  if (answer.metrics.length) {
    board.options(byId("answer-metric"), answer.metrics.map(({ column, title }) => [column, title]));
    byId("answer-metric").addEventListener("change", show);
    byId("answer-at").addEventListener("change", show);
    show();
  }
}
