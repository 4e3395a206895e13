"""Compounds that DiffCSP was compared with USPEX on (SI of the paper), found from their compositions.

    python studies/diffcsp.py DATA [--quick]

Twenty candidates each of the fifteen compounds of DATA/csp/uspex15.csv by the default of `chggen generate` with all
sources; beside them random Bravais cells with random atoms, as many relaxations by CHGNet. A candidate is the crystal
where StructureMatcher (0.3, 0.5, 10), Niggli-reduced cells, gives an RMSD below 0.1, as published. Full: a quarter of
an hour of CPU.
"""

from __future__ import annotations

import csv
import time
from typing import Any

from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from rivals import random_cells, relaxations
from runs import Run, asked_for, made, spread
from study import Asked, Results, Row, Study, table

import chggen

N = 20
CLOSE = 0.1
PUBLISHED = (
    ("USPEX with DFT, published", "any", 8, "12.5 h each"),
    ("DiffCSP, published", "any of 20", 11, None),
)  # Jiao et al., NeurIPS 2023; the paper's own table of 16 compositions names no counts


def compute(asked: Asked) -> Results:
    """A row for each compound."""
    with (asked.needs_data() / "csp" / "uspex15.csv").open() as file:
        rows = list(csv.DictReader(file))[: 2 if asked.quick else None]
    crystals = {r["pretty_formula"]: Structure.from_str(r["cif"], fmt="cif").get_primitive_structure() for r in rows}
    n = 4 if asked.quick else N
    runs = {}
    for formula, crystal in crystals.items():
        counts = {str(symbol): int(k) for symbol, k in crystal.composition.items()}
        whole = "".join(f"{symbol}{k}" for symbol, k in counts.items())
        runs[formula] = Run.of("generate", whole, n=n, seed=0, formula_units=[1], cells_from=["auto"])
    done = made(asked.out, runs)
    jobs = [(formula, crystal, relaxations(done[formula][0])) for formula, crystal in crystals.items()]
    random = dict(zip(crystals, spread(random_row, jobs, asked.out), strict=True))
    found = []
    for formula, crystal in crystals.items():
        candidates, seconds = done[formula]
        good = [c for c in asked_for(candidates) if c.status == "ok" and c.structure is not None]
        answer = chggen.answer(candidates)
        lowest = min(good, key=lambda c: c.energy_per_atom, default=None)
        found.append({
            "formula": formula, "atoms": len(crystal), "relaxations": relaxations(candidates),
            "lowest": rms(crystal, lowest), "answer": rms(crystal, answer),
            "any": min((x for c in good if (x := rms(crystal, c)) is not None), default=None),
            "seconds": round(seconds, 1), "random": random[formula],
        })  # fmt: skip
    return {"quick": asked.quick, "n": n, "rows": found}


def random_row(job: tuple[str, Structure, int]) -> Row:
    """What random cells come to."""
    _, crystal, n = job
    began = time.process_time()
    counts = {str(symbol): int(k) for symbol, k in crystal.composition.items()}
    done = [r for r in chggen.relax(random_cells(counts, n, 0), max_steps=500) if r.converged]
    seconds = time.process_time() - began
    lowest = min(done, key=lambda r: r.energy_per_atom, default=None)
    near = [x for r in done if (x := rms(crystal, r)) is not None]
    return {"lowest": rms(crystal, lowest), "any": min(near, default=None), "seconds": round(seconds, 1)}


def rms(crystal: Structure, found: Any) -> float | None:
    """The RMSD by which a structure is the crystal; None where it is another one, or none."""
    if found is None:
        return None
    matcher = StructureMatcher(ltol=0.3, stol=0.5, angle_tol=10, primitive_cell=False)
    try:
        a, b = (s.get_reduced_structure(reduction_algo="niggli") for s in (crystal, found.structure))
        off = matcher.get_rms_dist(a, b)
    except ValueError:  # a cell that cannot be reduced
        return None
    return None if off is None else round(float(off[0]), 4)


def tables(results: Results) -> dict[str, str]:
    """How many are found, and each compound."""
    rows, n = results["rows"], results["n"]

    def hits(values: list[float | None]) -> int:
        return sum(x is not None and x < CLOSE for x in values)

    totals = [*PUBLISHED] if len(rows) == 15 else []
    seconds = sum(r["seconds"] for r in rows) / len(rows)
    for kind in ("lowest", "answer", "any"):
        totals.append(("chggen", f"{kind} of {n}", hits([r[kind] for r in rows]), f"{seconds:.0f} s of CPU each"))
    seconds = sum(r["random"]["seconds"] for r in rows) / len(rows)
    for kind in ("lowest", "any"):
        own = hits([r["random"][kind] for r in rows])
        totals.append(("random cells, as many relaxations", kind, own, f"{seconds:.0f} s of CPU each"))

    def shown(x: float | None) -> str:
        return "–" if x is None else f"**{x:.3f}**" if x < CLOSE else f"{x:.3f}"

    each = [
        (r["formula"], r["atoms"], r["relaxations"], *(shown(r[k]) for k in ("lowest", "answer", "any")),
         *(shown(r["random"][k]) for k in ("lowest", "any"))) for r in rows
    ]  # fmt: skip
    heads = ("compound", "atoms", "relaxations", "lowest", "answer", "any", "random: lowest", "random: any")
    return {"totals": table(("method", "which", f"found of {len(rows)}", "cost"), totals), "each": table(heads, each)}


STUDY = Study("diffcsp", compute, tables)

if __name__ == "__main__":
    STUDY.main(__doc__)
