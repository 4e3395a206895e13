// The table of candidates: sorting, filters, search, choice of columns.
"use strict";

{
  /** The value that a row is sorted by in a column: a number where there is one, else the text. */
  const key = (row, column) => {
    const cell = row.querySelector(`[data-column="${column}"]`);
    const value = cell.dataset.value ?? cell.textContent;
    const number = "value" in cell.dataset || cell.classList.contains("n");
    return value === "" ? null : number ? Number(value) : value.toLowerCase();
  };

  const ORDER = new Intl.Collator("en", { numeric: true }); // mp-862 before mp-1120767

  /** A text as it is searched for: subscripts as digits, so that P6_3/mmc and P63/mmc find P6₃/mmc. */
  const plain = (text) => text.normalize("NFKD").replaceAll("_", "").toLowerCase();

  class CandidateTable {
    constructor(table, controls, onCount) {
      this.table = table;
      this.body = table.tBodies[0];
      this.rows = [...this.body.rows];
      this.controls = controls;
      this.onCount = onCount;
      for (const button of table.querySelectorAll("th button"))
        button.addEventListener("click", () => this.sort(button.closest("th")));
      controls.addEventListener("input", (event) => {
        if (event.target.name === "column") this.choose();
        else this.filter();
      });
      controls.addEventListener("reset", () =>
        setTimeout(() => {
          this.choose();
          this.filter();
        }),
      );
      controls.addEventListener("submit", (event) => event.preventDefault());
      this.chosen = document.head.appendChild(document.createElement("style"));
      this.menu(controls.querySelector("details.columns"));
      this.filter();
    }

    /** Sorts by a column; a second time the other way round. Rows without a value come last. */
    sort(head) {
      const column = head.dataset.column;
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of this.table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const keyed = this.rows.map((row, number) => ({ row, number, value: key(row, column) }));
      keyed.sort((x, y) => {
        if (x.value === null || y.value === null) return (x.value === null) - (y.value === null) || x.number - y.number;
        const order = typeof x.value === "string" ? ORDER.compare(x.value, y.value) : x.value - y.value;
        return (up ? order : -order) || x.number - y.number;
      });
      this.body.append(...keyed.map(({ row }) => row));
    }

    /** Shows the rows that all filters let through. */
    filter() {
      const asked = new FormData(this.controls);
      const words = plain(String(asked.get("search") ?? "")).split(/\s+/).filter(Boolean);
      const below = asked.get("below") === "" || asked.get("below") === null ? null : Number(asked.get("below"));
      let shown = 0;
      for (const row of this.rows) {
        const text = plain(row.textContent);
        const energy = row.dataset.energy === "" ? null : Number(row.dataset.energy);
        const fits =
          words.every((word) => text.includes(word)) &&
          ["formula", "group", "stage"].every((name) => !asked.get(name) || asked.get(name) === row.dataset[name]) &&
          (below === null || Number.isNaN(below) || (energy !== null && energy <= below));
        row.hidden = !fits;
        shown += fits;
      }
      this.onCount(shown, this.rows.length);
    }

    /** The menu of columns: it ticks those that are shown, and closes by Escape or a click elsewhere. */
    menu(menu) {
      menu.addEventListener("toggle", () => {
        if (!menu.open || this.chosen.textContent) return;
        for (const box of menu.querySelectorAll('input[name="column"]')) {
          const head = this.table.querySelector(`th[data-column="${box.value}"]`);
          box.checked = box.defaultChecked = getComputedStyle(head).display !== "none";
        }
      });
      menu.addEventListener("keydown", (event) => {
        if (event.key !== "Escape") return;
        menu.open = false;
        menu.querySelector("summary").focus();
      });
      document.addEventListener("click", (event) => {
        if (!menu.contains(event.target)) menu.open = false;
      });
    }

    /** Shows the columns that are ticked; as long as nobody has ticked any, the width decides. */
    choose() {
      const boxes = [...this.controls.querySelectorAll('input[name="column"]')];
      const touched = boxes.some((box) => box.checked !== box.defaultChecked);
      this.chosen.textContent = touched
        ? boxes
            .map((box) => `#candidates [data-column="${box.value}"]{display:${box.checked ? "table-cell" : "none"}}`)
            .join("\n")
        : "";
    }

    /** The row that lies so many steps from a row among those shown. */
    step(row, by) {
      const shown = [...this.body.rows].filter((other) => !other.hidden);
      return shown[Math.max(0, Math.min(shown.length - 1, shown.indexOf(row) + by))];
    }
  }

  Object.assign(window.chggen, { CandidateTable });
}
