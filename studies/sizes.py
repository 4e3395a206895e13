"""Symmetric crystals against the number of atoms, to 60 (Fig. 6 of the paper).

    python studies/sizes.py [--quick]

The share of the structures asked for whose space group at 0.1 Å is above P1 and P-1 after relaxation and refinement.
*paper*: random Bravais cells by the paper's sampler, then its guests inpainted into the frameworks that could be
symmetrised. *default*: what `chggen predict` does. Zn-P-S up to 44 atoms is counted from the results of zn_p_s.py. The
paper's figure has bars of MatterGen without numbers: it says that MatterGen falls below inpainting from 10 atoms on in
Zn-P-S and is ahead in Li-Si. Full: about two hours of CPU.
"""

from __future__ import annotations

import json
from typing import Any

from pymatgen.core import Composition
from runs import Run, asked_for, made
from study import COLORS, Asked, Results, Row, Study, table
from zn_p_s import STUDY as SMALLER

from chggen.symmetry import above_trivial

SYSTEMS = {
    "Zn-P-S": ("Zn", {"ZnP2S6": (5, 6), "Zn2P2S7": (5,)}),
    "Li-Si": ("Li", {"Li7Si3": (1, 3, 5, 6), "Li15Si4": (1, 2, 3)}),
}
ARMS: dict[str, dict[str, Any]] = {
    "paper": {"anchor": "paper", "cells_from": ["bravais"], "symmetry": "none", "per_framework": 1},
    "default": {},
}
BARS = ((1, 12), (13, 24), (25, 40), (41, 60))
PUBLISHED = (
    ("MP-20, the data themselves", "98.3 %"),
    ("SymmCD, WyFormer, CrystalFormer: symmetry by construction, MP-20", "97–100 %"),
    ("DiffCSP, FlowMM, MatterGen: free diffusion, MP-20, at most 20 atoms", "56–79 %"),
    ("the paper without a host, Zn-P-S", "< 5 %"),
)


def compute(asked: Asked) -> Results:
    """A row for each composition, size, arm and stage."""
    n = 2 if asked.quick else 8
    runs, of = {}, {}
    for system, (guest, formulas) in SYSTEMS.items():
        for formula, units in formulas.items():
            for unit in units[: 1 if asked.quick else None]:
                for arm, options in ARMS.items():
                    name = f"{formula}-{unit}-{arm}"
                    of[name] = system, formula, unit, arm
                    runs[name] = Run.of("predict", formula, n=n, seed=0, formula_units=[unit], guests=[guest],
                                        second_level_below=None, **options)  # fmt: skip
    rows, costs = [], []
    for name, (found, seconds) in made(asked.out, runs).items():
        system, formula, unit, arm = of[name]
        atoms = unit * int(Composition(formula).num_atoms)
        costs.append({"formula": formula, "atoms": atoms, "arm": arm, "seconds": round(seconds)})
        ends = [(c.stage, c.space_group_loose if c.status == "ok" else 1) for c in asked_for(found)]
        rows += counted({"system": system, "formula": formula, "atoms": atoms, "arm": arm}, ends)
    if not asked.quick:
        smaller = json.loads(SMALLER.kept.read_text())["rows"]
        for key in dict.fromkeys((r["formula"], r["atoms"], r["arm"]) for r in smaller if r["arm"] in ARMS):
            own = [r for r in smaller if (r["formula"], r["atoms"], r["arm"]) == key]
            of_size = dict(zip(("formula", "atoms", "arm"), key, strict=True))
            rows += counted({"system": "Zn-P-S", **of_size}, [(r["stage"], r.get("group", 1)) for r in own])
    return {"quick": asked.quick, "costs": costs, "rows": rows}


def counted(of: Row, ends: list[tuple[str, int | None]]) -> list[Row]:
    """A row for each stage: how many were asked for, how many are symmetric; a group of 1 stands for what failed."""
    rows = []
    for stage in ("generate", "inpaint"):
        groups = [group for own, group in ends if own == stage]
        rows.append({**of, "stage": stage, "asked": len(groups), "symmetric": sum(map(above_trivial, groups))})
    return rows


def share(results: Results, system: str, arm: str, stage: str, low: int, high: int) -> tuple[int, int]:
    """How many are symmetric of how many that were asked for."""
    own = [r for r in results["rows"] if (r["system"], r["arm"], r["stage"]) == (system, arm, stage)]
    own = [r for r in own if low <= r["atoms"] <= high]
    return sum(r["symmetric"] for r in own), sum(r["asked"] for r in own)


def tables(results: Results) -> dict[str, str]:
    """Shares by system, arm, stage and size; what others published."""
    lines = []
    for system in SYSTEMS:
        for arm in ARMS:
            for stage in ("generate", "inpaint"):
                told = [share(results, system, arm, stage, *bar) for bar in (*BARS, (1, 60))]
                lines.append((system, arm, stage, *(f"{100 * a / b:.0f} % of {b}" if b else None for a, b in told)))
    heads = ("system", "arm", "stage", *(f"{low}–{high} atoms" for low, high in BARS), "all")
    return {"shares": table(heads, lines), "published": table(("published, marked as such", "symmetric"), PUBLISHED)}


def draw(results: Results, figure: Any) -> None:
    """Bars as in the paper's figure 6."""
    for ax, system in zip(figure.subplots(1, 2, sharey=True), SYSTEMS, strict=True):
        for k, (arm, stage) in enumerate((arm, stage) for arm in ARMS for stage in ("generate", "inpaint")):
            told = [share(results, system, arm, stage, *bar) for bar in BARS]
            x = [i + (k - 1.5) * 0.2 for i in range(len(BARS))]
            ax.bar(x, [100 * a / max(1, b) for a, b in told], 0.2, color=COLORS[k], label=f"{arm}, {stage}")
        ax.set(title=system, xlabel="atoms", xticks=range(len(BARS)), xticklabels=[f"{a}–{b}" for a, b in BARS])
    figure.axes[0].set_ylabel("above P1 and P-1, % of those asked for")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)


STUDY = Study("sizes", compute, tables, draw)

if __name__ == "__main__":
    STUDY.main(__doc__)
