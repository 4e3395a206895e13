"""Holes in known crystals: what is taken out of each, to be put back.

    python benchmarks/region_cases.py DATA

Writes benchmarks/ids/regions.json. Crystals are rows of the test split and of the hold-out, on the hull or within
50 meV/atom of it, none of which the score model was trained on, one a formula, as supercells of 80 to 200 atoms. Of a
third a slab of 5 Å is taken out, of a third a sphere of 4 Å, and of a third one of both, after the cell was strained by
1 % (a random symmetric strain). A hole holds at least four atoms and at most half of them.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from hosts import IDS, structures
from ordering_cases import structures_of
from pymatgen.core import Structure

from chggen.regions import atoms_of, region_of

FILE = IDS / "regions.json"
ATOMS = (80, 200)
KINDS = ("slab", "sphere", "strained")
_EACH = 20
_SIDE = 9.0  # Å, the shortest height of a supercell
_STRAIN = 0.01
_STABLE = 0.05  # eV/atom above the hull


@dataclass(frozen=True)
class Hole:
    """A crystal and what is taken out of it."""

    id: str
    kind: str
    crystal: Structure
    region: str

    @property
    def taken(self) -> np.ndarray:
        """Which atoms are taken out."""
        return atoms_of(self.region, self.crystal)


def supercell(crystal: Structure) -> tuple[int, int, int] | None:
    """The multiples of the axes that make the most nearly cubic cell of 80 to 200 atoms, 9 Å high and more."""
    heights = np.array([crystal.lattice.d_hkl(plane) for plane in np.eye(3, dtype=int)])
    found = []
    for axes in product(range(1, 7), repeat=3):
        atoms, sides = len(crystal) * int(np.prod(axes)), heights * axes
        if ATOMS[0] <= atoms <= ATOMS[1] and sides.min() >= _SIDE:
            found.append((round(sides.max() / sides.min(), 3), atoms, axes))
    return min(found)[2] if found else None


def hole(crystal: Structure, kind: str, rng: np.random.Generator) -> str:
    """A region of a kind, drawn."""
    if kind == "sphere":
        x, y, z = rng.random(3).round(3)
        return f"sphere {x} {y} {z} 4"
    axis = int(rng.integers(3))
    height = crystal.lattice.d_hkl(np.eye(3, dtype=int)[axis])
    low = round(float(rng.random() * (height - 5)), 2)
    return f"{'xyz'[axis]} {low} {low + 5:.2f}"


def strained(crystal: Structure, seed: int) -> Structure:
    """The crystal with its cell strained at random by 1 %, root mean square of the components."""
    step = np.random.default_rng(seed).standard_normal((3, 3))
    step = (step + step.T) / 2
    matrix = crystal.lattice.matrix @ (np.eye(3) + _STRAIN * step / np.sqrt((step**2).mean()))
    return Structure(matrix, crystal.species, crystal.frac_coords)


def cases(data: Path) -> list[Hole]:
    """The committed cases, those of the three kinds in turn."""
    listed = json.loads(FILE.read_text())["cases"]
    wanted = {entry["id"] for entry in listed}
    found: dict[str, Structure] = {}
    for name in ("mp20.npz", "mp_structures.npz"):
        mask = np.isin(np.load(data / name)["ids"].astype(str), sorted(wanted - set(found)))
        found |= structures(data / name, lambda numbers, key: True, mask)
    made = []
    for entry in listed:
        crystal = found[entry["id"]].copy()
        crystal.make_supercell(entry["supercell"])
        if entry["kind"] == "strained":
            crystal = strained(crystal, entry["seed"])
        made.append(Hole(entry["id"], entry["kind"], crystal, entry["region"]))
    return made


def candidates(data: Path, rng: np.random.Generator) -> Iterator[tuple[str, Structure]]:
    """Crystals kept apart, shuffled: of the test split and of the hold-out in turn."""
    with gzip.open(data / "mp_table.csv.gz", "rt") as file:
        kept = [row["material_id"] for row in csv.DictReader(file) if row["holdout"] == "True"]
    pools = []
    for name in ("mp20.npz", "mp_structures.npz"):
        arrays = dict(np.load(data / name))
        if name == "mp_structures.npz":  # the hold-out is of crystals near the hull
            mask = np.isin(arrays["ids"].astype(str), kept)
        else:
            mask = (arrays["split"] == "test") & (arrays["e_above_hull"] < _STABLE)
        pools.append((arrays, rng.permutation(np.flatnonzero(mask))))
    for rows in zip(*(order for _, order in pools), strict=False):
        for (arrays, _), row in zip(pools, rows, strict=True):
            (crystal,) = structures_of(arrays, [int(row)])
            yield str(arrays["ids"][row]), crystal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    found: list[dict[str, object]] = []
    formulas: set[str] = set()
    for name, crystal in candidates(args.data, rng):
        kind = KINDS[len(found) % 3]
        axes = supercell(crystal)
        formula = crystal.composition.reduced_formula
        if axes is None or formula in formulas:
            continue
        whole = crystal.copy()
        whole.make_supercell(axes)
        shape = kind if kind != "strained" else KINDS[len(found) // 3 % 2]
        text, seed = hole(whole, shape, rng), int(rng.integers(1000))
        placed = strained(whole, seed) if kind == "strained" else whole
        taken = int(region_of(text, placed).contains(placed.cart_coords).sum())
        if not 4 <= taken <= len(whole) / 2:
            continue
        formulas.add(formula)
        found.append({"id": name, "formula": formula, "kind": kind, "supercell": axes, "region": text, "seed": seed,
                      "atoms": len(whole), "taken": taken})  # fmt: skip
        if len(found) == 3 * _EACH:
            break
    note = "Materials Project ids (CC BY 4.0); made by region_cases.py"
    lines = ",\n  ".join(json.dumps(entry) for entry in found)
    FILE.write_text(f'{{"about": "{note}", "cases": [\n  {lines}\n]}}\n')
    print(len(found), "cases")


if __name__ == "__main__":
    main()
