"""What each idea is worth from a composition alone: from the paper's way to the default, one factor at a time.

    python studies/ablation_compositions.py DATA [--quick]

30 crystals of the `val` split of at most 12 atoms, eight candidates each, one formula unit as in the primitive cell.
*random*: random cells, as many relaxations as the default takes; *paper*: random Bravais cells by the paper's sampler;
*refreshed*: a short ladder whose noise is drawn anew, one try; *by energy*: several tries, chosen by CHGNet; *learned
cells*: shapes that the network draws; *orbits*: space groups and Wyckoff positions drawn as known crystals have them,
the lowest of eight tries; *race*: of 64 tries, the lowest of which relax a few steps; *prototypes*; *default*: all
sources on one budget. Found: StructureMatcher(0.2, 0.3, 5). Full: 35 minutes of CPU.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from known_crystals import formula_of, validation_crystals
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from rivals import random_cells, relaxations
from runs import Run, asked_for, made, spread
from study import Asked, Results, Row, Study, bars, table

import chggen

CELLS: dict[str, dict[str, Any]] = {
    "paper": {"cells_from": ["bravais"], "anchor": "paper"},
    "refreshed": {"cells_from": ["bravais"], "best_of": 1},
    "by energy": {"cells_from": ["bravais"]},
    "learned cells": {"cells_from": ["learned"]},
    "orbits": {"cells_from": ["space-group"], "best_of": 8},
    "race": {"cells_from": ["space-group"]},
    "prototypes": {"cells_from": ["prototype"]},
    "default": {"cells_from": ["auto"]},
}
WAYS = ("random", *CELLS)
MATCHER = StructureMatcher(ltol=0.2, stol=0.3, angle_tol=5)


def compute(asked: Asked) -> Results:
    """A row for each composition and way."""
    targets = validation_crystals(asked.needs_data(), 2 if asked.quick else 30, 12, lambda s: len(s) > 1)
    n, runs = 2 if asked.quick else 8, {}
    for k, crystal in enumerate(targets):
        for way, options in CELLS.items():
            name = f"{k}-{way.replace(' ', '_')}"
            runs[name] = Run.of("generate", formula_of(crystal), n=n, seed=0, formula_units=[1], **options)
    rows, spent = [], {}
    for name, (found, seconds) in made(asked.out, runs).items():
        case, way = name.split("-")
        ends = asked_for(found)
        good = [(c.structure, c.energy_per_atom) for c in ends if c.status == "ok"]
        spent[int(case)] = relaxations(found)  # of the last way, which is the default
        rows.append(told(int(case), way.replace("_", " "), len(ends), good, targets[int(case)]) | {"seconds": seconds})
    jobs = [(k, crystal, spent[k]) for k, crystal in enumerate(targets)]
    rows += spread(random_row, jobs, asked.out)
    return {"quick": asked.quick, "rows": rows}


def told(case: int, way: str, asked: int, good: list[tuple[Any, float]], crystal: Structure) -> Row:
    """What is kept of the candidates of a way: how many are the crystal, the lowest, and its energy."""
    fits = [bool(MATCHER.fit(crystal, structure)) for structure, _ in good]
    energies = [energy for _, energy in good]
    lowest = int(np.argmin(energies)) if good else -1
    return {
        "case": case, "way": way, "asked": asked, "good": len(good), "hits": sum(fits),
        "first": bool(good) and fits[lowest], "energy": round(energies[lowest], 4) if good else None,
    }  # fmt: skip


def random_row(job: tuple[int, Structure, int]) -> Row:
    """Random cells, relaxed as often as the default relaxes."""
    case, crystal, n = job
    began = time.process_time()
    counts = {str(symbol): int(k) for symbol, k in crystal.composition.items()}
    done = chggen.relax(random_cells(counts, n, 0), max_steps=500)
    good = [(r.structure, r.energy_per_atom) for r in done if r.converged]
    return told(case, "random", n, good, crystal) | {"seconds": time.process_time() - began}


def summed(results: Results, way: str) -> Row:
    """Shares of a way; energies above the lowest of all ways."""
    lowest: dict[int, float] = {}
    for r in results["rows"]:
        if r["energy"] is not None:
            lowest[r["case"]] = min(r["energy"], lowest.get(r["case"], np.inf))
    own = [r for r in results["rows"] if r["way"] == way]
    above = [np.inf if r["energy"] is None else r["energy"] - lowest[r["case"]] for r in own]
    return {
        "n": len(own), "any": 100 * np.mean([r["hits"] > 0 for r in own]),
        "first": 100 * np.mean([r["first"] for r in own]),
        "hits": 100 * sum(r["hits"] for r in own) / max(1, sum(r["asked"] for r in own)),
        "above": 1000 * float(np.median(above)), "lowest": 100 * np.mean([a < 0.001 for a in above]),
        "seconds": float(np.mean([r["seconds"] for r in own])), "asked": np.mean([r["asked"] for r in own]),
    }  # fmt: skip


def tables(results: Results) -> dict[str, str]:
    """One line for each way."""
    heads = ("way", "compositions", "candidates each", "crystal among them", "crystal the lowest", "hits of all",
             "lowest of all ways", "median above that, meV/atom", "CPU s each")  # fmt: skip
    lines = []
    for way in WAYS:
        one = summed(results, way)
        shares = (f"{one[k]:.0f} %" for k in ("any", "first", "hits", "lowest"))
        lines.append((way, one["n"], f"{one['asked']:.0f}", *shares, f"{one['above']:.1f}", f"{one['seconds']:.1f}"))
    return {"ways": table(heads, lines)}


def draw(results: Results, figure: Any) -> None:
    """What each way finds, and what it costs."""
    every = [summed(results, way) for way in WAYS]
    shares = {"among the candidates": [one["any"] for one in every], "the lowest": [one["first"] for one in every]}
    bars(figure, WAYS, shares, "composition", [one["seconds"] for one in every])


STUDY = Study("ablation_compositions", compute, tables, draw)

if __name__ == "__main__":
    STUDY.main(__doc__)
