"use strict";
// What settings do to a metric: a heat map over two numbers, and for each override its values against the metric.
{
  const { html, svg, painted, number, runs, study } = board;
  const byId = (id) => document.getElementById(id);
  const metrics = board.data("answer").metrics;
  const numeric = study.choices.filter(({ is_numeric }) => is_numeric).map(({ key }) => key);
  const finished = runs.filter((run) => run.status === "finished");
  const planar = numeric.filter((key) => new Set(finished.map((run) => run.choices[key])).size > 1); // can be an axis of the map
  const HEIGHT = 200;
  const PAD = { left: 52, right: 12, top: 10, bottom: 34 };

  const metric = () => metrics.find(({ column }) => column === byId("map-metric").value);
  const value = (run) => board.value(run, metric().column, byId("map-at").value);
  const chosen = () => runs.filter((run) => board.chosen.has(run.name));
  const sign = () => (metric().mode === "max" ? -1 : 1);
  const best = (those) => those.reduce((a, b) => (a === null || sign() * value(b) < sign() * value(a) ? b : a), null);
  const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;
  const distinct = (those, key) => [...new Set(those.map((run) => run.choices[key]).filter(Boolean))].sort((a, b) => Number(a) - Number(b) || a.localeCompare(b, "en", { numeric: true }));

  // From the worst mean (pale) to the best (deep); the ink that can be read on it.
  const shade = (share) => ({ ground: `hsl(212 ${35 + 45 * share}% ${90 - 62 * share}%)`, ink: share > 0.45 ? "#fff" : "#111" });

  const plane = () => {
    const [x, y] = [byId("map-x").value, byId("map-y").value];
    if (planar.length < 2 || x === y) return byId("plane").replaceChildren();
    const those = chosen();
    const cells = new Map();
    for (const run of those) {
      const key = JSON.stringify([run.choices[x], run.choices[y]]);
      if (!cells.has(key)) cells.set(key, { values: [], others: 0 });
      const found = value(run);
      if (found === null) cells.get(key).others += 1;
      else cells.get(key).values.push(found);
    }
    const means = [...cells.values()].filter(({ values }) => values.length).map(({ values }) => mean(values) * sign());
    const [low, high] = [Math.min(...means), Math.max(...means)];
    const cell = (a, b) => {
      const found = cells.get(JSON.stringify([a, b]));
      if (!found) return html("td", {}, "");
      const { values, others } = found;
      const left = others ? html("small", {}, `${others} not finished`) : null;
      if (!values.length) return html("td", {}, "–", left);
      const middle = mean(values);
      const { ground, ink } = shade(high > low ? (high - middle * sign()) / (high - low) : 1);
      const element = html("td", { class: middle * sign() === low ? "best" : null }, number(middle), html("small", {}, `${values.length} run${values.length === 1 ? "" : "s"}`), left);
      return painted(painted(element, "background", ground), "color", ink);
    };
    const [columns, rows] = [distinct(those, x), distinct(those, y)];
    byId("plane").replaceChildren(
      html("caption", {}, `Mean ${metric().title}: ${y} down, ${x} across; the best is framed`),
      html("thead", {}, html("tr", {}, html("th", { scope: "col" }, `${y} \\ ${x}`), ...columns.map((a) => html("th", { scope: "col" }, a)))),
      html("tbody", {}, ...rows.map((b) => html("tr", {}, html("th", { scope: "row" }, b), ...columns.map((a) => cell(a, b))))),
    );
  };

  // One panel an override: its values across (a number as such, on a log axis where it spans decades), the metric up.
  const across = (key, values, width) => {
    const inside = width - PAD.left - PAD.right;
    const numbers = values.map(Number);
    const isNumber = numeric.includes(key);
    const isLog = isNumber && Math.min(...numbers) > 0 && Math.max(...numbers) / Math.min(...numbers) >= 20;
    const place = (text) => (isLog ? Math.log10(Number(text)) : isNumber ? Number(text) : values.indexOf(text));
    const [low, high] = [Math.min(...values.map(place)), Math.max(...values.map(place))];
    return (text) => PAD.left + inside * (high > low ? 0.08 + (0.84 * (place(text) - low)) / (high - low) : 0.5);
  };
  const strip = (key, those, winner) => {
    const width = 340;
    const values = distinct(those, key);
    const x = across(key, values, width);
    const told = those.map(value);
    const [low, high] = [Math.min(...told), Math.max(...told)];
    const room = (high - low || Math.abs(high) || 1) * 0.06;
    const y = (one) => PAD.top + (HEIGHT - PAD.top - PAD.bottom) * (1 - (one - low + room) / (high - low + 2 * room));
    const middles = values.map((text) => [text, mean(those.filter((run) => run.choices[key] === text).map(value))]);
    const shown = Math.max(1, Math.ceil(values.length / 8));
    const parts = [
      ...board.ticks(low, high, 4).flatMap((tick) => [
        svg("line", { class: "axis", x1: PAD.left, x2: width - PAD.right, y1: y(tick), y2: y(tick) }),
        svg("text", { x: PAD.left - 5, y: y(tick) + 4, "text-anchor": "end" }, number(tick)),
      ]),
      ...values.flatMap((text, i) => (i % shown ? [] : [svg("text", { x: x(text), y: HEIGHT - (values.length > 3 && (i / shown) % 2 ? 4 : 17), "text-anchor": "middle" }, text.length > 16 ? `${text.slice(0, 15)}…` : text)])),
      svg("path", { class: "middle", d: middles.map(([text, one], i) => `${i ? "L" : "M"}${x(text)},${y(one)}`).join("") }),
      ...those.filter((run) => run.choices[key]).map((run) => painted(svg("circle", { cx: x(run.choices[key]), cy: y(value(run)), r: 3.5, "fill-opacity": 0.6 }, svg("title", {}, `${run.name}: ${number(value(run))}`)), "fill", board.colour(run.name))),
      ...(winner.choices[key] ? [svg("circle", { class: "best", cx: x(winner.choices[key]), cy: y(value(winner)), r: 7 })] : []),
    ];
    const label = `${metric().title} by ${key}: ` + middles.map(([text, one]) => `${text} ${number(one)}`).join(", ");
    return html("figure", { "data-key": key }, html("figcaption", {}, key), svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": label }, ...parts));
  };

  const draw = () => {
    const those = chosen().filter((run) => value(run) !== null);
    plane();
    const winner = best(those);
    byId("strips").replaceChildren(...(winner ? study.choices.filter(({ key }) => distinct(those, key).length > 1).map(({ key }) => strip(key, those, winner)) : []));
    const others = chosen().length - those.length;
    byId("map-note").textContent = winner
      ? [
          `${metric().title}, ${metric().mode} is best. Each dot is a finished run, lines are means, the ring is the best run: ${winner.name}, ${number(value(winner))}.`,
          "What is not on a panel's or the map's axes is averaged over.",
          others ? `${others} of the chosen runs have not finished, or have no such number, and are left out.` : "",
        ].join(" ")
      : "None of the chosen runs has finished with this metric.";
  };

  if (!metrics.length || !study.choices.length) {
    byId("map").hidden = true;
    document.querySelector('nav a[href="#map"]').hidden = true;
  } else {
    board.options(byId("map-metric"), metrics.map(({ column, title }) => [column, title]));
    board.options(byId("map-x"), planar.map((key) => [key, key]), planar[0]);
    board.options(byId("map-y"), planar.map((key) => [key, key]), planar[1]);
    for (const label of document.querySelectorAll("#map .plane")) label.hidden = planar.length < 2;
    for (const id of ["map-metric", "map-at", "map-x", "map-y"]) byId(id).addEventListener("change", draw);
    board.onChosen(draw);
    draw();
  }
}
