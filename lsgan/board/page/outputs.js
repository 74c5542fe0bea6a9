"use strict";
// Where D puts real samples and fakes over the steps, a chart a run, against the targets of the run's loss.
{
  const { html, svg, label, number } = board;
  const byId = (id) => document.getElementById(`outputs-${id}`);
  const given = board.data("outputs");
  const runs = new Map(given.runs.map((run) => [run.name, run]));
  const HEIGHT = 180;
  const MARGIN = { left: 44, right: 36, top: 6, bottom: 20 };
  const INSIDE = 0.99; // share of the lowest and of the highest values that an axis holds at least
  const FAR = 3; // times as long an axis holds all: otherwise what runs away for a moment would flatten the rest

  const short = (value) => number(Number(value.toPrecision(3)));
  const finite = (values) => values.filter((value) => value !== null);
  const quantile = (sorted, share) => sorted[Math.round(share * (sorted.length - 1))];
  const shown = () => given.runs.filter((run) => board.chosen.has(run.name));

  // From where to where an axis goes, and whether anything lies outside.
  const domain = (those) => {
    const ends = (pick) => finite(those.flatMap((run) => ["real", "fake"].flatMap((side) => pick(run[side]) ?? []))).sort((a, b) => a - b);
    const [lows, highs] = [ends((bands) => bands[0]), ends((bands) => bands.at(-1))];
    const targets = those.flatMap((run) => Object.values(run.targets));
    if (lows.length + targets.length === 0) return { low: -1, high: 1, isCut: false };
    const [least, most] = [Math.min(...targets, lows[0] ?? Infinity), Math.max(...targets, highs.at(-1) ?? -Infinity)];
    let low = Math.min(...targets, quantile(lows, 1 - INSIDE) ?? Infinity);
    let high = Math.max(...targets, quantile(highs, INSIDE) ?? -Infinity);
    if (most - least <= FAR * (high - low)) [low, high] = [least, most];
    const room = (high - low) * 0.05 || 1;
    return { low: low - room, high: high + room, isCut: least < low - room || most > high + room };
  };
  const groupOf = (run) => ({ loss: run.loss, all: "", run: run.name })[byId("axis").value];

  // Paths, broken where a value is missing.
  const pieces = (...series) => {
    const found = [[]];
    for (let i = 0; i < series[0].length; i++) {
      if (series.some((values) => values[i] === null)) found.push([]);
      else found.at(-1).push(i);
    }
    return found.filter((piece) => piece.length);
  };
  const line = (points) => `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;
  const band = (at, x, y, lows, highs) =>
    pieces(lows, highs).map((piece) => `${line([...piece.map((i) => [x(at[i]), y(highs[i])]), ...piece.reverse().map((i) => [x(at[i]), y(lows[i])])])}Z`).join("");
  const middle = (at, x, y, values) =>
    pieces(values).map((piece) => line(piece.length > 1 ? piece.map((i) => [x(at[i]), y(values[i])]) : [[x(at[piece[0]]) - 2, y(values[piece[0]])], [x(at[piece[0]]) + 2, y(values[piece[0]])]])).join("");
  const side = (run, name, x, y) => {
    const bands = run[name];
    const path = (kind, d) => svg("path", { class: `${name} ${kind}`, d });
    const narrow = bands.length === 5 ? [path("narrow", band(run.steps, x, y, bands[1], bands[3]))] : [];
    return [path("wide", band(run.steps, x, y, bands[0], bands.at(-1))), ...narrow, path("middle", middle(run.steps, x, y, bands[(bands.length - 1) / 2]))];
  };

  // The lines a, b and c; equal ones share a name, and names keep apart.
  const targets = (run, width, y) => {
    const named = new Map();
    for (const [name, value] of Object.entries(run.targets)) named.set(value, [...(named.get(value) ?? []), name]);
    let last = -Infinity;
    return [...named].sort(([one], [other]) => other - one).flatMap(([value, names]) => {
      last = Math.max(y(value), last + 12);
      return [
        svg("path", { class: "target", d: `M${MARGIN.left} ${y(value)}H${width - MARGIN.right}` }),
        svg("text", { class: "name", x: width - MARGIN.right + 4, y: last + 4 }, names.join(", ")),
      ];
    });
  };
  const frame = (width, last, { low, high }, x, y) => [
    ...board.ticks(low, high, 4).flatMap((value) => [
      svg("path", { class: "axis", d: `M${MARGIN.left} ${y(value)}H${width - MARGIN.right}` }),
      svg("text", { x: MARGIN.left - 5, y: y(value) + 4, "text-anchor": "end" }, number(value)),
    ]),
    ...board.ticks(0, last, Math.max(2, width / 110)).map((value) => svg("text", { x: x(value), y: HEIGHT - 5, "text-anchor": "middle" }, number(value))),
  ];

  let charts = []; // {run, place, at, domain, cursor, x}
  let last = 1;
  let clips = 0;
  const draw = (chart) => {
    const { run, place } = chart;
    const width = place.clientWidth;
    if (width === 0 || chart.width === width) return;
    chart.width = width;
    const { low, high } = chart.domain;
    const x = (step) => MARGIN.left + (step / last) * (width - MARGIN.left - MARGIN.right);
    const y = (value) => HEIGHT - MARGIN.bottom - ((value - low) / (high - low)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
    const clip = `outputs-clip-${clips++}`;
    const area = { x: MARGIN.left, y: MARGIN.top, width: Math.max(0, width - MARGIN.left - MARGIN.right), height: HEIGHT - MARGIN.top - MARGIN.bottom };
    chart.x = x;
    chart.cursor = svg("path", { class: "step" });
    place.replaceChildren(
      svg("clipPath", { id: clip }, svg("rect", area)),
      ...frame(width, last, chart.domain, x, y),
      svg("g", { "clip-path": `url(#${clip})` }, ...side(run, "real", x, y), ...side(run, "fake", x, y)),
      ...targets(run, width, y),
      chart.cursor,
    );
    point(chart);
  };

  // One step for all: that of the page, shown at the nearest earlier row.
  const indexAt = (run, step) => run.steps.reduce((found, one, i) => (one <= step ? i : found), -1);
  const summary = (run, i) => {
    const one = (name) => {
      const bands = run[name];
      const [low, mid, high] = [bands[0][i], bands[(bands.length - 1) / 2][i], bands.at(-1)[i]];
      return mid === null ? null : `${name === "real" ? "real" : "fakes"} ${short(mid)} (${short(low)} to ${short(high)})`;
    };
    const share = run.share?.[i] ?? null;
    const parts = [one("real"), one("fake"), share === null ? null : `${short(100 * share)} % of fakes on the real side`];
    return `step ${run.steps[i]}: ${finite(parts).join(", ")}`;
  };
  const point = (chart) => {
    const step = board.step() ?? Infinity;
    const i = indexAt(chart.run, step);
    const text = i < 0 ? "nothing so early" : summary(chart.run, i);
    chart.at.textContent = text;
    chart.place.setAttribute("aria-label", `D's outputs of ${label(chart.run.name)}, ${text}`);
    if (chart.cursor && i >= 0) chart.cursor.setAttribute("d", `M${chart.x(chart.run.steps[i])} ${MARGIN.top}V${HEIGHT - MARGIN.bottom}`);
  };
  const choose = (chart, event) => {
    if (!chart.x || (event.type === "pointermove" && event.buttons !== 1)) return;
    const where = event.clientX - chart.place.getBoundingClientRect().left;
    const distance = (step) => Math.abs(chart.x(step) - where);
    board.goto(chart.run.steps.reduce((found, step) => (distance(step) < distance(found) ? step : found)));
  };

  let steps = [];
  const follow = () => {
    const step = board.step() ?? Infinity;
    const i = Math.max(0, steps.filter((one) => one <= step).length - 1);
    byId("step").value = i;
    byId("step").setAttribute("aria-valuetext", `step ${steps[i] ?? 0}`);
    byId("now").textContent = steps[i] ?? "";
    charts.forEach(point);
  };

  const figure = (run, axis) => {
    const caption = html("figcaption", {}, label(run.name), html("br"), html("small", {}, run.loss));
    if (!run.steps.length) return html("figure", { "data-run": run.name, title: run.name }, caption, html("div", { class: "none" }, "nothing logged"));
    const place = svg("svg", { role: "img", height: HEIGHT });
    const at = html("p", { class: "at" });
    const chart = { run, place, at, domain: axis, cursor: null, x: null, width: 0 };
    for (const type of ["pointerdown", "pointermove"]) place.addEventListener(type, (event) => choose(chart, event));
    const element = html("figure", { "data-run": run.name, title: run.name }, caption, place, at);
    chart.element = element;
    charts.push(chart);
    seeing.observe(element);
    return element;
  };
  const seeing = new IntersectionObserver((entries) => {
    const seen = new Set(entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target));
    for (const chart of charts) {
      chart.isSeen ||= seen.has(chart.element);
      if (seen.has(chart.element)) draw(chart);
    }
  }, { rootMargin: "300px" });

  const notes = (those, axes) => {
    const num = those.filter((run) => run.kind === "std").length;
    const quantiles = those.some((run) => run.kind === "quantiles");
    return [
      quantiles ? "Lines are medians, dark bands hold the middle half, light ones 90 % of the samples." : "",
      num ? `${num === those.length ? "These runs have" : `${num} of these runs ${num === 1 ? "has" : "have"}`} logged no quantiles of D's outputs: shown are mean and one standard deviation to each side, of the last batch. The observer \`outputs\` logs quantiles.` : "",
      axes.some((axis) => axis.isCut) ? "An axis leaves out what less than 1 % of the rows reach." : "",
      given.is_thinned ? `Of longer runs ${given.points} rows are shown, evenly spaced.` : "",
    ].filter(Boolean).join(" ");
  };
  const build = () => {
    const those = shown();
    const groups = Map.groupBy ? Map.groupBy(those, groupOf) : those.reduce((found, run) => found.set(groupOf(run), [...(found.get(groupOf(run)) ?? []), run]), new Map());
    const axes = new Map([...groups].map(([name, members]) => [name, domain(members)]));
    steps = [...new Set(those.flatMap((run) => run.steps))].sort((a, b) => a - b);
    last = steps.at(-1) || 1;
    byId("step").max = Math.max(0, steps.length - 1);
    seeing.disconnect();
    charts = [];
    byId("charts").replaceChildren(...those.map((run) => figure(run, axes.get(groupOf(run)))));
    byId("told").textContent = notes(those, [...axes.values()]);
    follow();
  };
  byId("axis").addEventListener("change", build);
  byId("step").addEventListener("input", () => board.goto(steps[Number(byId("step").value)]));
  new ResizeObserver(() => charts.filter((chart) => chart.isSeen).forEach(draw)).observe(byId("charts"));
  window.addEventListener("beforeprint", () => charts.forEach(draw));
  board.onStep(follow);
  board.onChosen(build);
  build();
}
