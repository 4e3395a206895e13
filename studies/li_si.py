"""Li-Si (Figs. 5 and 6b of the paper): the Li-rich side, its known phases found again, Li5Si2 and what is new.

    python studies/li_si.py [--quick]

Every LixSiy with more Li than Si, up to five for each, at most 8 Si and 40 atoms in a formula unit, is searched by
`chggen predict`, six structures each; Li5Si2 also without prototypes, in space groups drawn as known crystals have
them, in learned and in random cells. Known phases are those of the shipped table with at most 40 atoms in their cells;
the hull is that of the known phases, which Li5Si2 is not among. Beside them random cells, relaxed: twelve of each known
phase, in cells of its size, and as many of Li5Si2 as were made of it. Full: 1.8 hours of CPU.
"""

from __future__ import annotations

from math import gcd
from typing import Any

from pymatgen.core import Composition
from rivals import relaxed_cell
from runs import Run, made, spread
from study import COLORS, Asked, Results, Row, Study, signed, table

import chggen
from chggen.crystals import parse_formula
from chggen.symmetry import symbol_of

LEVELS = ("pbe", "r2scan")
NEAR = 0.01  # eV/atom
SOURCES = ("space-group", "learned", "bravais")


def formulas(silicon: int, quick: bool) -> list[str]:
    """The Li-rich side with so many Si."""
    most = min(5 * silicon, 40 - silicon)
    found = [f"Li{x}Si{silicon if silicon > 1 else ''}" for x in range(silicon + 1, most + 1) if gcd(x, silicon) == 1]
    return found[1:2] if quick else found


def compute(asked: Asked) -> Results:
    """The lowest structures of every composition, the known phases, and Li5Si2 without prototypes."""
    n, most, silicon = (4, 20, range(1, 5)) if asked.quick else (6, 40, range(8, 0, -1))
    how: dict[str, Any] = {"n": n, "seed": 0, "max_atoms": most, "guests": ["Li"]}
    runs = {f"Si{k}": Run.of("predict", formulas=formulas(k, asked.quick), **how) for k in silicon}
    runs["alone"] = Run.of("generate", "Li5Si2", n=10 * n, seed=0, formula_units=[1, 2], cells_from=SOURCES)
    done = made(asked.out, runs)
    alone = done["alone"][0]
    side = [c for name, (found, _) in done.items() if name != "alone" for c in found]
    rows = [row_of(c) for c in [*side, *alone] if c.status == "ok" and c.duplicate_of is None]
    rows = [r for r in rows if r["e_d"].get("pbe", 1) < 0.1]
    costs = [{"run": name, "asked": len(found), "seconds": round(seconds)} for name, (found, seconds) in done.items()]
    phases = known(side, {reduced(c.formula) for c in side})
    jobs = [("Li5Si2", 1 + k % 2, k) for k in range(10 * n)]
    jobs += [(r["formula"], r["units"], k) for r in phases if r["searched"] for k in range(2 * n)]
    random = spread(relaxed_cell, jobs, asked.out)
    costs.append({"run": "random", "asked": len(jobs), "seconds": round(sum(r.pop("seconds") for r in random))})
    found = {"known": phases, "rows": rows, "terminal": terminal(alone), "random": random}
    return {"quick": asked.quick, "costs": costs, **found}


def reduced(formula: str) -> str:
    """The formula with the smallest numbers."""
    return Composition(formula).reduced_formula


def row_of(c: chggen.Candidate) -> Row:
    """What is kept of a candidate."""
    placed = {level: round(e, 4) for level in LEVELS if (e := c.decomposition_energies.get(level)) is not None}
    counts = parse_formula(c.formula)
    return {
        "id": c.id, "formula": c.formula, "silicon": counts["Si"] / sum(counts.values()), "group": c.space_group_loose,
        "e_d": placed, "known_as": c.known_as, "by": c.found_by or c.seed_source, "atoms": c.n_atoms,
    }  # fmt: skip


