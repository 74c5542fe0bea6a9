"use strict";
// Sample grids of the chosen runs, side by side under one slider over the steps; a click enlarges, two go under a wipe.
{
  const { html, study, byName, label, painted } = board;
  const byId = (id) => document.getElementById(`samples-${id}`);
  const given = board.data("samples");
  const kept = new Map(given.runs.map((run) => [run.name, run]));
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  // Pictures: decoded when they are first seen; those that nobody has looked at for longest are forgotten.
  const MOST_PIXELS = 40e6; // 160 MB
  const decoded = new Map(); // place -> bitmap, or null while it is being made; the order is that of use
  let pixels = 0;
  const blob = (text) => {
    const letters = atob(text);
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
    return new Blob([bytes], { type: "image/webp" });
  };
  const forget = () => {
    for (const [place, bitmap] of decoded) {
      if (pixels <= MOST_PIXELS || decoded.size < 2) return;
      if (bitmap === null) continue;
      pixels -= bitmap.width * bitmap.height;
      bitmap.close();
      decoded.delete(place);
    }
  };
  const decode = async (place, then) => {
    decoded.set(place, null);
    const bitmap = await createImageBitmap(blob(given.images[place])).catch(() => undefined);
    decoded.delete(place);
    if (bitmap === undefined) return;
    decoded.set(place, bitmap);
    pixels += bitmap.width * bitmap.height;
    forget();
    then();
  };
  const bitmapOf = (place) => {
    const bitmap = decoded.get(place);
    if (bitmap) {
      decoded.delete(place);
      decoded.set(place, bitmap);
    }
    return bitmap;
  };

  // What is seen of every picture: all of it, or the part around (x, y) that zoom leaves.
  const view = { zoom: 1, x: 0.5, y: 0.5 };
  const look = (zoom, x, y) => {
    view.zoom = clamp(zoom, 1, 16);
    const half = 0.5 / view.zoom;
    [view.x, view.y] = [clamp(x, half, 1 - half), clamp(y, half, 1 - half)];
    byId("zoom").value = view.zoom;
    byId("grid").classList.toggle("zoomed", view.zoom > 1);
    redraw();
  };
  const paint = (canvas, bitmap) => {
    const context = canvas.getContext("2d");
    const [width, height] = [bitmap.width / view.zoom, bitmap.height / view.zoom];
    const scale = Math.min(canvas.width / width, canvas.height / height);
    const [w, h] = [width * scale, height * scale];
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = scale < 3; // in larger ones pixels stay pixels
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, view.x * bitmap.width - width / 2, view.y * bitmap.height - height / 2, width, height, (canvas.width - w) / 2, (canvas.height - h) / 2, w, h);
  };
  const wanted = new WeakMap(); // canvas -> place
  const show = (canvas, place) => {
    wanted.set(canvas, place);
    if (place === null) return canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    const bitmap = bitmapOf(place);
    if (bitmap) paint(canvas, bitmap);
    else if (bitmap === undefined) decode(place, redraw);
  };
  const sized = (canvas, width, height) => {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    painted(canvas, "width", `${width}px`);
    painted(canvas, "height", `${height}px`);
  };

  // Which grid a run has at a step: the nearest earlier one where it has none.
  const at = (name, step) => {
    const { steps, images } = kept.get(name);
    let i = steps.length - 1;
    while (i >= 0 && steps[i] > step) i--;
    return i < 0 ? null : { step: steps[i], place: images[i] };
  };
  const words = (text) => (text === "" || text === undefined ? "–" : text);

  // Steps: those of all chosen runs; the page's step is shown at the nearest earlier one.
  let steps = [];
  let now = null;
  const place = () => Math.max(0, steps.filter((step) => step <= now).length - 1);
  const count = () => {
    steps = [...new Set([...board.chosen].flatMap((name) => kept.get(name)?.steps ?? []))].sort((a, b) => a - b);
    byId("step").max = Math.max(0, steps.length - 1);
    for (const id of ["step", "play", "back", "on"]) byId(id).disabled = steps.length < 2;
  };
  const follow = (step) => {
    now = step;
    now = steps[place()] ?? null;
    byId("step").value = place();
    const told = now === null ? "no samples" : `step ${now} of ${steps.at(-1)}`;
    byId("step").setAttribute("aria-valuetext", told);
    byId("now").textContent = told;
    mark();
    draw();
  };
  const move = (to) => steps.length && board.goto(steps[clamp(to, 0, steps.length - 1)]);

  let playing = null;
  const stop = () => {
    clearInterval(playing);
    playing = null;
    byId("play").textContent = "Play";
  };
  const play = () => {
    if (playing !== null) return stop();
    if (place() === steps.length - 1) move(0);
    byId("play").textContent = "Pause";
    playing = setInterval(() => (place() < steps.length - 1 ? move(place() + 1) : stop()), 300);
  };

  // The overview: a table of figures by two choices.
  let figures = []; // {name, canvas, mark, isSeen}
  const seeing = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const figure = figures.find((one) => one.element === entry.target);
      if (figure) figure.isSeen = entry.isIntersecting;
    }
    draw();
  }, { rootMargin: "200px" });
  const choice = (name, key) => words(byName.get(name).choices[key]);
  const ordered = (values) => {
    const all = [...new Set(values)];
    return all.every((value) => Number.isFinite(Number(value))) ? all.sort((a, b) => a - b) : all;
  };
  const size = () => Number(byId("size").value);
  const heightOf = (place) => Math.round((size() * given.sizes[place][1]) / given.sizes[place][0]);

  const picture = (name, place, about, caption) => {
    const canvas = html("canvas", { role: "img" });
    sized(canvas, size(), heightOf(place));
    const button = html("button", { type: "button", class: "picture", onclick: () => (dragged ? (dragged = false) : enlarge(name)) }, canvas);
    movable(button, canvas);
    const mark = html("span");
    const element = html("figure", { title: name, "data-run": name }, button, html("figcaption", {}, caption, mark));
    painted(element, "width", `${size()}px`);
    seeing.observe(element);
    return { name, canvas, button, mark, about, element, isSeen: false };
  };
  const status = (name) => {
    const { status } = byName.get(name);
    return status === "finished" ? "" : html("span", { class: "status", "data-status": status }, status, " ");
  };
  // What a cell's place does not tell: in what its runs differ, and what is unusual.
  const told = (name, inCell, hidden) =>
    study.choices
      .map(({ key }) => key)
      .filter((key) => !hidden.includes(key) && (!(board.usual.get(key) === null || board.isUsual(byName.get(name), key)) || new Set(inCell.map((one) => choice(one, key))).size > 1))
      .map((key) => `${key}=${choice(name, key)}`);
  const sample = (name, inCell, hidden) => {
    const run = kept.get(name);
    const words = told(name, inCell, hidden);
    const caption = html("span", {}, status(name), words.join(" "), words.length ? " " : "");
    if (!run?.images.length) {
      const none = html("div", { class: "none", "data-run": name, title: name }, html("span", {}, status(name), html("br"), `${words.join(" ")} no samples`));
      painted(none, "width", `${size()}px`);
      return none;
    }
    const figure = picture(name, run.images[0], label(name), caption);
    figures.push(figure);
    return figure.element;
  };
  const real = (names) => {
    const name = names.find((one) => (kept.get(one)?.real ?? null) !== null);
    if (name === undefined) return "";
    const figure = picture(name, kept.get(name).real, "real images", "real");
    figures.push({ ...figure, real: kept.get(name).real });
    return figure.element;
  };

  const build = () => {
    const [rowKey, columnKey] = [byId("rows").value, byId("columns").value];
    const names = board.runs.map((run) => run.name).filter((name) => board.chosen.has(name));
    const isReal = byId("real").checked && names.some((name) => (kept.get(name)?.real ?? null) !== null);
    const [rows, columns] = [rowKey, columnKey].map((key) => (key ? ordered(names.map((name) => choice(name, key))) : [null]));
    const fits = (name, key, value) => value === null || choice(name, key) === value;
    seeing.disconnect();
    figures = [];
    const head = html("tr", {},
      rowKey ? html("td", {}, "") : null,
      ...columns.map((value) => html("th", { scope: "col" }, html("small", {}, `${columnKey}=`), value ?? "")),
      isReal ? html("th", { scope: "col" }, "real images") : null);
    const body = rows.map((row) => {
      const those = names.filter((name) => fits(name, rowKey, row));
      return html("tr", {},
        rowKey ? html("th", { scope: "row" }, html("small", {}, `${rowKey}=`), html("br"), row) : null,
        ...columns.map((column) => {
          const inCell = those.filter((name) => fits(name, columnKey, column));
          return html("td", {}, html("div", { class: columnKey ? "cell tight" : "cell" }, ...inCell.map((name) => sample(name, inCell, [rowKey, columnKey]))));
        }),
        isReal ? html("td", {}, real(those)) : null);
    });
    byId("grid").replaceChildren(...(columnKey ? [html("thead", {}, head)] : []), html("tbody", {}, ...body));
    count();
    follow(board.step() ?? Infinity);
  };

  const mark = () => {
    for (const figure of figures) {
      if (figure.real !== undefined) {
        figure.button.setAttribute("aria-label", "real images: enlarge");
        continue;
      }
      const found = at(figure.name, now);
      const told = found === null ? `none before step ${kept.get(figure.name).steps[0]}` : found.step < now ? `of step ${found.step}` : "";
      figure.mark.textContent = told;
      figure.mark.className = told ? "earlier" : "";
      figure.button.setAttribute("aria-label", `${figure.about}, ${told || `of step ${now}`}: enlarge`);
    }
  };
  const drawn = (figure) => show(figure.canvas, figure.real ?? at(figure.name, now)?.place ?? null);
  let idle = 0;
  const draw = () => {
    for (const figure of figures) if (figure.isSeen) drawn(figure);
    drawPanes();
    clearTimeout(idle);
    idle = setTimeout(ahead, 150);
  };
  // While nobody asks for anything: the steps next to this one, and what is out of sight, for the printer.
  const ahead = () => {
    if (playing === null) for (const figure of figures) if (!figure.isSeen) drawn(figure);
    for (const figure of figures) {
      if (!figure.isSeen || figure.real !== undefined) continue;
      for (const step of [steps[place() + 1], steps[place() - 1]]) {
        const found = step === undefined ? null : at(figure.name, step);
        if (found && bitmapOf(found.place) === undefined) decode(found.place, () => {});
      }
    }
  };
  let isAsked = false;
  const redraw = () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      draw();
    });
  };

  // Dragging a picture moves what is seen of all; a drag is no click.
  let dragged = false;
  const movable = (element, canvas) => {
    let from = null;
    element.addEventListener("pointerdown", (event) => {
      dragged = false;
      if (view.zoom > 1 && event.button === 0) from = { x: event.clientX, y: event.clientY };
    });
    element.addEventListener("pointermove", (event) => {
      if (from === null) return;
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      if (!dragged && Math.hypot(dx, dy) < 4) return;
      dragged = true;
      element.setPointerCapture(event.pointerId);
      from = { x: event.clientX, y: event.clientY };
      look(view.zoom, view.x - dx / canvas.clientWidth / view.zoom, view.y - dy / canvas.clientHeight / view.zoom);
    });
    for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => (from = null));
  };
  const wheel = (event, canvas) => {
    event.preventDefault();
    const box = canvas.getBoundingClientRect();
    const [u, v] = [(event.clientX - box.left) / box.width - 0.5, (event.clientY - box.top) / box.height - 0.5];
    const zoom = clamp(view.zoom * (event.deltaY < 0 ? 1.25 : 0.8), 1, 16); // what is under the pointer stays there
    look(zoom, view.x + u / view.zoom - u / zoom, view.y + v / view.zoom - v / zoom);
  };

  // The dialog: A, B and the real images, beside each other or A over B up to an edge.
  const dialog = byId("dialog");
  const isNarrow = () => matchMedia("(max-width: 600px)").matches; // one picture is large, two are not
  let panes = []; // {canvas, mark, name, isReal}
  const isWiping = () => byId("wipe").checked && byId("b").value !== "";
  const pane = (letter, name, isReal) => {
    const mark = html("span");
    const told = isReal ? "real images" : label(name);
    const canvas = html("canvas", { role: "img", "aria-label": told });
    return { canvas, mark, name, isReal, told: html("span", {}, letter && html("b", {}, `${letter} `), told) };
  };
  const standing = (stack, parts) => {
    const figure = html("figure", {}, stack, ...parts.map((part) => html("figcaption", {}, part.told, part.mark)));
    movable(figure, parts[0].canvas);
    figure.addEventListener("wheel", (event) => wheel(event, parts[0].canvas), { passive: false });
    return figure;
  };
  const arrange = () => {
    const [a, b] = [byId("a").value, byId("b").value];
    const first = pane("A", a, false);
    const second = b === "" ? null : b === "real" ? pane("B", a, true) : pane("B", b.slice(1), false);
    const third = byId("beside").checked && b !== "real" && (kept.get(a)?.real ?? null) !== null ? pane("", a, true) : null;
    panes = [first, second, third].filter(Boolean);
    byId("edge-label").hidden = !isWiping();
    byId("wipe").disabled = second === null;
    const wiped = isWiping() ? [standing(html("div", { class: "stack" }, second.canvas, painted(over(first.canvas), "clipPath", ""), edge()), [first, second])] : null;
    const single = (part) => standing(html("div", { class: "stack" }, part.canvas), [part]);
    byId("panes").replaceChildren(...(wiped ?? [first, second].filter(Boolean).map(single)), ...(third ? [single(third)] : []));
    fit();
    wipe();
  };
  const over = (canvas) => {
    canvas.classList.add("over");
    return canvas;
  };
  const edge = () => {
    const handle = html("div", { class: "edge" });
    const slide = (event) => {
      const box = handle.parentElement.getBoundingClientRect();
      byId("edge").value = clamp((100 * (event.clientX - box.left)) / box.width, 0, 100);
      wipe();
    };
    handle.addEventListener("pointerdown", (event) => {
      event.stopPropagation(); // of the picture below, which would be moved
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener("pointermove", (event) => handle.hasPointerCapture(event.pointerId) && slide(event));
    return handle;
  };
  const wipe = () => {
    const where = Number(byId("edge").value);
    byId("edge").setAttribute("aria-valuetext", `A left of ${where} percent, B right of it`);
    const [canvas, handle] = [byId("panes").querySelector(".over"), byId("panes").querySelector(".edge")];
    if (canvas) painted(canvas, "clipPath", `inset(0 ${100 - where}% 0 0)`);
    if (handle) painted(handle, "left", `${where}%`);
  };
  const placeOf = ({ name, isReal }) => (isReal ? kept.get(name)?.real ?? null : kept.has(name) ? at(name, now)?.place ?? null : null);
  const sizeOf = (part) => given.sizes[placeOf(part) ?? kept.get(part.name)?.images[0] ?? kept.get(part.name)?.real ?? 0] ?? [1, 1];
  // As large as fits, beside or below each other; where pixels are seen all are equally large.
  const fit = () => {
    const num = byId("panes").childElementCount;
    if (!dialog.open || num === 0) return;
    const { clientWidth: width, clientHeight: height } = byId("panes");
    const [w, h] = sizeOf(panes[0]);
    const CAPTION = isWiping() ? 76 : 40;
    const scales = Array.from({ length: num }, (_, i) => {
      const rows = Math.ceil(num / (i + 1));
      return Math.min((width - 10 * i) / (i + 1) / w, (height - 10 * (rows - 1) - CAPTION * rows) / rows / h);
    });
    const best = Math.max(0.1, ...scales);
    const scale = best >= 3 ? Math.floor(best) : best;
    for (const part of panes) sized(part.canvas, Math.floor(w * scale), Math.floor(h * scale));
    for (const figure of byId("panes").children) painted(figure, "width", `${Math.floor(w * scale)}px`);
    drawPanes();
  };
  const drawPanes = () => {
    if (!dialog.open) return;
    for (const part of panes) {
      const found = part.isReal || !kept.has(part.name) ? null : at(part.name, now);
      const told = part.isReal ? "" : found === null ? "no samples so far" : `step ${found.step}`;
      part.mark.textContent = told;
      part.mark.className = !part.isReal && found?.step !== now ? "earlier" : "";
      show(part.canvas, placeOf(part));
    }
  };
  const enlarge = (name, other = "") => {
    const names = board.runs.map((run) => run.name).filter((one) => board.chosen.has(one) && kept.get(one)?.images.length);
    board.options(byId("a"), (names.includes(name) ? names : [name, ...names]).map((one) => [one, label(one)]), name);
    board.options(byId("b"), [["", "nothing"], ["real", "real images"], ...names.map((one) => [`=${one}`, label(one)])], other && `=${other}`);
    byId("wipe").checked = other !== "";
    byId("beside").checked = byId("real").checked && !isNarrow();
    byId("away").append(byId("steps"));
    dialog.showModal();
    arrange();
  };
  const compare = () => {
    const names = figures.filter((figure) => figure.real === undefined).map((figure) => figure.name);
    if (names.length) enlarge(names[0], names[1]);
  };

  // Keys: arrows step where they mean nothing else.
  const ARROWS = { ArrowLeft: -1, ArrowRight: 1 };
  const isOwn = (event) => event.target.closest("select, input[type=range]") !== null || event.ctrlKey || event.altKey || event.metaKey;
  const key = (event) => {
    if (isOwn(event)) return;
    const shift = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.shiftKey && shift) look(view.zoom, view.x + (shift[0] * 0.25) / view.zoom, view.y + (shift[1] * 0.25) / view.zoom);
    else if (event.key in ARROWS) stepBy(ARROWS[event.key]);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(steps.length - 1);
    else if (event.key === "+" || event.key === "=") look(view.zoom * 1.5, view.x, view.y);
    else if (event.key === "-") look(view.zoom / 1.5, view.x, view.y);
    else if (event.key === "0") look(1, 0.5, 0.5);
    else return;
    event.preventDefault();
  };
  const stepBy = (by) => {
    stop();
    move(place() + by);
  };

  // What is chosen first, of what has no usual value: two numbers against each other, else the first against the seed.
  const keys = study.choices.map(({ key }) => key);
  const varied = study.choices.filter(({ key }) => board.usual.get(key) === null);
  const numeric = varied.filter((one) => one.is_numeric).map(({ key }) => key);
  const many = varied.length ? varied.map(({ key }) => key) : keys;
  const [firstRows, firstColumns] = numeric.length > 1 ? numeric : [many[0] ?? "", many.length > 1 ? many.at(-1) : ""];
  const axes = [["", "none"], ...keys.map((one) => [one, one])];
  board.options(byId("rows"), axes, firstRows);
  board.options(byId("columns"), axes, firstColumns);
  byId("told").textContent = given.told;
  byId("left-out").replaceChildren(...given.left_out.map((told) => html("li", {}, told)));

  // As large as all columns fit, and not too small to be seen, until somebody says how large.
  let isSized = false;
  const rebuild = () => {
    const isWide = () => byId("grid").offsetWidth > byId("grid").parentElement.clientWidth;
    const at = (width) => {
      byId("size").value = width;
      build();
      return !isWide();
    };
    if (isSized) build();
    else if (![260, 220, 180, 140, 100].some(at)) at(140); // it is scrolled
  };
  for (const id of ["rows", "columns", "real"]) byId(id).addEventListener("change", rebuild);
  byId("size").addEventListener("input", () => {
    isSized = true;
    build();
  });
  byId("zoom").addEventListener("input", () => look(Number(byId("zoom").value), view.x, view.y));
  byId("step").addEventListener("input", () => {
    stop();
    move(Number(byId("step").value));
  });
  byId("play").addEventListener("click", play);
  byId("back").addEventListener("click", () => stepBy(-1));
  byId("on").addEventListener("click", () => stepBy(1));
  byId("compare").addEventListener("click", compare);
  byId("grid").addEventListener("keydown", key);
  dialog.addEventListener("keydown", key);
  dialog.addEventListener("close", () => dialog.open || byId("home").append(byId("steps")));
  byId("close").addEventListener("click", () => dialog.close());
  for (const id of ["a", "b", "wipe", "beside"]) byId(id).addEventListener("change", arrange);
  byId("edge").addEventListener("input", wipe);
  byId("in").addEventListener("click", () => look(view.zoom * 2, view.x, view.y));
  byId("out").addEventListener("click", () => look(view.zoom / 2, view.x, view.y));
  byId("whole").addEventListener("click", () => look(1, 0.5, 0.5));
  new ResizeObserver(fit).observe(byId("panes"));
  window.addEventListener("beforeprint", () => figures.forEach(drawn));
  board.onStep(follow);
  board.onChosen(build);
  rebuild();
}
