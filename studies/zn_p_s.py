"""ZnP2S6 and Zn2P2S7 (Figs. 4 and 6a of the paper): candidates by the paper's settings and by the program's own.

    python studies/zn_p_s.py [--quick]

200 structures without a host are asked for of each composition and arm, of one to four formula units, then Zn is taken
out of them and inpainted anew. *paper*: random Bravais cells, the paper's sampler, Zn anywhere. *default*: what
`chggen predict` does. E_d by CHGNet at both levels, and by SevenNet-l3i5 as judge (extra `sevennet`) for what lies
within 0.1 eV/atom of the lowest. Full: about three hours of CPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from study import COLORS, Asked, Results, Row, Run, Study, asked_for, made, table

from chggen import Candidate
from chggen.symmetry import above_trivial, symbol_of

FORMULAS = ("ZnP2S6", "Zn2P2S7")
ARMS: dict[str, dict[str, Any]] = {
    "paper": {"anchor": "paper", "cells_from": ["bravais"], "symmetry": "none", "per_framework": 1},
    "default": {},
}
ATOMS = {"ZnP2S6": 9, "Zn2P2S7": 11}
JUDGE = "sevennet-l3i5"
PUBLISHED = {"change": 0.08, "moved": 0.10, "e_d": 0.07, "stable": 6.5}  # Zhong et al., section 3.3
SIZES = ((1, 12), (13, 24), (25, 44))


def compute(asked: Asked) -> Results:
    """A row for each structure that was asked for; what the arms cost."""
    units, n = ((1, 2), 4) if asked.quick else ((1, 2, 3, 4), 200)
    runs = {}
    for formula in FORMULAS:
        for arm, options in ARMS.items():
            each = n // len(units) if arm == "paper" else n  # with one source, of each size
            judges = {} if asked.quick else {"judge_by": ["chgnet-r2scan", JUDGE]}
            what = {"n": each, "seed": 0, "formula_units": units, "guests": ["Zn"]}
            runs[f"{formula}-{arm}"] = Run.of("predict", formula, **what, **options, **judges)
    rows, costs = [], []
    for name, (found, seconds) in made(asked.out, runs).items():
        formula, arm = name.split("-")
        costs.append({"formula": formula, "arm": arm, "seconds": round(seconds)})
        rows += [{"formula": formula, "arm": arm, **row_of(c, formula)} for c in asked_for(found)]
    return {"quick": asked.quick, "costs": costs, "rows": rows}


def row_of(c: Candidate, formula: str) -> Row:
    """What is kept of a candidate; of one that failed, where."""
    units = int(c.id.split("-")[1].removeprefix("z"))
    row: Row = {"id": c.id, "stage": c.stage, "atoms": units * ATOMS[formula], "failed_at": c.failed_at}
    if c.status != "ok":
        return row
    energies = {level: round(e, 4) for level, e in c.decomposition_energies.items() if e is not None}
    row |= {"change": round(c.relax_energy_change, 4), "moved": round(c.relax_rmsd, 4), "e_d": energies}
    return row | {"group": c.space_group_loose, "duplicate": c.duplicate_of is not None}


def median(values: list[float]) -> float:
    """NaN of none."""
    return float(np.median(values)) if values else float("nan")


def figures_of(rows: list[Row]) -> Row:
    """Medians of an arm, and its shares of what was asked for, %."""
    good = [r for r in rows if r["failed_at"] is None]
    placed = [r["e_d"]["pbe"] for r in good if "pbe" in r["e_d"]]
    return {
        "asked": len(rows),
        "change": median([abs(r["change"]) for r in good]),
        "moved": median([r["moved"] for r in good]),
        "e_d": median(placed),
        "lowest": min(placed, default=float("nan")),
        "stable": 100 * sum(e < 0 for e in placed) / max(1, len(placed)),
        "symmetric": 100 * sum(above_trivial(r["group"]) for r in good) / len(rows),
    }


def tables(results: Results) -> dict[str, str]:
    """Theirs, ours by their settings and ours; the best structures; symmetry by size; the softening."""
    rows = results["rows"]
    heads = ("", "stage", "asked for", "median energy change, eV/atom", "median RMSD, Å", "median E_d, eV/atom",
             "lowest E_d", "E_d < 0, %", "above P1 and P-1, %", "CPU s each")  # fmt: skip
    theirs = (PUBLISHED[k] for k in ("change", "moved", "e_d"))
    lines: list[tuple[Any, ...]] = [
        ("paper, published", "all", None, *theirs, None, PUBLISHED["stable"], "< 5 without a host", None)
    ]
    for arm in ARMS:
        own = [r for r in rows if r["arm"] == arm]
        cost = sum(c["seconds"] for c in results["costs"] if c["arm"] == arm) / len(own)
        for stage in ("generate", "inpaint"):
            told = figures_of([r for r in own if r["stage"] == stage])
            medians = (f"{told[k]:.3f}" for k in ("change", "moved", "e_d"))
            shares = (f"{told[k]:.1f}" for k in ("stable", "symmetric"))
            lines.append((arm, stage, told["asked"], *medians, f"{told['lowest']:+.3f}", *shares, f"{cost:.1f}"))
    sizes = []
    for low, high in SIZES:
        cells = []
        for arm in ARMS:
            for stage in ("generate", "inpaint"):
                own = [r for r in rows if (r["arm"], r["stage"]) == (arm, stage) and low <= r["atoms"] <= high]
                cells.append(f"{figures_of(own)['symmetric']:.0f} % of {len(own)}" if own else None)
        sizes.append((f"{low}–{high}", *cells))
    size_heads = ("atoms", *(f"{arm}, {stage}" for arm in ARMS for stage in ("generate", "inpaint")))
    return {"medians": table(heads, lines), "best": best(rows), "sizes": table(size_heads, sizes)}


def best(rows: list[Row]) -> str:
    """The five lowest distinct structures of each composition, by the deciding level that they have."""
    lines = []
    for formula in FORMULAS:
        good = [r for r in rows if r["formula"] == formula and r["failed_at"] is None and not r["duplicate"]]
        order = sorted(
            (r for r in good if "pbe" in r["e_d"]), key=lambda r: (r["e_d"].get("r2scan", 9), r["e_d"]["pbe"])
        )
        for r in order[:5]:
            energies = (r["e_d"].get(level) for level in ("pbe", "r2scan", JUDGE))
            told = (None if e is None else f"{e:+.3f}" for e in energies)
            lines.append((formula, r["arm"], r["id"], symbol_of(r["group"]), r["atoms"], *told))
    return table(("formula", "arm", "candidate", "group", "atoms", "E_d pbe", "E_d r2scan", f"E_d {JUDGE}"), lines)


def draw(results: Results, figure: Any) -> None:
    """Energy change, RMSD and E_d as in the paper's figure 4 a to c, and CHGNet's E_d against the other levels'."""
    axes = figure.subplots(1, 4)
    for (key, label, top), ax in zip((("change", "energy change, eV/atom", 0.4), ("moved", "RMSD, Å", 1.0),
                                      ("e_d", "$E_d$, eV/atom", 0.25)), axes, strict=False):  # fmt: skip
        for arm, color in zip(ARMS, COLORS, strict=False):
            good = [r for r in results["rows"] if r["arm"] == arm and r["failed_at"] is None]
            values = [r["e_d"].get("pbe") if key == "e_d" else r[key] for r in good]
            known = (
                np.abs([v for v in values if v is not None]) if key != "e_d" else [v for v in values if v is not None]
            )
            ax.hist(np.minimum(known, top), 25, density=True, histtype="step", color=color, label=arm)
        ax.set(xlabel=label, yticks=[])
    for level, color in zip(("r2scan", JUDGE), COLORS[2:], strict=False):
        both = [r["e_d"] for r in results["rows"] if level in r.get("e_d", {}) and "pbe" in r["e_d"]]
        axes[3].scatter([e["pbe"] for e in both], [e[level] for e in both], s=4, color=color, label=level)
    axes[3].axline((0, 0), slope=1, color=COLORS[0], linewidth=0.6)
    axes[3].set(xlabel="$E_d$ by CHGNet, eV/atom", ylabel="$E_d$ at another level")
    handles = [pair for ax in (axes[0], axes[3]) for pair in zip(*ax.get_legend_handles_labels(), strict=True)]
    figure.legend(*zip(*handles, strict=True), loc="outside lower center", ncols=4)


STUDY = Study("zn_p_s", compute, tables, draw)

if __name__ == "__main__":
    STUDY.main(__doc__)