def known(side: list[chggen.Candidate], searched: set[str]) -> list[Row]:
    """The known Li-rich phases of at most 40 atoms, and by which candidate each was found."""
    rows = []
    for entry in chggen.References.load().system(("Li", "Si"), "pbe"):
        counts = parse_formula(entry.formula)
        if not counts.get("Si") or counts.get("Li", 0) <= counts["Si"] or (entry.n_atoms or 99) > 40:
            continue
        found = [c for c in side if c.known_as is not None and c.known_as.endswith(entry.id)]
        first = min(found, key=lambda c: c.id, default=None)
        above = chggen.hull(entry.formula, entry.energy_per_atom).e_decomposition
        row = {"id": entry.id, "formula": reduced(entry.formula), "group": entry.space_group, "atoms": entry.n_atoms}
        row |= {"units": entry.n_atoms // int(Composition(reduced(entry.formula)).num_atoms)}
        row |= {"above": round(above, 4), "searched": reduced(entry.formula) in searched, "found": None, "by": None}
        rows.append(row if first is None else row | {"found": first.id, "by": first.found_by or first.seed_source})
    return sorted(rows, key=lambda r: r["above"])


def terminal(found: chggen.Candidates) -> list[Row]:
    """Li5Si2 in R-3m as it was found without prototypes, on the hull and on the hull without its neighbours."""
    rows = []
    good = [c for c in found if c.status == "ok" and c.space_group_loose == 166 and c.energy_per_atom is not None]
    best = min(good, key=lambda c: c.energy_per_atom, default=None)
    if best is None:
        return rows
    for level in LEVELS:
        energy = best.energies.get(level)
        if energy is not None:
            whole = chggen.hull("Li5Si2", energy, level=level)
            products = list(whole.product_ids)
            without = chggen.hull("Li5Si2", energy, level=level, without=products)
            row = {"id": best.id, "level": level, "e_d": round(whole.e_decomposition, 4), "products": products}
            rows.append(row | {"e_d_without": round(without.e_decomposition, 4)})
    return rows


def tables(results: Results) -> dict[str, str]:
    """Known phases, new ones near the hull, Li5Si2; random cells beside."""
    random = [r for r in results["random"] if r["failed_at"] is None]
    phases = []
    for r in (r for r in results["known"] if r["searched"]):
        own = [one["e_d"]["pbe"] - r["above"] for one in random if one["formula"] == r["formula"]]
        phases.append((r["id"], r["formula"], symbol_of(r["group"]), r["atoms"], signed(r["above"]),
                       r["found"] or "no", r["by"], signed(min(own, default=None))))  # fmt: skip
    new = [r for r in results["rows"] if r["known_as"] is None and min(r["e_d"].values()) < NEAR]
    new.sort(key=lambda r: min(r["e_d"].values()))
    fresh = [(r["formula"], symbol_of(r["group"]), r["atoms"], r["id"], r["by"],
              *(signed(r["e_d"].get(k)) for k in LEVELS)) for r in new]  # fmt: skip
    told = [(r["level"], r["id"], signed(r["e_d"], 4), ", ".join(r["products"]), signed(r["e_d_without"], 4))
            for r in results["terminal"]]  # fmt: skip
    own = [r for r in random if r["formula"] == "Li5Si2"]
    groups = f"{len(own)} random cells, {sum(r['group'] == 166 for r in own)} of them R-3m"
    told.append(("pbe", groups, signed(min(r["e_d"]["pbe"] for r in own), 4), None, None))
    heads = ("known phase", "formula", "group", "atoms", "above the hull", "found by candidate", "source",
             "lowest of random cells above it")  # fmt: skip
    return {
        "known": table(heads, phases),
        "new": table(("formula", "group", "atoms", "candidate", "source", "E_d pbe", "E_d r2scan"), fresh),
        "li5si2": table(("level", "candidate", "E_d, eV/atom", "against", "E_d without these"), told),
        "costs": table(("run", "candidates", "CPU s"), [tuple(c.values()) for c in results["costs"]]),
    }


def draw(results: Results, figure: Any) -> None:
    """E_d of the lowest structures at each level, as the paper's figure 5."""
    for ax, level in zip(figure.subplots(1, 2, sharey=True), LEVELS, strict=True):
        for label, color, known_one in (("new", COLORS[3], False), ("known", COLORS[2], True)):
            own = [r for r in results["rows"] if (r["known_as"] is not None) == known_one and level in r["e_d"]]
            ax.scatter([r["silicon"] for r in own], [r["e_d"][level] for r in own], s=8, color=color, label=label)
        ax.axhline(0, color=COLORS[0], linewidth=0.6)
        ax.set(xlabel="Si in LixSi1−x", ylabel="$E_d$, eV/atom", title=level, ylim=(-0.03, 0.1))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)


STUDY = Study("li_si", compute, tables, draw)

if __name__ == "__main__":
    STUDY.main(__doc__)
