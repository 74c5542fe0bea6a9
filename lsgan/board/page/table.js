"use strict";
// The table of runs: sorted, filtered, searched; what is shown and ticked are the runs that all other parts show.
{
  const { html, number, runs, study } = board;
  const byId = (id) => document.getElementById(id);
  const MOST = 24; // values of an override that a filter lists

  const ORDER = ["running", "finished", "interrupted", "killed", "collapsed", "failed", "damaged"];
  const duration = (seconds) => {
    if (seconds === null) return "–";
    const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.round(seconds) % 60];
    return h ? `${h} h ${m} min` : m ? `${m} min ${s} s` : `${s} s`;
  };
  const sortable = (text) => (text === "" ? null : Number.isFinite(Number(text)) ? Number(text) : text);

  // Columns: what is sorted by (null is last), and what a cell holds.
  const who = [
    { title: "run", key: (run) => run.name, cell: (run) => unfolding(run), class: "name" },
    { title: "status", key: (run) => ORDER.indexOf(run.status), cell: (run) => status(run) },
  ];
  const what = [
    ...study.choices.map(({ key }) => ({ title: key, key: (run) => sortable(run.choices[key]), cell: (run) => choice(run, key) })),
    { title: "steps", key: (run) => run.step, cell: (run) => `${number(run.step)} of ${run.steps === null ? "?" : number(run.steps)}`, class: "number" },
    { title: "time", key: (run) => run.seconds, cell: (run) => duration(run.seconds), class: "number" },
    { title: "images/s", key: (run) => run.images_per_second, cell: (run) => number(run.images_per_second), class: "number" },
  ];
  const bestAndLast = (column) => {
    const { title, better } = study.columns[column];
    const found = [{ title, small: "last", key: (run) => run.last[column] ?? null, cell: (run) => number(run.last[column]), class: "number" }];
    if (runs.some((run) => column in run.best)) {
      const cell = (run) => (column in run.best ? `${number(run.best[column][0])} @ ${number(run.best[column][1])}` : "–");
      found.push({ title, small: `best (${better}) @ step`, key: (run) => run.best[column]?.[0] ?? null, cell, class: "number" });
    }
    return found;
  };

  const choice = (run, key) => html("span", { class: board.isUsual(run, key) ? "usual" : null }, run.choices[key] || "–");
  const status = (run) => html("span", { class: "status", "data-status": run.status, title: run.reason || null }, run.status, run.warnings.length && run.status === "finished" ? " (warned)" : "");
  const columnsThere = Object.keys(study.columns);
  const first = (board.data("answer").metrics.slice(0, 1).map(({ column }) => column));
  const wanted = new Set(first.length ? first : columnsThere.filter((column) => column.startsWith("loss/")).slice(0, 2));
  const unticked = new Set();
  const unfolded = new Set();
  const filters = new Map();
  let sorting = { title: "run", small: undefined, down: false };

  const text = (run) => [run.name, run.setting, run.status, run.reason, run.command, ...Object.entries(run.choices).map(([key, value]) => `${key}=${value}`)].join(" ").toLowerCase();
  const texts = new Map(runs.map((run) => [run.name, text(run)]));
  const fits = (run) => {
    const words = byId("table-search").value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.every((word) => texts.get(run.name).includes(word))) return false;
    return [...filters].every(([key, value]) => value === "" || (key === "status" ? run.status : `=${run.choices[key]}`) === value);
  };

  const columns = () => [...who, ...columnsThere.filter((column) => wanted.has(column)).flatMap(bestAndLast), ...what];
  const compared = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  const sorted = (those) => {
    const by = columns().find((column) => column.title === sorting.title && column.small === sorting.small) ?? who[0];
    return [...those].sort((first, second) => {
      const [a, b] = [by.key(first), by.key(second)];
      if (a === null || b === null) return (a === null) - (b === null);
      return compared(a, b) * (sorting.down ? -1 : 1);
    });
  };

  const unfolding = (run) =>
    html("button", {
      type: "button", class: "link", "aria-expanded": String(unfolded.has(run.name)), "data-run": run.name,
      onclick: () => {
        unfolded.has(run.name) ? unfolded.delete(run.name) : unfolded.add(run.name);
        draw();
        focusOn(run.name);
      },
    }, run.name);
  const focusOn = (name) => [...byId("runs").querySelectorAll("button[data-run]")].find((button) => button.dataset.run === name)?.focus();

  const head = () =>
    html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "show"), ...columns().map((column) => {
      const isIt = column.title === sorting.title && column.small === sorting.small;
      const sort = () => {
        sorting = { title: column.title, small: column.small, down: isIt && !sorting.down };
        draw();
        byId("runs").querySelector("th[aria-sort] button").focus();
      };
      return html("th", { scope: "col", class: column.class, "aria-sort": isIt ? (sorting.down ? "descending" : "ascending") : null },
        html("button", { type: "button", onclick: sort }, column.title), column.small ? html("small", {}, column.small) : null);
    })));

  const rowOf = (run) => {
    const tick = html("input", {
      type: "checkbox", "aria-label": `show ${run.name}`, checked: !unticked.has(run.name),
      onchange: (event) => {
        event.target.checked ? unticked.delete(run.name) : unticked.add(run.name);
        event.target.closest("tr").classList.toggle("off", !event.target.checked);
        choose();
      },
    });
    return html("tr", { class: unticked.has(run.name) ? "off" : null }, html("td", {}, tick),
      ...columns().map((column) => html("td", { class: column.class }, column.title === "run" ? board.mark(board.colour(run.name)) : null, column.cell(run))));
  };

  const copied = async (event, command) => {
    const button = event.target;
    try {
      await navigator.clipboard.writeText(command);
      button.textContent = "Copied";
    } catch { // a browser that lets no file write to the clipboard: it is selected instead
      getSelection().selectAllChildren(button.previousElementSibling);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  };
  const listed = (title, entries, tag = "ul") => (entries.length ? [html("div", {}, html("h4", {}, title), html(tag, {}, ...entries.map((entry) => html("li", {}, entry))))] : []);
  const inside = (run) => {
    const numbers = Object.keys(run.last).map((column) => {
      const best = run.best[column];
      return html("tr", {}, html("th", { scope: "row" }, study.columns[column].title === column ? column : `${study.columns[column].title} · ${column}`), html("td", { class: "number" }, number(run.last[column])), html("td", { class: "number" }, best ? `${number(best[0])} @ ${number(best[1])}` : ""));
    });
    return html("div", { class: "inside" },
      ...(run.reason ? [html("p", {}, html("strong", {}, `${run.status}: `), run.reason)] : []),
      html("div", {}, html("h4", {}, "Command"), run.command
        ? html("div", { class: "command" }, html("code", {}, run.command), html("button", { type: "button", onclick: (event) => copied(event, run.command) }, "Copy"))
        : html("p", {}, "not known: the run does not tell how it was begun")),
      html("div", {}, html("h4", {}, "Folder"), html("code", {}, run.folder)),
      ...listed("Starts and ends", run.history.map(({ time, told }) => `${time.replace("T", " ").replace("+00:00", " UTC")}: ${told}`), "ol"),
      ...listed("Warnings", run.warnings.map(({ step, reason }) => `step ${step}: ${reason}`)),
      ...listed("What could not be read", run.troubles),
      html("details", {}, html("summary", {}, `All ${numbers.length} numbers, last and best`), run.label ? html("p", { class: "note" }, `Metrics: ${run.label}`) : null,
        html("table", {}, html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "number"), html("th", { scope: "col", class: "number" }, "last"), html("th", { scope: "col", class: "number" }, "best @ step"))), html("tbody", {}, ...numbers))));
  };

  let shown = runs;
  const choose = () => {
    const names = shown.filter((run) => !unticked.has(run.name)).map((run) => run.name);
    byId("table-told").textContent = `${shown.length} of ${runs.length} runs listed, ${names.length} of them shown in the charts and samples.`;
    if (names.length !== board.chosen.size || names.some((name) => !board.chosen.has(name))) board.choose(names);
  };
  const draw = () => {
    shown = sorted(runs.filter(fits));
    const width = columns().length + 1;
    const body = shown.flatMap((run) => [rowOf(run), ...(unfolded.has(run.name) ? [html("tr", { class: "unfolded" }, html("td", { colspan: width }, inside(run)))] : [])]);
    byId("runs").replaceChildren(html("caption", { hidden: true }, "Runs"), head(), html("tbody", {}, ...body));
    choose();
  };

  const filter = (key, pairs) => {
    const select = html("select", { "data-key": key, onchange: () => { filters.set(key, select.value); draw(); } });
    board.options(select, [["", "all"], ...pairs]);
    byId("table-filters").append(html("label", {}, `${key} `, select));
  };
  const values = (key) => [...new Set(runs.map((run) => run.choices[key]))].sort((a, b) => compared(sortable(a) ?? "", sortable(b) ?? ""));
  for (const { key } of study.choices) {
    if (values(key).length <= MOST) filter(key, values(key).map((value) => [`=${value}`, value || "–"]));
  }
  filter("status", [...new Set(runs.map((run) => run.status))].map((name) => [name, name]));

  for (const column of columnsThere) {
    const change = (event) => { event.target.checked ? wanted.add(column) : wanted.delete(column); draw(); };
    byId("table-columns").append(html("label", {}, html("input", { type: "checkbox", checked: wanted.has(column), onchange: change }), ` ${study.columns[column].title}`));
  }
  byId("table-search").addEventListener("input", draw);
  byId("table-all").addEventListener("click", () => {
    byId("table-search").value = "";
    filters.clear();
    for (const select of byId("table-filters").querySelectorAll("select")) select.value = "";
    unticked.clear();
    draw();
  });

  // Unfolds a run and goes there, whatever was filtered.
  board.show = (name) => {
    if (!shown.some((run) => run.name === name)) byId("table-all").click();
    unfolded.add(name);
    draw();
    focusOn(name);
  };
  draw();
}
