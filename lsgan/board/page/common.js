"use strict";
// What the parts of the page share: the data, which runs are chosen, their colours, the step that is looked at.
window.board = (() => {
  const parsed = new Map();
  const data = (name) => {
    if (!parsed.has(name)) {
      const element = document.getElementById(`data-${name}`);
      parsed.set(name, element ? JSON.parse(element.textContent) : null);
    }
    return parsed.get(name);
  };
  const study = data("study");
  const runs = study.runs;
  const byName = new Map(runs.map((run) => [run.name, run]));

  // An HTML element; keys that begin with "on" are listeners, all others attributes; null leaves one out.
  const fill = (element, attributes, children) => {
    for (const [key, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const html = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
  const painted = (element, property, colour) => {
    element.style[property] = colour; // from a script: the page's policy allows no style attribute
    return element;
  };

  // Settings have colours, and dashes where there are more settings than colours.
  const COLOURS = 8;
  const DASHES = ["", "7 3", "2 3", "9 3 2 3"];
  const settings = [...new Set(runs.map((run) => run.setting))];
  const nth = (i) => ({ colour: `var(--c${i % COLOURS})`, dash: DASHES[Math.floor(i / COLOURS) % DASHES.length] });
  const colour = (runName) => nth(Math.max(0, settings.indexOf(byName.get(runName)?.setting))).colour;

  // What tells a run from others: its choices but for the usual ones, or all of them, or its name.
  const told = (run, keys) => keys.map(({ key }) => `${key}=${run.choices[key] || "–"}`).join(" ");
  const usual = new Map(study.choices.map(({ key }) => {
    const counts = new Map();
    for (const run of runs) counts.set(run.choices[key], (counts.get(run.choices[key]) ?? 0) + 1);
    const [value, count] = [...counts].reduce((most, one) => (one[1] > most[1] ? one : most));
    return [key, count >= 0.75 * runs.length ? value : null]; // null: none is usual
  }));
  const isUsual = (run, key) => usual.get(key) !== null && usual.get(key) === run.choices[key];
  const labels = new Map();
  for (const short of [false, true]) {
    const shown = (run) => (short ? study.choices.filter(({ key }) => !isUsual(run, key)) : study.choices);
    const counts = new Map();
    for (const run of runs) counts.set(told(run, shown(run)), (counts.get(told(run, shown(run))) ?? 0) + 1);
    for (const run of runs) if (counts.get(told(run, shown(run))) === 1 && shown(run).length) labels.set(run.name, told(run, shown(run)));
  }
  const label = (runName) => labels.get(runName) ?? runName;

  const announced = () => {
    const listeners = [];
    return { add: (listener) => listeners.push(listener), tell: (...told) => listeners.forEach((fn) => fn(...told)) };
  };
  const chosen = new Set(runs.map((run) => run.name));
  const choosing = announced();
  const choose = (names) => {
    chosen.clear();
    for (const name of names) chosen.add(name);
    choosing.tell(chosen);
  };

  const stepping = announced();
  let step = null;
  const goto = (wanted) => {
    step = wanted;
    stepping.tell(step);
  };

  // A number for people: four digits, no more zeros than needed.
  const number = (value) => {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace("e+", "e");
    return Number(value.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 });
  };
  const signed = (value) => (value > 0 ? "+" : "") + number(value);

  // Round numbers from low to high, about so many.
  const ticks = (low, high, count) => {
    const rough = (high - low) / Math.max(1, count);
    if (!(rough > 0) || !Number.isFinite(rough)) return [low];
    const unit = 10 ** Math.floor(Math.log10(rough));
    const width = [1, 2, 5, 10].map((factor) => factor * unit).find((size) => size >= rough * 0.999);
    const found = [];
    for (let k = Math.ceil(low / width - 1e-9); k * width <= high + width * 1e-9; k++) found.push(k * width);
    return found;
  };

  // A select whose options are [value, text] pairs.
  const options = (select, pairs, value) => {
    select.replaceChildren(...pairs.map(([key, text]) => html("option", { value: key }, text)));
    if (value !== undefined) select.value = value;
  };

  // Draws now, whenever the width of the element changes, and at most once a frame.
  const drawn = (element, draw) => {
    let waiting = false;
    let width = -1;
    const ask = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        draw();
      });
    };
    new ResizeObserver(([entry]) => {
      if (Math.abs(entry.contentRect.width - width) < 1) return;
      width = entry.contentRect.width;
      ask();
    }).observe(element);
    return ask;
  };

  // The value of a metric that a run has for a comparison: only of finished runs, as the answer counts them.
  const value = (run, column, at) => {
    if (run.status !== "finished") return null;
    return (at === "best" ? run.best[column]?.[0] : run.last[column]) ?? null;
  };

  return {
    data, study, runs, byName, label, usual, isUsual, html, svg, painted, settings, nth, colour, chosen, choose, onChosen: choosing.add,
    goto, onStep: stepping.add, step: () => step, number, signed, ticks, options, drawn, value,
  };
})();
