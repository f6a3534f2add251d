// What the report's page does: plots from the facts, all of them linked through two shared data sources (the front and
// the other architectures), a panel for the one that is looked at, sliders that narrow the front, a file of the selection.
"use strict";
(async function () {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const place = (name) => document.querySelector(`[data-figure="${name}"]`);
  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child != null));
    return made;
  };
  document.documentElement.classList.add("js");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const CODES = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const number = (value, digits = 5) => {
    if (value == null || !isFinite(value)) return "";
    const text = Number(value).toPrecision(digits);
    return /e/.test(text) ? text.replace(/\.?0+e/, "e") : text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  };

  // ------------------------------------------------------------- architectures
  const goals = facts.objectives, genes = facts.genes, table = facts.architectures;
  const m = goals.length, n = table ? table.number.length : 0;
  const codeOf = (row, k) => {
    const codes = table.codes[k];
    return typeof codes === "string" ? CODES.indexOf(codes[row]) : codes[row];
  };
  const labelOf = (row, k) => (codeOf(row, k) >= 0 ? genes[k].labels[codeOf(row, k)] : "");
  const valueOf = (row, k) => table.raw[k][row];
  const rows = [...Array(n).keys()];
  const complete = (row) => goals.every((_, k) => valueOf(row, k) != null);
  const byFirst = (a, b) => valueOf(a, 0) - valueOf(b, 0) || a - b;
  const front = rows.filter((row) => table.front[row] === "1").sort(byFirst);
  const others = rows.filter((row) => table.front[row] !== "1" && complete(row));
  const breaks = (row) => table.feasible[row] !== "1";
  // What is expected of noisy values, where the folder knows of noise.
  const hoped = table ? table.expected : null;
  const noisy = goals.map((_, k) => k).filter((k) => hoped && hoped.noisy.includes(goals[k].name));
  const expectedOf = (row, k) => {
    const value = hoped.mean[k][row], std = hoped.std[k][row];
    return value == null ? "" : number(value) + (std ? ` ± ${number(std, 2)}` : "");
  };
  const nameOf = (row) => (table.number[row] ? `Evaluation ${table.number[row]}` : "Known beforehand");
  let drawings = {};
  if (facts.drawings && typeof DecompressionStream !== "undefined") {
    const packed = Uint8Array.from(atob(facts.drawings), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    drawings = JSON.parse(await new Response(stream).text());
  }

  // -------------------------------------------------------------------- Bokeh
  const figures = [], painted = [];
  // Bokeh's own ticks leave a logarithmic axis of less than two decades with one label, or a wrong one.
  const logTicks = (low, high) => {
    if (!(low > 0) || !(high > low) || !isFinite(high)) return [];
    const within = (ticks) => ticks.filter((tick) => low <= tick && tick <= high);
    if (high / low < 3) {
      const rough = (high - low) / 4, unit = Math.pow(10, Math.floor(Math.log10(rough)));
      const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= rough);
      const start = Math.ceil(low / step);
      return within([...Array(8).keys()].map((i) => (start + i) * step));
    }
    const first = Math.floor(Math.log10(low)), decades = Math.ceil(Math.log10(high)) - first;
    const powers = [...Array(decades + 1).keys()].filter((i) => i % Math.ceil(decades / 7) === 0).map((i) => first + i);
    let ticks = [];
    for (const digits of [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7]]) {
      ticks = within(powers.flatMap((power) => digits.map((digit) => Number(`${digit}e${power}`))));
      if (ticks.length > 3) break;
    }
    return ticks;
  };
  const logTicked = (made, axis, range, dimension) => {
    if (axis.type !== "LogAxis") return;
    axis.ticker = new Bokeh.FixedTicker({ ticks: [] });
    for (const grid of made.center.filter((one) => one.dimension === dimension)) grid.ticker = axis.ticker;
    const renew = () => {
      const ticks = logTicks(Math.min(range.start, range.end), Math.max(range.start, range.end));
      if (ticks.join() === axis.ticker.ticks.join()) return;
      axis.major_label_overrides = new Map(ticks.map((tick) => [tick, number(tick, 3)]));
      axis.ticker.ticks = ticks;
    };
    range.change.connect(renew);
    renew();
  };
  const touch = matchMedia("(hover: none)").matches;
  const figure = (into, label, { height = 300, tools = "pan,wheel_zoom,reset,save", ...options } = {}) => {
    const made = Bokeh.Plotting.figure({
      height, sizing_mode: "stretch_width", tools, toolbar_location: tools ? "above" : null, min_border: 4, ...options,
    });
    made.toolbar.logo = null;
    for (const axis of [...made.below, ...made.left]) if ("desired_num_ticks" in axis.ticker) axis.ticker.desired_num_ticks = 5;
    if (touch && tools) made.toolbar.active_drag = null; // a finger scrolls the page
    logTicked(made, made.below[0], made.x_range, 0);
    logTicked(made, made.left[0], made.y_range, 1);
    const box = element("div", { role: "img", "aria-label": label });
    into.append(box);
    figures.push([made, box]);
    return made;
  };
  // Colours are taken from the page's style, and again whenever that changes.
  const paint = (renderer, names) => {
    painted.push(() => {
      for (const glyph of [renderer.glyph, renderer.selection_glyph, renderer.nonselection_glyph, renderer.hover_glyph, renderer.muted_glyph]) {
        if (glyph == null || typeof glyph === "string") continue;
        for (const [property, name] of Object.entries(names)) glyph[property] = { value: colour(name) };
      }
    });
  };
  const repaint = () => {
    for (const [made] of figures) {
      made.background_fill_color = null;
      made.border_fill_color = null;
      made.outline_line_color = colour("line");
      for (const axis of [...made.below, ...made.left, ...made.right, ...made.above].filter((a) => a.ticker)) {
        Object.assign(axis, {
          axis_label_text_color: colour("ink"), major_label_text_color: colour("ink"), axis_line_color: colour("line"),
          major_tick_line_color: colour("line"), minor_tick_line_color: null, axis_label_text_font_style: "normal",
          axis_label_text_font_size: "13px", major_label_text_font_size: "12px",
        });
      }
      for (const grid of made.center.filter((g) => g.grid_line_color !== undefined)) grid.grid_line_color = colour("grid");
    }
    for (const once of painted) once();
  };
  const direction = (goal) => (goal.sign > 0 ? "lower is better" : "higher is better");
  const logarithms = goals.map((goal, k) => {
    const [least, most] = rows.map((row) => valueOf(row, k)).filter((value) => value != null)
      .reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    return goal.sign > 0 && least > 0 && most > 20 * least;
  });
  const logarithmic = (k) => logarithms[k];
  const source = (data) => new Bokeh.ColumnDataSource({ data });

  // -------------------------------------------------------------------- front
  const update = { hover: () => {}, select: () => {} };
  if (table && front.length && place("front")) frontSection(place("front"));

  function frontSection(root) {
    const span = goals.map((_, k) => {
      const values = front.map((row) => valueOf(row, k));
      return [Math.min(...values), Math.max(...values)];
    });
    const reference = facts.reference ? facts.reference.points : [];
    const judged = facts.reference && facts.reference.kind !== "found";
    const extent = goals.map((_, k) => {
      const values = [...span[k], ...(judged ? reference.map((point) => point[k]) : [])];
      return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    });
    // In parallel coordinates 1 is the best of both fronts, 0 the worst.
    const height = (value, k) => {
      const scale = logarithmic(k) ? Math.log : (number) => number;
      const [low, high] = extent[k].map(scale);
      const at = high > low ? (scale(value) - low) / (high - low) : 0;
      return goals[k].sign > 0 ? 1 - at : at;
    };
    // How far from the front's best, in units of its range.
    const away = (value, k) => {
      const [low, high] = span[k];
      return high > low ? (goals[k].sign > 0 ? value - low : high - value) / (high - low) : 0;
    };
    const columns = (several, lines = true) => {
      const data = { row: several };
      goals.forEach((_, k) => (data[`f${k}`] = several.map((row) => valueOf(row, k))));
      data.number = several.map((row) => table.number[row]);
      if (!lines) return data;
      data.xs = several.map(() => goals.map((_, k) => k));
      data.ys = several.map((row) => goals.map((_, k) => height(valueOf(row, k), k)));
      return data;
    };
    const frontSource = source(columns(front)), otherSource = source(columns(others, false));
    const markSource = source(columns([])), pickSource = source(columns([]));
    const inside = new Bokeh.BooleanFilter({ booleans: front.map(() => true) });
    const view = new Bokeh.CDSView({ filter: inside });
    const [meeting, breaking] = [false, true].map((on) =>
      new Bokeh.CDSView({ filter: new Bokeh.BooleanFilter({ booleans: others.map((row) => breaks(row) === on) }) }));
    const outside = new Bokeh.BooleanFilter({ booleans: front.map(() => false) });
    const outsideView = new Bokeh.CDSView({ filter: outside });

    const pairs = element("div", {
      class: "grid", tabindex: "0", role: "group",
      "aria-label": "Pairs of objectives. Left and right walk along the front, Enter selects, Escape clears.",
    });
    const wide = element("div", { class: "wide" });
    const details = element("div", { class: "details", role: "region", "aria-label": "Architecture", "aria-live": "polite" });
    const shape = (path, style) =>
      `<svg viewBox="0 0 20 20" aria-hidden="true"><path d="${path}" style="${style}"/></svg>`;
    const legend = element("ul", { class: "legend" });
    const entry = (drawn, text) => {
      const item = element("li", {});
      item.innerHTML = drawn;
      item.append(text);
      legend.append(item);
    };
    entry(shape("M10 3L17 10L10 17L3 10z", "fill:var(--front);stroke:var(--front-line)"), `front found (${front.length})`);
    if (judged)
      entry(shape("M3 3H17V17H3z", "fill:none;stroke:var(--reference);stroke-width:1.4"),
        `${facts.reference.kind} front (${facts.reference.size})`);
    const broken = others.filter(breaks).length;
    if (others.length > broken)
      entry(shape("M10 7A3 3 0 1 1 9.9 7z", "fill:var(--other)"), `other architectures evaluated (${others.length - broken})`);
    if (broken)
      entry(shape("M5 5L15 15M15 5L5 15", "fill:none;stroke:var(--broken);stroke-width:2"), `break a bound (${broken})`);
    if (facts.bounds.length && m > 1)
      entry(shape("M10 1V19", "fill:none;stroke:var(--broken);stroke-width:2;stroke-dasharray:4 3"),
        `bound: ${facts.bounds.map((bound) => bound.text).join(", ")}`);
    entry(shape("M10 1L12.4 7.2L19 7.6L13.9 11.8L15.6 18.3L10 14.7L4.4 18.3L6.1 11.8L1 7.6L7.6 7.2z",
      "fill:var(--pick);stroke:var(--mark)"), "the sliders' pick");
    const plots = element("div", {}, legend, pairs, wide);
    root.append(element("div", { class: "split" }, plots, details));

    const referenceData = { row: reference.map(() => -1) };
    goals.forEach((_, k) => (referenceData[`f${k}`] = reference.map((point) => point[k])));
    const referenceSource = source(referenceData);

    // What is pointed at: a bubble beside the pointer, and the panel. On the front before the others.
    // On a touch screen it lies at the lower edge, for the one that was tapped, until it is tapped itself.
    const bubble = element("div", { class: "tip", role: "tooltip", hidden: true, onclick: () => (bubble.hidden = true) });
    document.body.append(bubble);
    let pointer = [0, 0], tapped = false, down = [0, 0];
    const inspected = () => {
      const [one, other] = [frontSource, otherSource].map((data) => data.inspected.indices[0]);
      const row = one != null ? front[one] : other != null ? others[other] : null;
      bubble.hidden = row == null;
      if (row == null) return;
      look(row);
      bubble.replaceChildren(...tip(row));
      const { width, height: tall } = bubble.getBoundingClientRect();
      const beside = pointer[0] + 18 + width > innerWidth ? pointer[0] - 18 - width : pointer[0] + 18;
      bubble.style.left = `${Math.max(4, beside)}px`;
      bubble.style.top = `${Math.max(4, Math.min(pointer[1] + 12, innerHeight - tall - 4))}px`;
    };
    if (!touch) for (const data of [frontSource, otherSource]) data.inspect.connect(inspected);
    plots.addEventListener("pointermove", (event) => (pointer = [event.clientX, event.clientY]), true);
    plots.addEventListener("pointerleave", () => (bubble.hidden ||= !touch));
    plots.addEventListener("pointerdown", (event) => (down = pointer = [event.clientX, event.clientY]), true);
    plots.addEventListener("pointerup", (event) => {
      tapped = Math.hypot(event.clientX - down[0], event.clientY - down[1]) < 6;
      setTimeout(() => (tapped = false), 300);
    }, true);
    const addHover = (made, several) => {
      for (const tool of made.toolbar.tools) if ("renderers" in tool) tool.renderers = several;
      made.add_tools(new Bokeh.HoverTool({ renderers: several, tooltips: null }));
    };

    // A bound that nothing comes near would only be a line at the frame.
    const seen = (edge, k) => {
      const values = rows.filter(complete).map((row) => valueOf(row, k));
      return values.some((value) => value <= edge) && values.some((value) => value >= edge) && (edge > 0 || !logarithmic(k));
    };
    let couples = [];
    for (let a = 0; a < m; a++) for (let b = a + 1; b < m; b++) couples.push([`f${b}`, `f${a}`, b, a]);
    if (m === 1) couples = [["number", "f0", -1, 0]];
    couples = couples.slice(0, 15);
    for (const [x, y, kx, ky] of couples) {
      const box = element("div", {});
      pairs.append(box);
      const xName = kx < 0 ? "evaluation" : goals[kx].name;
      const made = figure(box, `${goals[ky].name} over ${xName}`, {
        height: 330, tools: "pan,wheel_zoom,box_select,lasso_select,tap,reset,save",
        x_axis_label: kx < 0 ? "evaluation" : `${goals[kx].label} (${direction(goals[kx])})`,
        y_axis_label: `${goals[ky].label} (${direction(goals[ky])})`,
        x_axis_type: kx >= 0 && logarithmic(kx) ? "log" : "linear", y_axis_type: logarithmic(ky) ? "log" : "linear",
      });
      const dots = made.scatter({ field: x }, { field: y }, {
        source: otherSource, view: meeting, size: others.length > 2000 ? 3 : 5, alpha: 0.55, nonselection_alpha: 0.3, line_color: null,
      });
      paint(dots, { fill_color: "other" });
      const crosses = made.scatter({ field: x }, { field: y }, {
        source: otherSource, view: breaking, marker: "x", size: others.length > 2000 ? 4 : 7, line_width: 1.3, alpha: 0.8, nonselection_alpha: 0.4,
      });
      paint(crosses, { line_color: "broken" });
      for (const { objective, edge } of facts.bounds) {
        for (const [k, dimension] of [[kx, "height"], [ky, "width"]]) {
          if (objective !== k || !seen(edge, k)) continue;
          const line = new Bokeh.Span({ location: edge, dimension, line_width: 1.4, line_dash: [5, 4] });
          made.add_layout(line);
          painted.push(() => (line.line_color = colour("broken")));
        }
      }
      if (kx >= 0 && judged) {
        const squares = made.scatter({ field: x }, { field: y }, {
          source: referenceSource, marker: "square", size: reference.length > 300 ? 5 : 10, fill_color: null, line_width: 1.1,
        });
        paint(squares, { line_color: "reference" });
      }
      const gone = made.scatter({ field: x }, { field: y }, {
        source: frontSource, view: outsideView, marker: "diamond", size: 10, fill_color: null, line_width: 1,
      });
      paint(gone, { line_color: "other" });
      const size = front.length > 400 ? 8 : 12;
      const found = made.scatter({ field: x }, { field: y }, {
        source: frontSource, view, marker: "diamond", size, line_width: 1, nonselection_alpha: 0.35,
      });
      paint(found, { fill_color: "front", line_color: "front-line" });
      const pick = made.scatter({ field: x }, { field: y }, { source: pickSource, marker: "star", size: 20, line_width: 1.2 });
      paint(pick, { fill_color: "pick", line_color: "mark" });
      const ring = made.scatter({ field: x }, { field: y }, {
        source: markSource, marker: "circle", size: 22, fill_color: null, line_width: 2.5, level: "overlay",
      });
      paint(ring, { line_color: "mark" });
      addHover(made, [dots, crosses, found]);
    }

    if (m > 1) {
      const short = (text) => (text.length > 16 ? text.slice(0, 15) + "…" : text);
      const made = figure(wide, "Parallel coordinates of the front", {
        height: 340, tools: "tap,box_select,reset,save", y_range: new Bokeh.Range1d({ start: -0.16, end: 1.16 }),
        x_range: new Bokeh.Range1d({ start: -0.35, end: m - 0.65 }),
      });
      const axis = made.below[0], [vertical, horizontal] = made.center.filter((one) => one.grid_line_color !== undefined);
      made.left[0].visible = horizontal.visible = false;
      axis.ticker = new Bokeh.FixedTicker({ ticks: goals.map((_, k) => k) });
      axis.major_label_overrides = new Map(goals.map((goal, k) => [k, short(goal.label)]));
      vertical.ticker = axis.ticker;
      vertical.grid_line_width = 2;
      if (judged) {
        const some = reference.filter((_, i) => i % Math.ceil(reference.length / 300) === 0);
        const lines = made.multi_line({ field: "xs" }, { field: "ys" }, {
          source: source({ xs: some.map(() => goals.map((_, k) => k)), ys: some.map((point) => goals.map((_, k) => height(point[k], k))) }),
          line_width: 1, line_dash: { value: [2, 4] }, line_alpha: 0.5,
        });
        paint(lines, { line_color: "reference" });
      }
      // Of a very long front some lines: more cannot be told apart, and take long to draw.
      const step = Math.ceil(front.length / 1000);
      const some = new Bokeh.BooleanFilter({ booleans: front.map((_, i) => i % step === 0) });
      const thinned = new Bokeh.CDSView({ filter: new Bokeh.IntersectionFilter({ operands: [inside, some] }) });
      const lines = made.multi_line({ field: "xs" }, { field: "ys" }, {
        source: frontSource, view: step > 1 ? thinned : view, line_width: 2, line_alpha: 0.65, nonselection_line_alpha: 0.12,
      });
      paint(lines, { line_color: "front" });
      for (const [data, name, width, dash] of [[pickSource, "pick", 4, [8, 4]], [markSource, "mark", 3.5, []]]) {
        const line = made.multi_line({ field: "xs" }, { field: "ys" }, { source: data, line_width: width, line_dash: { value: dash } });
        paint(line, { line_color: name });
      }
      const ends = goals.flatMap((goal, k) => {
        const [low, high] = extent[k];
        const [best, worst] = goal.sign > 0 ? [low, high] : [high, low];
        return [[k, 1.045, number(best, 4), "bottom"], [k, -0.045, number(worst, 4), "top"]];
      });
      for (const baseline of ["bottom", "top"]) {
        const some = ends.filter((end) => end[3] === baseline);
        const texts = made.text({ field: "x" }, { field: "y" }, { field: "text" }, {
          source: source({ x: some.map((e) => e[0]), y: some.map((e) => e[1]), text: some.map((e) => e[2]) }),
          text_align: "center", text_baseline: baseline, text_font_size: "12px",
        });
        paint(texts, { text_color: "ink" });
      }
      addHover(made, [lines]);
      wide.append(element("p", { class: "note" }, "Parallel coordinates of the front: each line is an architecture, the best of each objective is on top." +
        (step > 1 ? ` One line in ${step} is drawn.` : "")));
    }

    // ------------------------------------------------------- looking, selecting
    let looked = -1;
    const list = frontTable();
    function look(row) {
      if (row == null || row < 0 || row === looked) return;
      looked = row;
      markSource.data = columns([row]);
      show(row);
      list.hovered(row);
      document.body.dataset.hovered = table.number[row];
    }
    const selected = () => [
      ...frontSource.selected.indices.map((i) => front[i]), ...otherSource.selected.indices.map((i) => others[i]),
    ];
    function selectionChanged() {
      const chosen = selected();
      if (tapped && chosen.length > 1) {
        // A click means one of those that lie on each other: the one that is looked at.
        tapped = false;
        const one = chosen.includes(looked) ? looked : chosen[0];
        frontSource.selected.indices = front.includes(one) ? [front.indexOf(one)] : [];
        otherSource.selected.indices = front.includes(one) ? [] : [others.indexOf(one)];
        return;
      }
      list.selected(new Set(chosen));
      document.body.dataset.selected = chosen.map((row) => table.number[row]).join(",");
      const last = frontSource.selected.indices.at(-1) ?? otherSource.selected.indices.at(-1);
      const row = last == null ? null : frontSource.selected.indices.length ? front[last] : others[last];
      if (row != null) look(row);
      if (touch) {
        bubble.hidden = row == null;
        if (row != null) bubble.replaceChildren(...tip(row));
      }
      told();
    }
    for (const data of [frontSource, otherSource]) data.selected.change.connect(selectionChanged);
    const toggle = (row) => {
      const at = front.indexOf(row);
      const now = new Set(frontSource.selected.indices);
      if (!now.delete(at)) now.add(at);
      frontSource.selected.indices = [...now];
      looked = -1;
      look(row);
    };
    pairs.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const visible = front.filter((_, i) => inside.booleans[i]);
      if (step && visible.length) {
        const at = visible.indexOf(looked);
        look(visible[at < 0 ? 0 : (at + step + visible.length) % visible.length]);
      } else if ((event.key === "Enter" || event.key === " ") && front.includes(looked)) toggle(looked);
      else if (event.key === "Escape") clear();
      else return;
      event.preventDefault();
    });
    const clear = () => {
      frontSource.selected.indices = [];
      otherSource.selected.indices = [];
    };

    // Of three columns the widest needs two lines.
    const lined = (text) => text.split(" ± ").flatMap((part, i) => (i ? [element("br"), `± ${part}`] : [part]));
    function valueTable(row) {
      const some = goals.some((_, k) => table.predicted[k][row] != null);
      const more = noisy.length > 0 && noisy.some((k) => hoped.mean[k][row] != null);
      const head = element("tr", {}, element("th", {}, ""), element("th", { class: "number" }, "measured"),
        more ? element("th", { class: "number" }, "expected") : null,
        some ? element("th", { class: "number" }, "predicted") : null);
      const lines = goals.map((goal, k) => {
        const guess = table.predicted[k][row], std = table.std[k][row];
        const told = guess == null ? "" : number(guess) + (std ? ` ± ${number(std, 2)}` : "");
        return element("tr", {}, element("th", { scope: "row" }, goal.label),
          element("td", { class: "number" }, number(valueOf(row, k)) || "–"),
          more ? element("td", { class: "number" }, ...lined(noisy.includes(k) ? expectedOf(row, k) : "")) : null,
          some ? element("td", { class: "number" }, ...(more ? lined(told) : [told])) : null);
      });
      return element("table", {}, head, ...lines);
    }
    function geneTable(row, most = Infinity) {
      const active = genes.map((gene, k) => [gene.name, labelOf(row, k)]).filter((_, k) => codeOf(row, k) >= 0);
      const lines = active.slice(0, most).map(([name, label]) =>
        element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, label)));
      if (active.length > most) lines.push(element("tr", {}, element("td", { colspan: 2 }, `… and ${active.length - most} more`)));
      return element("table", {}, ...lines);
    }
    function tip(row) {
      return [element("strong", {}, nameOf(row)), valueTable(row), geneTable(row, 12)];
    }
    function show(row) {
      const state = table.states[table.state[row]], reason = table.reasons[table.reason[row]];
      const notes = [state, table.front[row] === "1" ? "on the front" : "", table.feasible[row] === "1" ? "" : "breaks a bound"];
      if (hoped && complete(row) && !breaks(row)) {
        notes.push(`${hoped.front[row] === "1" ? "on" : "not on"} the expected front (truly on it with ${Math.round(100 * hoped.chance[row])}\u00a0%)`);
        if (hoped.again[row]) notes.push(`worth measuring again (place ${hoped.again[row]})`);
      }
      const original = table.row ? table.row[row] : row;
      const svg = drawings[original];
      details.dataset.row = row;
      const genesText = genes.map((gene, k) => `${gene.name} ${labelOf(row, k)}`).join(", ");
      details.replaceChildren(
        element("h3", {}, nameOf(row)), element("p", { class: "note" }, notes.filter(Boolean).join(", ")),
        ...(reason ? [element("p", {}, reason)] : []), valueTable(row),
        ...(svg ? [element("img", { alt: `The network: ${genesText}`, src: "data:image/svg+xml;charset=utf-8," + encodeURIComponent(svg) })] : []),
        geneTable(row));
    }
    details.append(element("h3", {}, "Architecture"), element("p", { class: "note" }, touch
      ? "Tap one to see its genes, measured and predicted values here."
      : "Point at one to see its genes, measured and predicted values here. Click to keep it, or use the arrow keys."));

    // ---------------------------------------------------------------- sliders
    const controls = element("fieldset", { class: "controls" }, element("legend", {}, "Narrow the front and pick one"));
    const sliders = element("div", { class: "sliders" });
    const result = element("p", { class: "result", role: "status" });
    const STEPS = 200;
    const slider = (id, label, most, value, text, changed) => {
      const output = element("output", { for: id }, text(value));
      const input = element("input", { type: "range", id, min: 0, max: most, step: 1, value, "aria-valuetext": text(value) });
      input.addEventListener("input", () => {
        output.textContent = text(Number(input.value));
        input.setAttribute("aria-valuetext", output.textContent);
        changed();
      });
      sliders.append(element("div", { class: "slider" }, element("label", { for: id }, label), output, input));
      return { get: () => Number(input.value), reset: () => { input.value = value; output.textContent = text(value); } };
    };
    const boundOf = (k, step) => {
      const [low, high] = span[k];
      const at = step / STEPS;
      const value = logarithmic(k) ? low * Math.pow(high / low, at) : low + (high - low) * at;
      return step === 0 ? low : step === STEPS ? high : value;
    };
    const bounds = [], weights = [];
    goals.forEach((goal, k) => {
      const least = goal.sign > 0;
      bounds.push(slider(`bound${k}`, `${goal.label} ${least ? "at most" : "at least"}`, STEPS, least ? STEPS : 0,
        (step) => number(boundOf(k, step)), narrow));
    });
    goals.forEach((goal, k) => weights.push(slider(`weight${k}`, `weight of ${goal.name}`, 20, 10, (step) => number(step / 10), narrow)));
    const buttons = element("div", {},
      element("button", { type: "button", id: "save", onclick: save }, "Save as CSV"),
      element("button", { type: "button", id: "clear", onclick: clear }, "Clear the selection"),
      element("button", { type: "button", id: "reset", onclick: () => { [...bounds, ...weights].forEach((s) => s.reset()); narrow(); } }, "Reset the sliders"));
    controls.append(sliders, result, buttons);
    root.append(controls, list.element);
    let picked = -1;
    function narrow() {
      const limits = goals.map((_, k) => boundOf(k, bounds[k].get()));
      const met = front.map((row) => goals.every((goal, k) => goal.sign * (valueOf(row, k) - limits[k]) <= 1e-9 * Math.abs(limits[k])));
      inside.booleans = met;
      outside.booleans = met.map((on) => !on);
      frontSource.change.emit();
      // Compromise programming: the smallest weighted distance to the ideal in units of the front's range.
      const w = weights.map((weight) => weight.get());
      const even = w.every((value) => value === 0) ? w.map(() => 1) : w;
      let best = null;
      front.forEach((row, i) => {
        if (!met[i]) return;
        const apart = goals.map((_, k) => even[k] * away(valueOf(row, k), k));
        const rank = [Math.max(...apart), apart.reduce((a, b) => a + b, 0)];
        if (!best || rank[0] < best[0] - 1e-12 || (Math.abs(rank[0] - best[0]) <= 1e-12 && rank[1] < best[1])) best = [...rank, row];
      });
      picked = best ? best[2] : -1;
      pickSource.data = columns(best ? [picked] : []);
      list.narrowed(met);
      told();
    }
    function told() {
      const kept = inside.booleans.filter(Boolean).length;
      const values = picked < 0 ? "" : goals.map((goal, k) => `${goal.name} ${number(valueOf(picked, k))} ${goal.unit}`.trim()).join(", ");
      const chosen = selected().length;
      result.textContent = `${kept} of ${front.length} within the sliders' bounds. ` +
        (picked < 0 ? "None to pick." : `Pick: ${nameOf(picked).toLowerCase()} (${values}).`) + (chosen ? ` ${chosen} selected.` : "");
      document.body.dataset.pick = picked < 0 ? "" : table.number[picked];
      document.body.dataset.kept = kept;
    }

    // --------------------------------------------------------- table and file
    function frontTable() {
      const most = Math.max(50, Math.min(1000, Math.floor(20000 / (genes.length + m)))); // cells that a page can hold
      const head = element("tr", {}, element("th", { class: "number" }, "evaluation"),
        ...goals.map((goal) => element("th", { class: "number" }, goal.label)),
        ...noisy.map((k) => element("th", { class: "number" }, `${goals[k].name} expected`)),
        ...(noisy.length ? [element("th", { class: "number" }, "measure again")] : []), ...genes.map((gene) => element("th", {}, gene.name)));
      const lines = new Map();
      for (const row of front.slice(0, most)) {
        const line = element("tr", {
          tabindex: lines.size ? "-1" : "0", "aria-selected": "false", onclick: () => toggle(row), onfocus: () => look(row),
          onmouseenter: () => look(row),
          onkeydown: (event) => {
            const next = { ArrowDown: line.nextElementSibling, ArrowUp: line.previousElementSibling }[event.key];
            if (next) {
              line.tabIndex = -1;
              next.tabIndex = 0;
              next.focus();
            } else if (event.key === "Enter" || event.key === " ") toggle(row);
            else if (event.key === "Escape") clear();
            else return;
            event.preventDefault();
          },
        }, element("td", { class: "number" }, String(table.number[row])),
          ...goals.map((_, k) => element("td", { class: "number" }, number(valueOf(row, k)))),
          ...noisy.map((k) => element("td", { class: "number" }, expectedOf(row, k))),
          ...(noisy.length ? [element("td", { class: "number" }, hoped.again[row] ? String(hoped.again[row]) : "")] : []),
          ...genes.map((_, k) => element("td", {}, labelOf(row, k))));
        lines.set(row, line);
      }
      const body = element("tbody", {}, ...lines.values());
      const box = element("div", { class: "scroll" }, element("table", { class: "front-table", role: "grid", "aria-multiselectable": "true", "aria-label": "The front" },
        element("thead", {}, head), body));
      const told = noisy.length ? element("p", { class: "note" }, "Expected: what the value itself and a predictor that has not seen it say together, " +
        "with its standard deviation. Measure again: 1 is the most open question.") : null;
      const note = front.length > most ? element("p", { class: "note" }, `The first ${most} of ${front.length}; the file has all.`) : null;
      let last = null;
      return {
        element: element("div", {}, box, told, ...(note ? [note] : [])),
        hovered: (row) => {
          last?.classList.remove("hovered");
          last = lines.get(row);
          last?.classList.add("hovered");
        },
        selected: (chosen) => lines.forEach((line, row) => line.setAttribute("aria-selected", String(chosen.has(row)))),
        narrowed: (met) => front.forEach((row, i) => lines.get(row)?.classList.toggle("out", !met[i])),
      };
    }
    function save() {
      const cell = (value) => {
        const text = value == null ? "" : String(value);
        return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
      };
      const chosen = selected();
      const several = chosen.length ? chosen : front.filter((_, i) => inside.booleans[i]);
      const some = goals.map((_, k) => several.some((row) => table.predicted[k][row] != null));
      const head = ["evaluation", ...genes.map((gene) => gene.name), ...goals.map((goal) => goal.name),
        ...goals.filter((_, k) => some[k]).map((goal) => `predicted_${goal.name}`),
        ...noisy.flatMap((k) => [`expected_${goals[k].name}`, `unsure_${goals[k].name}`]), ...(noisy.length ? ["measure_again"] : [])];
      const lines = several.map((row) => [table.number[row], ...genes.map((_, k) => labelOf(row, k)),
        ...goals.map((_, k) => valueOf(row, k)), ...goals.map((_, k) => table.predicted[k][row]).filter((_, k) => some[k]),
        ...noisy.flatMap((k) => [hoped.mean[k][row], hoped.std[k][row]]), ...(noisy.length ? [hoped.again[row] || ""] : [])]);
      const text = [head, ...lines].map((line) => line.map(cell).join(",")).join("\n") + "\n";
      const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "selection.csv" });
      link.click();
      URL.revokeObjectURL(link.href);
    }
    narrow();
  }

  // ----------------------------------------------------------------- progress
  if (facts.progress && place("progress")) {
    const grid = element("div", { class: "grid" });
    place("progress").append(grid);
    const cost = facts.progress.cost.length > 0;
    const x = cost ? facts.progress.cost : facts.progress.evaluations;
    const whose = facts.progress.reference === "found" ? "the last front's" : "that front's";
    for (const [key, label] of [["hypervolume", `share of ${whose} hypervolume`], ["adrs", "ADRS (0 is that front)"]]) {
      const box = element("div", {});
      grid.append(box);
      const made = figure(box, `${label} over the bill`, {
        height: 280, x_axis_label: cost ? "cost" : "evaluations billed", y_axis_label: label,
      });
      const points = x.map((value, i) => [value, facts.progress[key][i]]).filter((point) => point[1] != null);
      const data = source({ x: points.map((p) => p[0]), y: points.map((p) => p[1]) });
      paint(made.line({ field: "x" }, { field: "y" }, { source: data, line_width: 2 }), { line_color: "pick" });
      const dots = made.scatter({ field: "x" }, { field: "y" }, { source: data, size: points.length > 60 ? 4 : 6 });
      paint(dots, { fill_color: "pick", line_color: "pick" });
      made.add_tools(new Bokeh.HoverTool({ renderers: [dots], tooltips: (all, vars) =>
        element("div", { class: "tip" }, `${number(all.data.x[vars.index])}: ${number(all.data.y[vars.index])}`) }));
    }
  }

  // -------------------------------------------------------------- calibration
  const calibrated = facts.calibration.filter((item) => item.measured.length);
  if (calibrated.length && place("calibration")) {
    const grid = element("div", { class: "grid" });
    place("calibration").append(
      element("p", {}, "Measured values against predictions by predictors that had not seen them, with calibrated 90\u00a0% bands: nine of ten should meet the line."), grid);
    for (const item of calibrated) {
      const goal = goals.find((one) => one.name === item.objective);
      const box = element("div", {});
      grid.append(box);
      const made = figure(box, `Predicted against measured ${item.objective}`, {
        height: 320, x_axis_label: `${goal.label}, measured`, y_axis_label: `${goal.label}, predicted`,
      });
      const low = item.predicted.map((value, i) => value - 1.645 * item.std[i]);
      const high = item.predicted.map((value, i) => value + 1.645 * item.std[i]);
      const hit = item.measured.map((value, i) => low[i] <= value && value <= high[i]);
      const ends = [Math.min(...item.measured), Math.max(...item.measured)];
      paint(made.line(ends, ends, { line_width: 1.5, line_dash: { value: [6, 4] } }), { line_color: "mark" });
      for (const on of [true, false]) {
        const some = item.measured.map((_, i) => i).filter((i) => hit[i] === on);
        const data = source({ x: some.map((i) => item.measured[i]), y: some.map((i) => item.predicted[i]), low: some.map((i) => low[i]), high: some.map((i) => high[i]) });
        const bars = made.segment({ field: "x" }, { field: "low" }, { field: "x" }, { field: "high" }, { source: data, line_width: 1, line_alpha: 0.55 });
        paint(bars, { line_color: on ? "other" : "front" });
        const dots = made.scatter({ field: "x" }, { field: "y" }, { source: data, marker: on ? "circle" : "x", size: on ? 5 : 9, line_width: on ? 1 : 2 });
        paint(dots, { fill_color: on ? "pick" : "front", line_color: on ? "pick" : "front" });
      }
      const share = hit.filter(Boolean).length;
      box.append(element("p", { class: "note" }, `${share} of ${hit.length} bands hold the measured value; a cross marks one that does not.`));
    }
  }

  // ------------------------------------------------------------------- curves
  if (facts.curves.length && place("curves")) {
    const DASHES = [[], [8, 4], [2, 3], [8, 3, 2, 3], [12, 3], [4, 4], [1, 3], [10, 3, 2, 3, 2, 3]];
    const HUES = ["mark", "front", "pick", null];
    const FIXED = ["#009E73", "#CC79A7", "#B08900", "#56B4E9", "#8a8a8a"];
    const MARKERS = ["circle", "square", "triangle", "diamond", "inverted_triangle", "plus", "x", "star"];
    const root = place("curves");
    for (const dataset of [...new Set(facts.curves.map((curve) => curve.dataset))]) {
      root.append(element("h3", {}, dataset));
      const grid = element("div", { class: "grid" });
      const chosen = element("fieldset", { class: "controls" }, element("legend", {}, "Methods"));
      root.append(grid, chosen);
      const shown = new Map();
      for (const [key, label] of [["adrs", "ADRS (lower is better)"], ["deficit", "1 - hypervolume (lower is better)"]]) {
        const box = element("div", {});
        grid.append(box);
        // The oracle falls to zero: the axis ends a little below the best method instead.
        const reached = facts.curves.filter((one) => one.dataset === dataset && one.method !== "oracle").flatMap((one) => one[key].low);
        const least = reached.reduce((a, b) => Math.min(a, b), Infinity), most = reached.reduce((a, b) => Math.max(a, b), -Infinity);
        const ends = least > 0 && most < Infinity ? { y_range: new Bokeh.Range1d({ start: Math.max(1e-5, least / 2), end: most * 2 }) } : {};
        const made = figure(box, `${label} over evaluations on ${dataset}`, {
          height: 380, x_axis_label: facts.curves[0].bill ?? "unique evaluations", y_axis_label: label, x_axis_type: "log", y_axis_type: "log", ...ends,
        });
        facts.curves.filter((curve) => curve.dataset === dataset).forEach((curve, i) => {
          const part = curve[key];
          const data = source({ x: curve.evaluations, y: part.median, low: part.low, high: part.high });
          const oracle = curve.method === "oracle";
          const options = { source: data, line_width: oracle ? 1.5 : 2, line_dash: { value: oracle ? [1, 2] : DASHES[i % 8] } };
          const renderers = [made.line({ field: "x" }, { field: "y" }, options)];
          const name = oracle ? "quiet" : (HUES[i % 8] ?? null);
          const hue = name ? `var(--${name})` : FIXED[(i % 8) - 3] ?? FIXED[4];
          const tint = (renderer, property) => name ? paint(renderer, { [property]: name }) : (renderer.glyph[property] = { value: FIXED[(i % 8) - 3] ?? FIXED[4] });
          tint(renderers[0], "line_color");
          if (!oracle) {
            const band = made.varea({ field: "x" }, { field: "low" }, { field: "high" }, { source: data, fill_alpha: 0.1 });
            tint(band, "fill_color");
            const every = Math.max(1, Math.floor(curve.evaluations.length / 6));
            const some = curve.evaluations.map((_, j) => j).filter((j) => j % every === 0);
            const dots = made.scatter({ field: "x" }, { field: "y" }, {
              source: source({ x: some.map((j) => curve.evaluations[j]), y: some.map((j) => part.median[j]) }), marker: MARKERS[i % 8], size: 8, fill_color: null, line_width: 1.6,
            });
            tint(dots, "line_color");
            made.add_tools(new Bokeh.HoverTool({ renderers: [dots], tooltips: (all, vars) =>
              element("div", { class: "tip" }, `${curve.method}, ${number(all.data.x[vars.index])} evaluations: ${number(all.data.y[vars.index])}`) }));
            renderers.push(band, dots);
          }
          if (!shown.has(curve.method)) shown.set(curve.method, { renderers: [], hue, dash: options.line_dash.value, marker: oracle ? "" : MARKERS[i % 8].replace("_", " "), shown: curve.shown !== false });
          shown.get(curve.method).renderers.push(...renderers);
        });
      }
      for (const [method, { renderers, hue, dash, marker, shown: on }] of shown) {
        const input = element("input", { type: "checkbox", checked: on, onchange: () => renderers.forEach((r) => (r.visible = input.checked)) });
        if (!on) renderers.forEach((r) => (r.visible = false));
        const line = element("span", {});
        line.innerHTML = `<svg width="44" height="10" aria-hidden="true"><path d="M1 5H43" stroke-width="2.5" stroke-dasharray="${dash.join(" ")}" style="stroke:${hue}"/></svg>`;
        chosen.append(element("label", { style: "display:inline-block;margin:.2rem 1.2rem .2rem 0" }, input, " ", line, ` ${method}${marker ? ` (${marker})` : ""}`));
      }
      grid.before(chosen);
    }
  }

  // ----------------------------------------------------------------- together
  if (figures.length) {
    repaint();
    const whole = new Bokeh.Document();
    for (const [made] of figures) whole.add_root(made);
    await Bokeh.embed.add_document_standalone(whole, document.body, figures.map(([, box]) => box));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    // Paper is narrower than the screen and white: each plot is printed as a picture of itself in the light colours.
    addEventListener("beforeprint", () => {
      document.documentElement.classList.add("printing");
      repaint();
      figures.forEach(([, box], i) => {
        const view = Bokeh.index.roots[i];
        view.paint();
        box.append(element("img", { class: "printed", alt: box.getAttribute("aria-label"), src: view.export("png").canvas.toDataURL() }));
      });
    });
    addEventListener("afterprint", () => {
      document.documentElement.classList.remove("printing");
      document.querySelectorAll("img.printed").forEach((image) => image.remove());
      repaint();
    });
  }
  document.body.dataset.ready = "1";
})();
