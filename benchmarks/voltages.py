"""How far are voltages off, by potential? Known electrodes, empty and full, relaxed by each, against DFT.

    python benchmarks/voltages.py DATA [--potentials chgnet sevennet-l3i5 …] [--largest 24] [--first 60] [--out FOLDER]

Pairs are those of the electrode benchmark (benchmarks/ids/electrodes.json) that have a voltage from PBE or PBE+U
energies of the Materials Project, and at most --largest atoms when full; the first of these, since all are in turn over
ions and anions. Both crystals are known, so that only the
potential is asked: they relax with their symmetry kept, and so does the metal. The average voltage is
V = -(E_full - E_empty - n E_metal) / (n z). Prints Markdown: mean absolute errors, V, by ion and by anion. What is
computed is kept in FOLDER.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
from electrode_cases import Pair, pairs
from kept_rows import KeptRows
from pymatgen.core import Element, Lattice, Structure

DEFAULT = ("chgnet", "chgnet-r2scan", "sevennet-0", "sevennet-l3i5", "sevennet-mf-0-pbe")
CHARGE = {"Li": 1, "Na": 1, "K": 1, "Mg": 2, "Ca": 2, "Zn": 2}
METALS = {
    "Li": (229, Lattice.cubic(3.44)), "Na": (229, Lattice.cubic(4.20)), "K": (229, Lattice.cubic(5.28)),
    "Ca": (225, Lattice.cubic(5.53)), "Mg": (194, Lattice.hexagonal(3.19, 5.18)),
    "Zn": (194, Lattice.hexagonal(2.66, 4.95)),
}  # fmt: skip


def metal(ion: str) -> Structure:
    group, lattice = METALS[ion]
    site = [1 / 3, 2 / 3, 0.25] if group == 194 else [0, 0, 0]
    return Structure.from_spacegroup(group, lattice, [Element(ion)], [site]).get_primitive_structure()


def voltage_of(pair: Pair, potential: str) -> dict[str, object]:
    """The voltage of a pair by a potential; None where a relaxation came to no end."""
    import torch

    from chggen import relax

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    given = [pair.full, pair.host, metal(pair.ion)]
    done = relax(given, potential=potential, fmax=0.03, max_steps=1000, fix_symmetry=0.05)
    voltage = None
    if all(one.converged for one in done):
        full, empty, alone = (one.energy_per_atom * len(s) for one, s in zip(done, given, strict=True))
        change = full - empty - pair.n_ions * alone / len(given[2])
        voltage = -change / (pair.n_ions * CHARGE[pair.ion])
    return {
        "pair": list(pair.ids), "ion": pair.ion, "anion": pair.anion, "dft": pair.voltage_dft,
        "potential": potential, "voltage": voltage,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--potentials", nargs="+", default=list(DEFAULT))
    parser.add_argument("--largest", type=int, default=24)
    parser.add_argument("--first", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/voltages"))
    args = parser.parse_args()
    every = [*pairs(args.data), *pairs(args.data, trained=True)]
    chosen = [p for p in every if p.voltage_dft is not None and len(p.full) <= args.largest][: args.first]
    kept = KeptRows(args.out / "rows.jsonl")
    done = {(*r["pair"], r["potential"]) for r in kept.rows}
    asked = [(p, name) for name in args.potentials for p in chosen if (*p.ids, name) not in done]
    kept.compute(voltage_of, asked, args.workers)
    wanted = {p.ids for p in chosen}
    rows = [r for r in kept.rows if tuple(r["pair"]) in wanted and r["potential"] in args.potentials]
    failed = {tuple(r["pair"]) for r in rows if r["voltage"] is None}
    rows = [r for r in rows if tuple(r["pair"]) not in failed]
    print(f"{len(wanted) - len(failed)} pairs; {len(failed)} more did not relax with all potentials\n")
    print(f"| pairs | n | {' | '.join(f'`{name}`' for name in args.potentials)} |")
    print(f"|---|---|{'---|' * len(args.potentials)}")
    groups = [("all", "")] + [(r[key], key) for key in ("ion", "anion") for r in rows]
    for value, key in dict.fromkeys(groups):
        own = [r for r in rows if not key or r[key] == value]
        n = len({tuple(r["pair"]) for r in own})
        off = [
            np.mean([abs(r["voltage"] - r["dft"]) for r in own if r["potential"] == name]) for name in args.potentials
        ]
        print(f"| {value} | {n} | {' | '.join(f'{x:.2f}' for x in off)} |")


if __name__ == "__main__":
    main()
