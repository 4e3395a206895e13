"""Energies above hull at a level, against those of the Materials Project (2019), on random known phases.

    python benchmarks/hull_of_level.py DATA [--potential sevennet-l3i5] [--n 2000] [--out FOLDER]

Phases are drawn from those of the shipped table that have an energy above hull in DATA/mp_table.csv.gz. The potential
gives their energies as they are (DATA/mp_structures.npz); the hull is that of the shipped table at its level, each
phase counting as it is. CHGNet's energies of the same phases, from the shipped table, stand beside. Stable is what lies
at most 25 meV/atom above the hull. Prints Markdown; what is computed is kept in FOLDER.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import warnings
from pathlib import Path

import numpy as np
from kept_rows import KeptRows

from chggen.crystals import parse_formula
from chggen.io import NamedStructures
from chggen.potential import level_of
from chggen.relaxation import RelaxOptions
from chggen.stability import References, hull
from chggen.stability.energy_rows import Relaxation, static_rows
from stability import STABLE, kind

BATCH = 40


def energies_of(data: Path, names: list[str], potential: str) -> list[dict]:
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    structures = NamedStructures((data / "mp_structures.npz",))
    return static_rows(structures, names, Relaxation(RelaxOptions(potential=potential), "cpu"))


def drawn(data: Path, table: References, n: int) -> dict[str, float]:
    """Id to energy above hull of 2019 of n phases, eV/atom."""
    with gzip.open(data / "mp_table.csv.gz", "rt") as handle:
        known = {r["material_id"]: float(r["ehull_mp2019"]) for r in csv.DictReader(handle) if r["ehull_mp2019"]}
    has = np.isfinite(table.energies[:, table.column("pbe")])
    usable = [name for name, there in zip(table.ids.astype(str).tolist(), has, strict=True) if there and name in known]
    chosen = np.random.default_rng(0).choice(len(usable), n, replace=False)
    return {usable[k]: known[usable[k]] for k in chosen}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--potential", default="sevennet-l3i5")
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/hull_of_level"))
    args = parser.parse_args()
    table, level = References.load(), level_of(args.potential).name
    asked = drawn(args.data, table, args.n)
    kept = KeptRows(args.out / "rows.jsonl")
    done = {r["id"] for r in kept.rows if r["level"] == level}
    names = [name for name in asked if name not in done]
    kept.compute(
        energies_of,
        [(args.data, names[k : k + BATCH], args.potential) for k in range(0, len(names), BATCH)],
        args.workers,
    )
    own = {r["id"]: r["static"] for r in kept.rows if r["level"] == level and "static" in r}
    place = {name: k for k, name in enumerate(table.ids.astype(str).tolist())}
    found = []
    for name, known in asked.items():
        k = place[name]
        formula = str(table.formulas[k].astype(str))
        base = hull(formula, float(table.energies[k, table.column("pbe")]), level="pbe")
        at = hull(formula, own[name], level=level) if name in own else None
        lacks = at is None or at.e_hull is None or "without an energy at this one" in (at.warning or "")
        found.append((kind(parse_formula(formula)), known, base.e_hull, None if at is None else at.e_hull, lacks))
    kinds = ["all", *sorted({each[0] for each in found})]
    print("| chemistry | level | n | mean absolute difference, meV/atom | mean difference | balanced accuracy |")
    print("|---|---|---|---|---|---|")
    placed = [each for each in found if each[2] is not None and each[3] is not None]
    for title, chosen in (("", placed), (", nothing lacking", [each for each in placed if not each[4]])):
        for name in kinds if not title else ["all"]:
            rows = np.array([each[1:4] for each in chosen if name in ("all", each[0])], float)
            for column, label in ((1, "pbe"), (2, level)):
                off, stable, said = rows[:, column] - rows[:, 0], rows[:, 0] <= STABLE, rows[:, column] <= STABLE
                balanced = (said[stable].mean() + (~said[~stable]).mean()) / 2
                cells = f"{1000 * np.abs(off).mean():.1f} | {1000 * off.mean():+.1f} | {balanced:.3f}"
                print(f"| {name}{title} | {label} | {len(rows)} | {cells} |")
    print(f"\n{len(found) - len(placed)} of {len(found)} are not placed at both levels")


if __name__ == "__main__":
    main()
