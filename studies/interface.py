"""A solid-solid interface (SI of the paper): a gap between two crystals, filled by the regions of `inpaint`.

    python studies/interface.py [--quick]

LiCoO2 (104) above LiF (001) with an empty gap of 4 Å between them (`chggen interface`), into which Li6P2O8, two units
of Li3PO4, are put: *region*: `chggen inpaint --region`; *random*: the same atoms at random in the gap, relaxed with the
same atoms held, as often. Both cells stay. Energies are those of the whole cell, above the lowest of all. LiCoO2 by
Orman and Wiseman (Acta Cryst. C 40, 12, 1984), LiF with a = 4.027 Å. Full: half an hour of CPU.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure
from rivals import random_filling
from runs import Run, asked_for, made, spread
from study import COLORS, Asked, Results, Row, Study, table

import chggen

GUESTS = {"Li": 6, "P": 2, "O": 8}
GAP = 4.0
COBALTATE = Structure.from_spacegroup(
    "R-3m", Lattice.hexagonal(2.8166, 14.052), ["Li", "Co", "O"], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.2395]]
)
FLUORIDE = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.027), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def compute(asked: Asked) -> Results:
    """The rows of both arms."""
    n, guests = (2, {"Li": 3, "P": 1, "O": 4}) if asked.quick else (8, GUESTS)
    thickness = 4.0 if asked.quick else 8.0
    steps = 60 if asked.quick else 500
    build = Run.of("interface", FLUORIDE, COBALTATE, miller_a="001", miller_b="104", gap=GAP, n=1, max_steps=1,
                   thickness=thickness, vacuum=12.0)  # fmt: skip
    stack = wide(made(asked.out, {"stack": build})["stack"][0][0].raw, 30 if asked.quick else 60)
    low, high = gap_of(stack)
    held = max(low - 4, stack.cart_coords[:, 2].min() + 0.1)  # the bottom layer at least
    how = {"region": f"z {low:.2f} {high:.2f}", "hold": f"z 0 {held:.2f}"}
    filling = Run.of("inpaint", stack, guests=guests, n=n, seed=0, fix_cell=True, max_steps=steps, **how)
    found, seconds = made(asked.out, {"region": filling})["region"]
    rows = [{"arm": "region", "index": k, "energy": energy(c), "steps": c.relax_steps}
            for k, c in enumerate(sorted(asked_for(found), key=lambda c: c.id))]  # fmt: skip
    jobs = [(stack, guests, (low, high), how["hold"], steps, k) for k in range(n)]
    random = spread(random_row, jobs, asked.out)
    costs = {"region": round(seconds / n), "random": round(sum(r.pop("seconds") for r in random) / n)}
    return {"quick": asked.quick, "atoms": len(stack) + sum(guests.values()), "costs": costs, "rows": rows + random}


def wide(stack: Structure, area: float) -> Structure:
    """The stack repeated along its shorter side until its area is as large, Å²."""
    while np.linalg.norm(np.cross(*stack.lattice.matrix[:2])) < area:
        stack = stack * ([2, 1, 1] if stack.lattice.a <= stack.lattice.b else [1, 2, 1])
    return stack


def gap_of(stack: Structure) -> tuple[float, float]:
    """The heights between which the gap lies, Å: the widest empty layer but that of the vacuum."""
    z = np.sort(stack.cart_coords[:, 2])
    k = int(np.argmax(np.diff(z)))
    return float(z[k]), float(z[k + 1])


def energy(c: chggen.Candidate) -> float | None:
    """Energy of the cell, eV; None of a candidate that failed."""
    return None if c.energy_per_atom is None or c.status != "ok" else round(c.energy_per_atom * len(c.structure), 3)


def random_row(job: tuple[Structure, dict[str, int], tuple[float, float], str, int, int]) -> Row:
    """The atoms at random in the gap, relaxed with the same atoms held."""
    stack, guests, (low, high), hold, steps, index = job
    began = time.process_time()
    box = (low / stack.lattice.c, high / stack.lattice.c)
    filled = random_filling(stack, guests, index, heights=box)
    (done,) = chggen.relax([filled], fix_cell=True, hold=hold, max_steps=steps)
    total = round(done.energy_per_atom * len(filled), 3) if done.converged else None
    seconds = time.process_time() - began
    return {"arm": "random", "index": index, "energy": total, "steps": done.n_steps, "seconds": seconds}


def tables(results: Results) -> dict[str, str]:
    """Lowest and median of each arm, above the lowest of all."""
    rows = results["rows"]
    lowest = min((r["energy"] for r in rows if r["energy"] is not None), default=0.0)
    lines = []
    for arm in ("region", "random"):
        own = [r for r in rows if r["arm"] == arm]
        good = [r["energy"] - lowest for r in own if r["energy"] is not None]
        told = [f"{x:.2f}" for x in (min(good), float(np.median(good)))] if good else [None, None]
        steps = f"{np.median([r['steps'] or 0 for r in own]):.0f}"
        lines.append((arm, len(own), len(good), *told, steps, results["costs"][arm]))
    heads = ("arm", "asked for", "relaxed", "lowest, eV", "median, eV", "steps, median", "CPU s each")
    return {"energies": f"{results['atoms']} atoms.\n\n" + table(heads, lines)}


def draw(results: Results, figure: Any) -> None:
    """The lowest energy after each relaxation."""
    ax = figure.subplots()
    lowest = min(r["energy"] for r in results["rows"] if r["energy"] is not None)
    for arm, color in (("region", COLORS[2]), ("random", COLORS[0])):
        own = [np.inf if r["energy"] is None else r["energy"] - lowest for r in results["rows"] if r["arm"] == arm]
        ax.step(range(1, len(own) + 1), np.minimum.accumulate(own), where="post", color=color, label=arm)
    ax.set(xlabel="relaxations", ylabel="above the lowest, eV")
    ax.legend()


STUDY = Study("interface", compute, tables, draw, size=(3.4, 2.6))

if __name__ == "__main__":
    STUDY.main(__doc__)
