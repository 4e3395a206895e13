"""Grain boundaries filled anew: does the program find lower ones than random filling?

    python benchmarks/grain_boundaries.py --out FOLDER [--workers 1] [--cases 6] [--table]

Σ5 and Σ3 boundaries of three oxides (grain_cases.py), in periodic cells of 60 to 120 atoms with two boundaries each. Of
a layer of 3.5 Å around both, the atoms are taken out and the same atoms are put back. All arms relax by CHGNet and by
the same options: 0.1 eV/Å, of the cell its height alone. Energies are those of the boundaries,
(E(cell) − atoms · E(crystal)) / (2 · area).

- built: the cell as pymatgen's generator builds it, relaxed;
- program: `chggen.inpaint(cell, remove=REGION, n=12)`;
- random: the same atoms at random in the region, as in regions.py, 50 times, all relaxed to the end: energies after 80
  steps do not tell which fillings end lowest.

Rows go to FOLDER/rows.jsonl as they end; a run that was stopped goes on. Prints the table from the rows.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from grain_cases import CASES, Boundary, built, crystal_of
from kept_rows import KeptRows
from region_cases import Hole

from regions import random_filling

N = 12  # candidates of the program
RANDOM = 50  # fillings at random
PARTS = 5  # rows that these are shared among, so that a run that was stopped has lost little
ARMS = ("program", "built", "random")
OPTIONS: dict[str, Any] = {"fmax": 0.1, "free_axis": "z"}
_J_PER_M2 = 16.02177  # of one eV/Å²


def row_of(number: int, boundary: Boundary, arm: str, part: int) -> dict[str, Any]:
    """What an arm makes of a boundary; of the random fillings a part."""
    import chggen

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    (crystal,) = chggen.relax([crystal_of(boundary.crystal)], fmax=0.01)
    assert crystal.energy_per_atom is not None
    cell, region = built(boundary, crystal.structure)
    hole = Hole(boundary.id, "boundary", cell, region)
    area = cell.volume / cell.lattice.c

    def energies(each: list[float | None]) -> list[float | None]:
        scale = _J_PER_M2 * len(cell) / (2 * area)
        return [None if e is None else round(scale * (e - crystal.energy_per_atom), 4) for e in each]

    began = _seconds()
    row: dict[str, Any] = {
        "id": boundary.id,
        "arm": arm,
        "part": part,
        "atoms": len(cell),
        "taken": int(hole.taken.sum()),
    }
    if arm == "program":
        made = chggen.inpaint(cell, remove=region, n=N, seed=number, workers=1, references=None, **OPTIONS)
        made = sorted(made, key=lambda c: c.id)
        row["energies"] = energies([c.energy_per_atom if c.status == "ok" else None for c in made])
        row["sources"] = [c.seed_source for c in made]
    elif arm == "random":
        rng = np.random.default_rng([7, number, part])
        ends = chggen.relax([random_filling(hole, rng) for _ in range(RANDOM // PARTS)], **OPTIONS)
        row["energies"] = energies([end.energy_per_atom if end.converged else None for end in ends])
    else:
        row["energies"] = energies([end.energy_per_atom for end in chggen.relax([cell], **OPTIONS)])
    return {**row, "s": _seconds() - began}


def _seconds() -> float:
    """CPU seconds of this process and those that it started."""
    return sum(os.times()[:4])


def print_table(rows: list[dict[str, Any]]) -> None:
    print(
        f"| boundary | atoms | put back | as built | program, {N // 2} | program, {N} | random, {N} | random, all | "
        "of so many | CPU-s, program | CPU-s, random |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    won = 0
    for boundary in CASES:
        own = _joined([row for row in rows if row["id"] == boundary.id])
        if not own:
            continue
        low = {arm: _lowest(row["energies"]) for arm, row in own.items()}
        half = _lowest(own["program"]["energies"][: N // 2]) if "program" in own else np.nan
        first = _lowest(own["random"]["energies"][:N]) if "random" in own else np.nan
        some = next(iter(own.values()))
        won += low.get("program", np.nan) < low.get("random", np.nan)
        each = [low.get(arm, np.nan) for arm in ("built", "program", "random")]
        tried = len(own["random"]["energies"]) if "random" in own else 0
        cost = [own[arm]["s"] if arm in own else np.nan for arm in ("program", "random")]
        print(
            f"| {boundary.id} | {some['atoms']} | {some['taken']} | {each[0]:.3f} | {half:.3f} | {each[1]:.3f} | "
            f"{first:.3f} | {each[2]:.3f} | {tried} | {cost[0]:.0f} | {cost[1]:.0f} |"
        )
    print(f"the program is lower than the best random filling in {won} of {len(CASES)}")


def _joined(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Arm to its row, that of the random fillings joined from the parts that are there."""
    found = {row["arm"]: row for row in rows if row["arm"] != "random"}
    parts = sorted((row for row in rows if row["arm"] == "random"), key=lambda row: row["part"])
    if parts:
        found["random"] = {
            **parts[0],
            "energies": [energy for row in parts for energy in row["energies"]],
            "s": sum(row["s"] for row in parts),
        }
    return found


def _lowest(energies: list[float | None]) -> float:
    return min((e for e in energies if e is not None), default=np.nan)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=len(CASES))
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print the table of the rows alone")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    kept = KeptRows(args.out / "rows.jsonl")
    if not args.table:
        done = {(row["id"], row["arm"], row["part"]) for row in kept.rows}
        wanted = [
            (k, case, arm, part)
            for arm in args.arms.split(",")
            for part in range(PARTS if arm == "random" else 1)  # a few of all boundaries come before many of one
            for k, case in enumerate(CASES[: args.cases])
        ]
        kept.compute(row_of, [e for e in wanted if (e[1].id, e[2], e[3]) not in done], args.workers)
    print_table(kept.rows)


if __name__ == "__main__":
    main()
