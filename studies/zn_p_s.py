"""ZnP2S6 and Zn2P2S7 (Figs. 4 and 6a of the paper): candidates by the paper's settings and by the program's own.

    python studies/zn_p_s.py [--quick]

200 structures without a host are asked for of each composition and arm, of one to four formula units, then Zn is taken
out of them and inpainted anew. *random*: random Bravais cells, atoms at random, relaxed alike. *paper*: the same cells
by the paper's sampler, Zn anywhere. *default*: what `chggen predict` does. E_d by CHGNet at both levels, and by
SevenNet-l3i5 as judge (extra `sevennet`) for what lies within 0.1 eV/atom of the lowest. Full: 3.2 hours of CPU.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from rivals import relaxed_cell
from runs import Run, asked_for, made, spread
from study import COLORS, Asked, Results, Row, Study, levels_apart, signed, table

from chggen import Candidate
from chggen.symmetry import above_trivial, symbol_of

FORMULAS = ("ZnP2S6", "Zn2P2S7")
ARMS: dict[str, dict[str, Any]] = {
    "paper": {"anchor": "paper", "cells_from": ["bravais"], "symmetry": "none", "per_framework": 1},
    "default": {},
}
ATOMS = {"ZnP2S6": 9, "Zn2P2S7": 11}
JUDGE = "sevennet-l3i5"
PARTS = (("random", "random"), *product(ARMS, ("generate", "inpaint")))
THEIRS = (None, None, 0.08, 0.10, None, 0.07, None, 6.5, "< 5 without a host")  # Zhong et al., section 3.3
SIZES = ((1, 12), (13, 24), (25, 44))


def compute(asked: Asked) -> Results:
    """A row for each structure that was asked for; what the arms cost."""
    units, n = ((1, 2), 4) if asked.quick else ((1, 2, 3, 4), 200)
    runs, judges = {}, {} if asked.quick else {"judge_by": ["chgnet-r2scan", JUDGE]}
    for formula, (arm, options) in product(FORMULAS, ARMS.items()):
        each = n // len(units) if arm == "paper" else n  # with one source, of each size
        what = {"seed": 0, "formula_units": units, "guests": ["Zn"], **judges, **options}
        runs[f"{formula}-{arm}"] = Run.of("predict", formula, n=each, **what)
    rows, costs = [], []
    for name, (found, seconds) in made(asked.out, runs).items():
        formula, arm = name.split("-")
        costs.append({"formula": formula, "arm": arm, "seconds": round(seconds)})
        rows += [{"formula": formula, "arm": arm, **row_of(c, formula)} for c in asked_for(found)]
    jobs = [(formula, units[k % len(units)], k) for formula in FORMULAS for k in range(n)]
    random = spread(relaxed_cell, jobs, asked.out)
    costs.append({"arm": "random", "seconds": round(sum(r.pop("seconds") for r in random))})
    return {"quick": asked.quick, "costs": costs, "rows": rows + random}


def row_of(c: Candidate, formula: str) -> Row:
    """What is kept of a candidate; of one that failed, where."""
    units = int(c.id.split("-")[1].removeprefix("z"))
    row: Row = {"id": c.id, "stage": c.stage, "atoms": units * ATOMS[formula], "source": c.seed_source}
    row["failed_at"] = c.failed_at
    if c.status != "ok":
        return row
    energies = {level: round(e, 4) for level, e in c.decomposition_energies.items() if e is not None}
    row |= {"change": round(c.relax_energy_change, 4), "moved": round(c.relax_rmsd, 4), "e_d": energies}
    row |= {"relative": round(c.relax_rmsd / c.volume_per_atom ** (1 / 3), 4)}
    return row | {"group": c.space_group_loose, "duplicate": c.duplicate_of is not None}


def figures_of(rows: list[Row]) -> tuple[Any, ...]:
    """How many were asked for; medians of those that did not fail; shares of those placed and of those asked for, %."""
    good = [r for r in rows if r["failed_at"] is None]
    placed = [r["e_d"]["pbe"] for r in good if "pbe" in r["e_d"]]
    known = ([abs(r["change"]) for r in good], *([r[k] for r in good] for k in ("moved", "relative")), placed)
    medians = (np.median(x or [np.nan]) for x in known)
    shares = 100 * sum(e < 0 for e in placed) / max(1, len(placed)), symmetric(rows)
    told = *(f"{x:.3f}" for x in medians), signed(min(placed, default=None)), *(f"{x:.1f}" for x in shares)
    return len(rows), len(good), *told


def symmetric(rows: list[Row]) -> float:
    """The share of those asked for that are above P1 and P-1, %."""
    return 100 * sum(r["failed_at"] is None and above_trivial(r["group"]) for r in rows) / max(1, len(rows))


def tables(results: Results) -> dict[str, str]:
    """Theirs, ours by their settings and ours; ours by source; the best structures; symmetry by size."""
    rows = results["rows"]
    heads = ("asked for", "relaxed", "median energy change, eV/atom", "median RMSD, Å", "of (V/N)^(1/3)",
             "median E_d, eV/atom", "lowest E_d", "E_d < 0, %", "above P1 and P-1, %")  # fmt: skip
    lines: list[tuple[Any, ...]] = [("paper, published", "all", *THEIRS, None)]
    sources, alike = list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    for arm, stage in PARTS:
        own = [r for r in rows if (r["arm"], r["stage"]) == (arm, stage)]
        cost = sum(c["seconds"] for c in results["costs"] if c["arm"] == arm) / sum(r["arm"] == arm for r in rows)
        lines.append((arm, stage, *figures_of(own), f"{cost:.1f}"))
        if stage == "inpaint":
            parts = {"1–12 atoms": [r for r in own if r["atoms"] < 13]}
            parts["distinct"] = [r for r in own if not r.get("duplicate")]
            alike += [(arm, name, *figures_of(part)) for name, part in parts.items()]
        for source in sorted({r["source"] for r in own}) if arm == "default" else ():
            sources.append((source, stage, *figures_of([r for r in own if r["source"] == source])))
    sizes = []
    for low, high in SIZES:
        split = [[r for r in rows if (r["arm"], r["stage"]) == one and low <= r["atoms"] <= high] for one in PARTS]
        sizes.append((f"{low}–{high}", *(f"{symmetric(own):.0f} % of {len(own)}" if own else None for own in split)))
    return {
        "medians": table(("", "stage", *heads, "CPU s each"), lines),
        "sources": table(("source", "stage", *heads), sources),
        "alike": table(("after inpainting", "which", *heads), alike),
        "best": best(rows),
        "levels": levels_apart(rows, ("r2scan", JUDGE), ((-0.1, 0.03), (0.03, 0.1), (0.1, 0.2))),
        "sizes": table(("atoms", *(f"{arm}, {stage}" for arm, stage in PARTS)), sizes),
    }


def best(rows: list[Row]) -> str:
    """The five lowest distinct structures of each composition, by the deciding level that they have."""
    lines = []
    for formula in FORMULAS:
        good = [r for r in rows if r["formula"] == formula and r["failed_at"] is None and not r["duplicate"]]
        placed = (r for r in good if "pbe" in r["e_d"])
        for r in sorted(placed, key=lambda r: (r["e_d"].get("r2scan", 9), r["e_d"]["pbe"]))[:5]:
            told = (signed(r["e_d"].get(level)) for level in ("pbe", "r2scan", JUDGE))
            lines.append((formula, r["arm"], r["id"], symbol_of(r["group"]), r["atoms"], *told))
    return table(("formula", "arm", "candidate", "group", "atoms", "E_d pbe", "E_d r2scan", f"E_d {JUDGE}"), lines)


def draw(results: Results, figure: Any) -> None:
    """Energy change, RMSD and E_d as in the paper's figure 4 a to c, and CHGNet's E_d against the other levels'."""
    axes = figure.subplots(1, 4)
    kinds = (("change", "energy change, eV/atom", 0.4), ("moved", "RMSD, Å", 1.0), ("e_d", "$E_d$, eV/atom", 0.25))
    for (key, label, top), ax in zip(kinds, axes, strict=False):
        for (arm, stage), color in zip(PARTS[::2], COLORS, strict=False):
            good = [r for r in results["rows"] if (r["arm"], r["stage"], r["failed_at"]) == (arm, stage, None)]
            values = [r["e_d"].get("pbe", np.nan) if key == "e_d" else abs(r[key]) for r in good]
            ax.hist(np.minimum(values, top), 25, density=True, histtype="step", color=color, label=f"{arm}, {stage}")
        ax.set(xlabel=label, yticks=[])
    every = [r["e_d"] for r in results["rows"] if "pbe" in r.get("e_d", {})]
    for level, color in zip(("r2scan", JUDGE), COLORS[2:], strict=False):
        both = [e for e in every if level in e]
        axes[3].scatter([e["pbe"] for e in both], [e[level] for e in both], s=4, color=color, label=level)
    axes[3].axline((0, 0), slope=1, color=COLORS[0], linewidth=0.6)
    axes[3].set(xlabel="$E_d$ by CHGNet, eV/atom", ylabel="$E_d$ at another level")
    handles = [pair for ax in (axes[0], axes[3]) for pair in zip(*ax.get_legend_handles_labels(), strict=True)]
    figure.legend(*zip(*handles, strict=True), loc="outside lower center", ncols=4)


STUDY = Study("zn_p_s", compute, tables, draw)

if __name__ == "__main__":
    STUDY.main(__doc__)
