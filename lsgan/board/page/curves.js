"use strict";
// Curves of any logged number; steps are zoomed in all charts at once.
{
  const { html, svg, painted, number, runs, study } = board;
  const byId = (id) => document.getElementById(id);
  const { steps, columns, points, is_thinned } = board.data("curves");
  const HEIGHT = 220;
  const PAD = { left: 52, right: 10, top: 8, bottom: 22 };
  const MOST_POINTS = 400; // of a mean
  const MOST_BANDS = 5; // more of them hide each other
  const T = [NaN, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131];
  const quantile = (freedom) => T[freedom] ?? 1.96 + 2.5 / freedom; // of Student's t, two-sided 95%; within .01 from 16 on

  // Which lines the theory draws into a chart: columns of its values, and what they are called.
  const THEORY = {
    "loss/discriminator": { "theory/d_loss_at_equilibrium": "equilibrium" },
    "loss/generator": { "theory/g_loss_at_equilibrium": "equilibrium", "theory/g_loss_if_d_wins": "D wins" },
  };
  const BOUNDS = { "divergence/triangular": [0, 2] }; // of numbers that mean the same for all losses

  const end = Math.max(1, ...steps.map((those) => those[those.length - 1] ?? 0));
  const state = { zoom: null, cursor: null, shown: new Set() };
  const view = () => state.zoom ?? [0, end];

  // The points of a run's curve: [step, value] pairs; [] if it has none.
  const curve = (column, i) => {
    const found = columns[column]?.[i];
    if (!found) return [];
    const [place, values] = found;
    return steps[place].map((step, k) => [step, Array.isArray(values) ? values[k] : values]);
  };

  // Exponential moving average without the pull of its start.
  const smoothed = (pairs, weight) => {
    if (!weight) return pairs;
    let [sum, norm] = [0, 0];
    return pairs.map(([step, value]) => {
      sum = weight * sum + (1 - weight) * value;
      norm = weight * norm + (1 - weight);
      return [step, sum / norm];
    });
  };

  const at = (pairs, step) => {
    if (!pairs.length || step < pairs[0][0] || step > pairs[pairs.length - 1][0]) return null;
    let [low, high] = [0, pairs.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (pairs[middle][0] < step) low = middle + 1;
      else high = middle;
    }
    const [there, value] = pairs[low];
    if (there === step || low === 0) return value;
    const [before, earlier] = pairs[low - 1];
    return earlier + ((value - earlier) * (step - before)) / (there - before);
  };

  // Mean and 95% interval over runs, at the steps that any of them has: [step, mean, half of the interval or NaN, how many].
  const middle = (curves) => {
    const all = [...new Set(curves.flatMap((pairs) => pairs.map(([step]) => step)))].sort((a, b) => a - b);
    const stride = Math.ceil(all.length / MOST_POINTS);
    return all.filter((_, k) => k % stride === 0 || k === all.length - 1).map((step) => {
      const values = curves.map((pairs) => at(pairs, step)).filter((value) => value !== null);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
      const half = values.length > 1 ? (quantile(values.length - 1) * Math.sqrt(squares / (values.length - 1))) / Math.sqrt(values.length) : NaN;
      return [step, mean, half, values.length];
    }).filter(([, , , num]) => num > 0);
  };

  // Groups of chosen runs, in the order in which they are met, each with its colour; the same colour whatever is chosen.
  const grouping = (run) => {
    const key = byId("curves-group").value;
    return key === "=setting" ? run.setting : key === "=run" ? run.name : run.choices[key.slice(1)] || "–";
  };
  const groups = () => {
    const names = [...new Set(runs.map(grouping))];
    const found = names.map((name, i) => ({ name, ...board.nth(i), members: [] }));
    runs.forEach((run, i) => board.chosen.has(run.name) && found[names.indexOf(grouping(run))].members.push(i));
    return found.filter(({ members }) => members.length);
  };

  const legend = (found) => {
    const total = runs.length ? found : [];
    byId("curves-legend").replaceChildren(...total.map(({ name, colour, dash, members }) =>
      html("li", {}, lineMark(colour, dash), `${name} (${members.length})`)));
  };
  const lineMark = (colour, dash) =>
    svg("svg", { class: "swatch", viewBox: "0 0 22 10", "aria-hidden": "true" }, painted(svg("line", { x1: 0, x2: 22, y1: 5, y2: 5, "stroke-width": 3, "stroke-dasharray": dash }), "stroke", colour));

  // What a chart shows: lines of pairs, bands, and the theory's lines.
  const content = (column, found) => {
    const weight = Number(byId("curves-smooth").value);
    const single = byId("curves-mode").value === "runs";
    const drawnGroups = found.map((group) => {
      const raw = group.members.map((i) => curve(column, i)).filter((pairs) => pairs.length);
      const curves = raw.map((pairs) => smoothed(pairs, weight));
      const mean = curves.length ? middle(curves) : [];
      return { ...group, raw: weight && single ? raw : [], curves, mean };
    }).filter(({ curves }) => curves.length);
    return { column, single, banded: !single && found.length <= MOST_BANDS, groups: drawnGroups, theory: byId("curves-lines").checked ? theory(column, found) : [] };
  };
  const theory = (column, found) => {
    const lines = new Map(); // the same line of several groups is drawn once, in no group's colour
    for (const [source, title] of Object.entries(THEORY[column] ?? {})) {
      for (const group of found) {
        const pairs = group.members.map((i) => curve(source, i)).find((those) => those.length);
        if (!pairs) continue;
        const value = pairs[pairs.length - 1][1];
        const key = `${title} ${value}`;
        lines.set(key, { value, title, colour: lines.has(key) ? "var(--faint)" : group.colour });
      }
    }
    return [...lines.values()];
  };

  // Scales: of steps the view, of values what is in view; a log axis leaves out what is not above 0.
  const scales = (shown, width) => {
    const [first, last] = view();
    const log = byId("curves-log").checked;
    const lines = shown.single ? shown.groups.flatMap(({ curves }) => curves) : shown.groups.map(({ mean }) => mean);
    const values = [...lines, ...(shown.banded ? shown.groups.map(({ mean }) => band(mean, lines)) : [])].flat()
      .filter(([step, value]) => step >= first && step <= last && (!log || value > 0)).map(([, value]) => value);
    values.push(...shown.theory.map(({ value }) => value).filter((value) => !log || value > 0));
    let low = values.length ? values.reduce((a, b) => Math.min(a, b)) : 0;
    let high = values.length ? values.reduce((a, b) => Math.max(a, b)) : 1;
    if (BOUNDS[shown.column] && !log) [low, high] = BOUNDS[shown.column];
    const [from, to] = log ? [Math.log10(low), Math.log10(high)] : [low, high];
    const room = (to - from || Math.abs(to) || 1) * 0.05;
    const inside = HEIGHT - PAD.top - PAD.bottom;
    const y = (value) => {
      const place = log ? Math.log10(value) : value;
      return PAD.top + inside * (1 - (place - from + room) / (to - from + 2 * room));
    };
    const marks = log && to - from >= 1 ? board.ticks(Math.ceil(from), Math.floor(to), 4).filter(Number.isInteger).map((power) => 10 ** power) : board.ticks(low, high, 4);
    const across = width - PAD.left - PAD.right;
    return {
      log, width, y, marks,
      x: (step) => PAD.left + (across * (step - first)) / (last - first || 1),
      step: (x) => first + ((x - PAD.left) / across) * (last - first),
    };
  };
  // Ends of intervals count for the axis as long as they do not dwarf the curves: of two seeds they may be endless.
  const band = (mean, lines) => {
    const values = lines.flat().map(([, value]) => value);
    const reach = values.length ? values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b)) : 0;
    return mean.filter(([, , half]) => half < reach / 2).flatMap(([step, value, half]) => [[step, value - half], [step, value + half]]);
  };

  const path = (pairs, scale) => {
    let [told, pen] = ["", "M"];
    for (const [step, value] of pairs) {
      if (scale.log && !(value > 0)) { pen = "M"; continue; }
      told += `${pen}${scale.x(step).toFixed(1)},${scale.y(value).toFixed(1)}`;
      pen = "L";
    }
    return told;
  };
  const area = (mean, scale) => {
    const known = mean.filter(([, value, half]) => half === half && (!scale.log || value - half > 0));
    if (known.length < 2) return "";
    const upper = known.map(([step, value, half]) => [step, value + half]);
    const lower = known.map(([step, value, half]) => [step, value - half]).reverse();
    return `${path(upper, scale)}${path(lower, scale).replace("M", "L")}Z`;
  };
  const line = (d, name, { colour, dash }) => painted(svg("path", { class: name, d, "stroke-dasharray": dash }), "stroke", colour);
  // Single points have no line: a metric of one look is a dot.
  const dots = (pairs, scale, colour) => (pairs.length > 3 ? [] : pairs.filter(([, value]) => !scale.log || value > 0)
    .map(([step, value]) => painted(svg("circle", { cx: scale.x(step), cy: scale.y(value), r: 3 }), "fill", colour)));

  const axes = (scale) => {
    const [first, last] = view();
    const bottom = HEIGHT - PAD.bottom;
    const across = board.ticks(first, last, Math.max(2, scale.width / 110));
    return [
      ...scale.marks.flatMap((value) => [
        svg("line", { class: "axis", x1: PAD.left, x2: scale.width - PAD.right, y1: scale.y(value), y2: scale.y(value) }),
        svg("text", { x: PAD.left - 5, y: scale.y(value) + 4, "text-anchor": "end" }, number(value)),
      ]),
      ...across.map((step) => svg("text", { x: scale.x(step), y: HEIGHT - 6, "text-anchor": "middle" }, number(Math.round(step)))),
      svg("line", { class: "axis", x1: PAD.left, x2: scale.width - PAD.right, y1: bottom, y2: bottom }),
    ];
  };

  const drawChart = (chart, found) => {
    const width = chart.svg.clientWidth || 400;
    const shown = content(chart.column, found);
    const scale = scales(shown, width);
    const clip = `clip-${chart.number}`;
    const inside = svg("g", { "clip-path": `url(#${clip})` });
    for (const group of shown.groups) {
      if (shown.single) {
        inside.append(...group.raw.map((pairs) => line(path(pairs, scale), "curve raw", group)));
        for (const pairs of group.curves) inside.append(line(path(pairs, scale), "curve", group), ...dots(pairs, scale, group.colour));
      } else {
        if (shown.banded) inside.append(painted(svg("path", { class: "band", d: area(group.mean, scale) }), "fill", group.colour));
        inside.append(line(path(group.mean, scale), "curve", group), ...dots(group.mean, scale, group.colour));
      }
    }
    for (const { value, title, colour } of shown.theory) {
      if (scale.log && !(value > 0)) continue;
      const y = scale.y(value);
      inside.append(painted(svg("line", { class: "theory", x1: PAD.left, x2: width - PAD.right, y1: y, y2: y }), "stroke", colour));
      inside.append(svg("text", { x: width - PAD.right - 3, y: y - 3, "text-anchor": "end" }, `${title} ${number(value)}`));
    }
    chart.marks = svg("g", { "clip-path": `url(#${clip})` });
    const frame = svg("rect", { x: PAD.left, y: 0, width: Math.max(0, width - PAD.left - PAD.right), height: HEIGHT - PAD.bottom });
    chart.svg.replaceChildren(svg("defs", {}, svg("clipPath", { id: clip }, frame)), ...axes(scale), inside, chart.marks);
    Object.assign(chart, { scale, shown });
    mark(chart);
  };

  // The cursor (a step that is looked at in all charts) and the step of the samples.
  const mark = (chart) => {
    if (!chart.scale) return;
    const vertical = (step, name) => svg("line", { class: name, x1: chart.scale.x(step), x2: chart.scale.x(step), y1: 0, y2: HEIGHT - PAD.bottom });
    chart.marks.replaceChildren();
    if (board.step() !== null) chart.marks.append(vertical(board.step(), "step"));
    if (state.cursor !== null) chart.marks.append(vertical(state.cursor, "cursor"));
    if (chart.brush) {
      const [from, to] = chart.brush.map(chart.scale.x).sort((a, b) => a - b);
      chart.marks.append(svg("rect", { class: "brush", x: from, width: to - from, y: 0, height: HEIGHT - PAD.bottom }));
    }
    chart.readout.hidden = state.cursor === null || active !== chart;
    if (!chart.readout.hidden) read(chart);
  };
  const read = (chart) => {
    const { single, groups: shown } = chart.shown;
    const lines = shown.flatMap((group) => (single
      ? group.curves.map((pairs, k) => [group, at(pairs, state.cursor), null, runs[group.members[k]]?.seed])
      : [[group, at(group.mean, state.cursor), at(group.mean.map(([step, , half]) => [step, half]), state.cursor), null]]));
    const told = lines.filter(([, value]) => value !== null).sort((a, b) => b[1] - a[1]);
    const most = told.slice(0, 10);
    chart.readout.replaceChildren(
      html("p", {}, html("strong", {}, `step ${Math.round(state.cursor).toLocaleString("en")}`)),
      ...most.map(([{ name, colour, dash }, value, half, seed]) => html("p", {}, lineMark(colour, dash),
        html("span", {}, seed === null || seed === undefined ? name : `${name} seed=${seed}`), html("b", {}, number(value) + (half === half && half !== null ? ` ± ${number(half)}` : "")))),
      told.length > most.length ? html("p", {}, `and ${told.length - most.length} more`) : "",
    );
    const isRight = chart.scale.x(state.cursor) > chart.scale.width / 2;
    chart.readout.style.left = isRight ? `${PAD.left}px` : "auto";
    chart.readout.style.right = isRight ? "auto" : `${PAD.right}px`;
  };

  // Zoom, by pointer and by keys.
  const zoom = (from, to) => {
    const [low, high] = [Math.max(0, Math.min(from, to)), Math.min(end, Math.max(from, to))];
    state.zoom = high - low < 1 || (low <= 0 && high >= end) ? null : [low, high];
    draw();
  };
  const scaled = (factor) => {
    const [first, last] = view();
    const centre = state.cursor !== null && state.cursor >= first && state.cursor <= last ? state.cursor : (first + last) / 2;
    zoom(centre - (centre - first) * factor, centre + (last - centre) * factor);
  };
  const moved = (share) => {
    const [first, last] = view();
    const by = Math.min(Math.max((last - first) * share, -first), end - last);
    zoom(first + by, last + by);
  };
  const reset = () => zoom(0, end);
  let active = null;
  const point = (step) => {
    state.cursor = step === null ? null : Math.min(view()[1], Math.max(view()[0], step));
    charts.forEach(mark);
  };
  const keys = {
    "+": () => scaled(0.5), "=": () => scaled(0.5), "-": () => scaled(2), 0: reset, Escape: reset, Home: reset,
    ArrowLeft: (event) => (event.shiftKey ? moved(-0.25) : point((state.cursor ?? view()[1]) - (view()[1] - view()[0]) / 50)),
    ArrowRight: (event) => (event.shiftKey ? moved(0.25) : point((state.cursor ?? view()[0]) + (view()[1] - view()[0]) / 50)),
    Enter: () => state.cursor !== null && board.goto(Math.round(state.cursor)),
  };

  const listen = (chart) => {
    const stepOf = (event) => chart.scale.step(event.clientX - chart.svg.getBoundingClientRect().left);
    const on = (name, listener) => chart.svg.addEventListener(name, listener);
    on("pointerdown", (event) => {
      if (event.button !== 0) return;
      chart.svg.setPointerCapture(event.pointerId);
      chart.brush = [stepOf(event), stepOf(event)];
    });
    on("pointermove", (event) => {
      active = chart;
      if (chart.brush) chart.brush[1] = stepOf(event);
      point(stepOf(event));
    });
    on("pointerup", () => {
      const brush = chart.brush;
      chart.brush = null;
      if (!brush) return;
      if (Math.abs(chart.scale.x(brush[0]) - chart.scale.x(brush[1])) > 6) zoom(...brush);
      else board.goto(Math.round(Math.min(end, Math.max(0, brush[1]))));
    });
    on("pointercancel", () => { chart.brush = null; charts.forEach(mark); });
    on("pointerleave", () => chart.brush || document.activeElement === chart.svg || point(null));
    on("dblclick", reset);
    on("focus", () => { active = chart; });
    on("blur", () => point(null));
    on("keydown", (event) => {
      if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      active = chart;
      keys[event.key](event);
    });
  };

  let charts = [];
  const chartOf = (column, i) => {
    const { title } = study.columns[column];
    const told = title === column ? column : `${title} · ${column}`;
    const picture = svg("svg", { tabindex: 0, role: "img", "aria-label": `${told}: arrows read values, + and − zoom, 0 shows all steps` });
    const readout = html("div", { class: "readout", hidden: true, "aria-live": "polite" });
    const chart = { column, number: i, svg: picture, readout, marks: svg("g") };
    chart.figure = html("figure", { class: "chart", "data-column": column }, html("figcaption", {}, told), picture, readout);
    listen(chart);
    return chart;
  };
  const build = () => {
    charts = names.filter((column) => state.shown.has(column)).map(chartOf);
    byId("charts").replaceChildren(...charts.map(({ figure }) => figure));
    draw();
  };
  const paint = () => {
    const found = groups();
    legend(found);
    for (const chart of charts) drawChart(chart, found);
    const [first, last] = view();
    byId("curves-note").textContent = [
      state.zoom ? `Steps ${Math.round(first).toLocaleString("en")} to ${Math.round(last).toLocaleString("en")} of ${end.toLocaleString("en")}; a double click or 0 shows all.` : "Drag over a chart to zoom all of them; click to bring the samples to a step. With the keyboard: Tab to a chart, then arrows, +, −, 0, Enter.",
      byId("curves-mode").value !== "mean" ? "" : found.length > MOST_BANDS ? `Lines are means; the intervals of more than ${MOST_BANDS} groups would hide each other, so they are only told where you point.` : "Bands are 95% intervals of the mean over runs (Student's t), where there are two or more.",
      is_thinned ? `Curves have at most ${points} points, each the mean of neighbouring rows.` : "",
    ].join(" ");
  };
  const draw = board.drawn(byId("charts"), paint);

  // What is looked at first: the divergence that all losses share, losses, what is compared, and signs of trouble.
  const names = Object.keys(columns).sort();
  const asked = (board.data("answer").metrics[0] ?? {}).column;
  const FIRST = ["divergence/triangular", asked, "loss/discriminator", "loss/generator", "logits/real_mean", "logits/fake_mean", "diversity/fake", "gradient_norm/generator"];
  names.sort((a, b) => (FIRST.includes(b) - FIRST.includes(a)) || (FIRST.includes(a) ? FIRST.indexOf(a) - FIRST.indexOf(b) : a.localeCompare(b)));
  for (const column of names) if (FIRST.includes(column)) state.shown.add(column);
  if (!state.shown.size) names.slice(0, 4).forEach((column) => state.shown.add(column));
  for (const column of names) {
    const change = (event) => { event.target.checked ? state.shown.add(column) : state.shown.delete(column); build(); };
    byId("curves-columns").append(html("label", {}, html("input", { type: "checkbox", checked: state.shown.has(column), value: column, onchange: change }), ` ${column}`));
  }

  board.options(byId("curves-group"), [["=setting", "setting"], ...study.choices.map(({ key }) => [`:${key}`, key]), ["=run", "run"]]);
  for (const id of ["curves-group", "curves-mode", "curves-log", "curves-lines"]) byId(id).addEventListener("change", draw);
  byId("curves-smooth").addEventListener("input", () => {
    byId("curves-smooth-told").textContent = byId("curves-smooth").value;
    draw();
  });
  byId("curves-in").addEventListener("click", () => scaled(0.5));
  byId("curves-out").addEventListener("click", () => scaled(2));
  byId("curves-reset").addEventListener("click", reset);
  board.onChosen(draw);
  board.onStep(() => charts.forEach(mark));
  build();
}
