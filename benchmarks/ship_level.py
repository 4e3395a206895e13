"""Energies of one more level put into the shipped reference table, as a further column of the phases that are in it.

    python benchmarks/near_hull.py DATA --out near_hull.npz
    chggen references build near_hull.npz --potential sevennet-l3i5 --within -1 --sample 200 -o sevennet-l3i5
    python benchmarks/ship_level.py sevennet-l3i5/references.npz [MORE/references.npz …] [--table FILE]

Several built tables are joined, the last energy of a phase counting. The table (--table; default: the shipped one) is
replaced. Phases that it does not hold are left out, and told. A level that it has already is written anew.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from chggen.stability import References
from chggen.stability.joined_references import joined
from chggen.stability.references import SHIPPED


def with_level(table: References, built: References, level: str) -> References:
    """The table with the energies that another one has at a level."""
    levels = (*(name for name in table.levels if name != level), level)
    place = {name: k for k, name in enumerate(table.ids.tolist())}
    column = built.column(level)
    names = built.ids.astype(table.ids.dtype).tolist()
    known = [k for k, name in enumerate(names) if name in place and np.isfinite(built.energies[k, column])]
    mine, theirs = np.array([place[names[k]] for k in known]), np.array(known)
    energies = np.full((len(table), len(levels)), np.nan, np.float32)
    relaxed = np.zeros(energies.shape, bool)
    drops = np.full(len(levels), np.nan)
    for k, name in enumerate(levels[:-1]):
        own = table.column(name)
        energies[:, k], relaxed[:, k], drops[k] = table.energies[:, own], table.relaxed[:, own], table.drops[own]
    energies[mine, -1], relaxed[mine, -1] = built.energies[theirs, column], built.relaxed[theirs, column]
    drops[-1] = built.drops[column]
    return replace(table, levels=levels, energies=energies, relaxed=relaxed, drops=drops)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("built", type=Path, nargs="+")
    parser.add_argument("--table", type=Path, default=SHIPPED)
    args = parser.parse_args()
    built, table = joined([References.load(path) for path in args.built]), References.load(args.table)
    for level in built.levels:
        if np.isfinite(built.energies[:, built.column(level)]).any():
            table = with_level(table, built, level)
            energies, relaxed = (x[:, table.column(level)] for x in (table.energies, table.relaxed))
            told = f"{np.isfinite(energies).sum()} energies, {relaxed.sum()} of them relaxed"
            print(f"{level}: {told}; they fall by {1000 * table.drops[-1]:.1f} meV/atom; of {len(built)} phases built")
    table.save(args.table)


if __name__ == "__main__":
    main()
