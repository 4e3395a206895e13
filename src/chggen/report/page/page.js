// The page itself: which candidate is chosen, what is told of it, figures that lead to rows, light and dark.
"use strict";

{
  const { CandidateTable, Viewer, bonds, cell, cif, drawPattern, pattern, shortest } = window.chggen;
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const NARROW = 560; // px, of a figure, below which panels do not stand beside each other
  const OF_RELAXED = /^(group|volume|density|e_|energy)/; // columns about the relaxed structure
  const state = { id: null, viewer: null, raw: false, awaited: false, begun: null };
  const begun = new Promise((resolve) => (state.begun = resolve)); // the 3-D view, for which figures wait

  /** Makes an element with text. */
  const made = (tag, text, cls) => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (cls) element.className = cls;
    return element;
  };

  const crystalOf = (id) => {
    const entry = data.crystals[id];
    return entry && (state.raw ? entry.raw : (entry.relaxed ?? entry.raw));
  };

  /** Draws the chosen candidate as the controls say, after what is told of it has been shown. */
  const draw = () => {
    if (state.awaited) return;
    state.awaited = true;
    requestAnimationFrame(() =>
      setTimeout(() => {
        state.awaited = false;
        drawNow();
        state.begun();
      }),
    );
  };

  const drawNow = () => {
    const crystal = crystalOf(state.id);
    if (!crystal) return;
    drawPattern(byId("powder"), pattern(crystal, data.elements));
    if (!state.viewer) return;
    const view = new FormData(byId("view"));
    const n = Number(view.get("times") ?? 1);
    state.viewer.show(crystal, {
      times: [n, n, n],
      host: view.get("filled") === "host",
      polyhedra: view.get("polyhedra") === "on",
    });
  };

  /** Fills the list of facts of the chosen candidate. */
  const tell = (id) => {
    const crystal = crystalOf(id);
    const entry = data.crystals[id];
    byId("chosen-name").textContent = id;
    const facts = byId("facts");
    facts.replaceChildren();
    const row = document.getElementById(id);
    const heads = document.querySelectorAll("#candidates thead th");
    if (row)
      [...row.cells].forEach((box, k) => {
        const text = box.textContent.trim();
        if (!text || k === 0 || box.dataset.column === "cell" || (state.raw && entry.relaxed && OF_RELAXED.test(box.dataset.column))) return;
        facts.append(made("dt", heads[k].textContent.trim()), made("dd", text));
      });
    if (state.raw && entry.relaxed) facts.append(made("dt", "shown"), made("dd", "the structure before relaxation, in its own cell"));
    const { lengths, angles, volume } = cell(crystal);
    const figures = (numbers, digits) => numbers.map((x) => x.toFixed(digits)).join(", ");
    const told = (edges, v) => `${figures(edges.slice(0, 3), 3)} Å; ${figures(edges.slice(3, 6), 1)}°; ${v.toFixed(1)} Å³`;
    const { conventional } = entry;
    if (conventional && !state.raw) facts.append(made("dt", "conventional cell"), made("dd", told(conventional, conventional[6])));
    facts.append(made("dt", "cell drawn"), made("dd", told([...lengths, ...angles], volume)));
    const near = shortest(crystal, data.elements).slice(0, 6);
    facts.append(made("dt", "shortest distances"), made("dd", near.map(([name, d]) => `${name} ${d.toFixed(2)} Å`).join(", ")));
    sites(crystal, entry);
    const text = entry.cif && !state.raw ? entry.cif : cif(crystal, data.elements, id);
    byId("cif").textContent = text;
    const link = byId("download");
    URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(new Blob([text], { type: "chemical/x-cif" }));
    link.download = `${id}${state.raw ? "-raw" : ""}.cif`;
    legend(crystal);
  };

  /** The symmetry-distinct sites, with coordination; of a raw structure every atom. */
  const sites = (crystal, entry) => {
    const joined = bonds(crystal, data.elements);
    const listed = state.raw || !entry.sites ? crystal.kinds.map((_, k) => ["", k, 1]) : entry.sites;
    const body = byId("sites").tBodies[0];
    body.replaceChildren();
    const guests = new Set(crystal.guest);
    byId("of-cell").textContent = state.raw || !entry.sites ? "cell drawn" : "conventional cell";
    for (const [wyckoff, k, , place] of listed.slice(0, 200)) {
      const line = body.insertRow();
      const symbol = data.elements[crystal.kinds[k]].symbol + (guests.has(k) ? " (guest)" : "");
      const at = (place ?? crystal.frac.slice(3 * k, 3 * k + 3)).map((x) => x.toFixed(4));
      for (const text of [symbol, wyckoff, ...at, String(joined[k].length)]) line.append(made("td", text));
    }
  };

  /** The colours of the elements. */
  const legend = (crystal) => {
    const list = byId("legend");
    list.replaceChildren();
    for (const kind of new Set(crystal.kinds)) {
      const item = made("li", data.elements[kind].symbol);
      item.style.setProperty("--swatch", data.elements[kind].color);
      list.append(item);
    }
    if (crystal.guest.length && crystal.guest.length < crystal.kinds.length)
      list.append(made("li", "orange net: guest", "net"));
  };

  /** Chooses a candidate and puts it into the address, so that a link leads here; the page stays where it is. */
  const go = (id) => {
    try {
      history.replaceState(null, "", `#${encodeURIComponent(id)}`);
    } catch {
      // an address that cannot be changed, as in a frame: the candidate is shown all the same
    }
    choose(id);
  };

  /** Brings the 3-D view into sight where it is not, as on a phone. */
  const reveal = () => {
    const { top, bottom } = byId("canvas").getBoundingClientRect();
    if (bottom < 80 || top > innerHeight - 80) byId("chosen-name").scrollIntoView({ block: "start" });
  };

  /** Chooses a candidate: the one of this id, or the one that stands for its group. */
  const choose = (asked) => {
    if (!data.first) return;
    const id = data.crystals[asked] ? asked : data.stands_for[asked];
    byId("unknown").hidden = Boolean(data.crystals[id]);
    byId("unknown").textContent = `${asked} has no structure on this page: it failed, or is of another run.`;
    if (!data.crystals[id]) return;
    state.id = id;
    for (const row of document.querySelectorAll("#candidates tr[aria-current]")) row.removeAttribute("aria-current");
    document.getElementById(id)?.setAttribute("aria-current", "true");
    const { raw, relaxed } = data.crystals[id];
    const choice = byId("stage");
    choice.disabled = !(raw && relaxed);
    state.raw = !relaxed;
    choice.value = state.raw ? "raw" : "relaxed";
    const { guest, kinds } = relaxed ?? raw;
    const atoms = byId("filled");
    atoms.disabled = guest.length === 0 || guest.length === kinds.length;
    if (atoms.disabled) atoms.value = "all";
    tell(id);
    draw();
  };

  const start3d = () => {
    const box = byId("canvas");
    try {
      state.viewer = new Viewer(box, data.elements);
      new ResizeObserver(() => state.viewer.resize()).observe(box);
    } catch (error) {
      box.append(made("p", `No 3-D view: ${error.message}. WebGL is needed for it.`, "note"));
    }
  };

  const controls = () => {
    byId("view").addEventListener("input", (event) => {
      if (event.target.id === "stage") {
        state.raw = event.target.value === "raw";
        tell(state.id);
      }
      draw();
    });
    byId("view").addEventListener("submit", (event) => event.preventDefault());
    byId("spin").addEventListener("click", (event) => {
      const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
      event.currentTarget.setAttribute("aria-pressed", String(on));
      state.viewer?.spin(on);
    });
    byId("closer").addEventListener("click", () => state.viewer?.zoom(1.25));
    byId("farther").addEventListener("click", () => state.viewer?.zoom(0.8));
    byId("reset").addEventListener("click", () => state.viewer?.reset());
    byId("canvas").addEventListener("keydown", (event) => {
      const turn = { ArrowLeft: [-10, "y"], ArrowRight: [10, "y"], ArrowUp: [-10, "x"], ArrowDown: [10, "x"] }[event.key];
      if (!turn) return;
      event.preventDefault();
      state.viewer?.turn(...turn);
    });
    byId("copy").addEventListener("click", async (event) => {
      const button = event.currentTarget;
      button.textContent = (await copied(byId("cif"))) ? "Copied" : "Select and copy below";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  };

  /** Copies the text of an element, or selects it where the browser does not let pages copy. */
  const copied = async (element) => {
    try {
      await navigator.clipboard.writeText(element.textContent);
      return true;
    } catch {
      getSelection().selectAllChildren(element);
      return false;
    }
  };

  const rows = () => {
    const table = byId("candidates");
    if (!table) return;
    const count = byId("count");
    const list = new CandidateTable(table, byId("filters"), (shown, all) => {
      count.textContent = shown === all ? `${all} rows` : `${shown} of ${all} rows`;
    });
    table.tBodies[0].addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (!row || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      go(row.id);
      reveal();
    });
    table.addEventListener("keydown", (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const row = event.target.closest("tbody tr");
      if (!by || !row) return;
      event.preventDefault();
      const next = list.step(row, by);
      go(next.id);
      next.querySelector("a").focus();
    });
  };

  /** What light and dark change in a figure with some axes. */
  const colours = (axes) => {
    const style = getComputedStyle(document.documentElement);
    const [text, line] = ["--text", "--line"].map((name) => style.getPropertyValue(name).trim());
    const found = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", "font.color": text };
    for (const axis of axes) Object.assign(found, { [`${axis}.gridcolor`]: line, [`${axis}.zerolinecolor`]: line });
    return found;
  };

  const dressed = (figure) =>
    window.Plotly.relayout(figure, colours(Object.keys(figure.layout).filter((name) => /^[xy]axis\d*$/.test(name))));

  /** Puts two panels that stand beside each other below each other. */
  const stacked = (layout) => {
    const [left, right] = [layout.xaxis?.domain, layout.xaxis2?.domain];
    if (!left || !right || left[1] > right[0]) return;
    layout.xaxis.domain = layout.xaxis2.domain = [0, 1];
    layout.yaxis.domain = [0.58, 1];
    layout.yaxis2.domain = [0, 0.4];
    layout.height = 1.6 * (layout.height ?? 400);
  };

  /** Draws a figure, whose points lead to the rows of candidates. */
  const plotted = async (box) => {
    const { data: traces, layout } = JSON.parse(box.querySelector("script").textContent);
    if (box.clientWidth < NARROW) stacked(layout);
    await window.Plotly.newPlot(box, traces, layout, { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["sendChartToCloud"] });
    await dressed(box);
    box.on("plotly_click", (event) => {
      const id = event.points[0].customdata;
      if (!id) return;
      go(data.stands_for[id] ?? id);
      reveal();
    });
  };

  /** Draws the figures one after the other, once the page can be used. */
  const figures = async () => {
    const pause = () => new Promise((resolve) => setTimeout(resolve));
    const library = byId("plotly");
    if (library) {
      await begun;
      await pause();
      document.head.append(made("script", library.textContent));
      for (const box of document.querySelectorAll(".plot")) {
        await pause();
        await plotted(box);
      }
    }
    document.documentElement.dataset.drawn = "true";
  };

  /** Figures of a printed page are as wide as the page, and light. */
  const printing = () => {
    let before = null;
    const drawn = () => document.querySelectorAll(".plot.js-plotly-plot");
    addEventListener("beforeprint", () => {
      before = document.documentElement.dataset.theme;
      document.documentElement.dataset.theme = "light";
      for (const figure of drawn()) {
        dressed(figure);
        window.Plotly.relayout(figure, { width: 640 });
      }
    });
    addEventListener("afterprint", () => {
      document.documentElement.dataset.theme = before ?? "light";
      for (const figure of drawn()) {
        dressed(figure);
        window.Plotly.relayout(figure, { width: null, autosize: true });
      }
    });
  };

  const theme = () => {
    const button = byId("theme");
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    const show = (name) => {
      document.documentElement.dataset.theme = name;
      button.textContent = name === "dark" ? "Light" : "Dark";
      for (const figure of document.querySelectorAll(".plot.js-plotly-plot")) dressed(figure);
      draw();
    };
    button.addEventListener("click", () => show(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
    dark.addEventListener("change", () => show(dark.matches ? "dark" : "light"));
    show(dark.matches ? "dark" : "light");
  };

  const chosen = () => {
    const text = location.hash.slice(1);
    try {
      return decodeURIComponent(text);
    } catch {
      return text; // a name with a % that nobody has encoded
    }
  };
  rows();
  if (data.first) {
    start3d();
    controls();
    choose(data.first);
    if (chosen()) choose(chosen());
    window.addEventListener("hashchange", () => choose(chosen() || data.first));
  } else state.begun();
  theme();
  printing();
  document.documentElement.dataset.ready = "true";
  figures();
}
