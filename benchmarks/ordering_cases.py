"""Averaged crystals: ordered ones whose two species a parent of higher symmetry would let share their sites.

    python benchmarks/ordering_cases.py DATA

Writes benchmarks/ids/orderings.json. Crystals are rows of the test split and of the hold-out with 10 to 60 atoms, none
of which the score model was trained on. Two of their species are taken for one; where the crystal then has at least
twice as many symmetry operations, within 0.2 Å, it is made exactly symmetric, and the sites of each orbit hold the two
species by their shares in it. One pair of species a crystal: that whose parent has most operations. No two crystals of
a reduced formula.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from hosts import IDS, structures
from pymatgen.core import Element, Structure

from chggen.symmetry import SymmetryConstraint, refine

SIZES = (10, 60)
SYMPREC = 0.2  # Å
_MOST = 280  # crystals
_ALIKE = 1.0  # largest difference of electronegativity between species that share sites


@dataclass(frozen=True)
class Averaged:
    """An ordered crystal and what is left of it when two of its species share their sites."""

    id: str
    crystal: Structure
    average: Structure
    pair: tuple[str, str]


def averaged(crystal: Structure, pair: tuple[str, str]) -> Structure | None:
    """The crystal with two species sharing the sites of a parent of higher symmetry; None where there is none."""
    own = SymmetryConstraint.of(crystal, 0.05)
    merged = crystal.copy()
    merged.replace_species({pair[1]: pair[0]})
    parent = refine(merged, SYMPREC)
    if own is None or parent is None:
        return None
    symmetric = SymmetryConstraint.of(parent.structure, 0.01)
    if symmetric is None or len(symmetric.images) < 2 * len(own.images):
        return None
    orbit = symmetric.images.min(dim=0).values.numpy()
    species = []
    shared = False
    for k, site in enumerate(crystal):
        if site.specie.symbol not in pair:
            species.append({site.specie.symbol: 1.0})
            continue
        mates = [crystal[j].specie.symbol for j in np.flatnonzero(orbit == orbit[k])]
        shares = {s: mates.count(s) / len(mates) for s in pair if s in mates}
        shared |= len(shares) > 1
        species.append(shares)
    if not shared:
        return None
    return Structure(parent.structure.lattice, species, parent.structure.frac_coords)


def best_pair(crystal: Structure) -> tuple[str, str] | None:
    """The two species whose parent has most operations; None where no parent has twice those of the crystal."""
    symbols = sorted(crystal.composition.get_el_amt_dict())
    found = []
    for pair in combinations(symbols, 2):
        apart = abs(Element(pair[0]).X - Element(pair[1]).X)
        if not apart <= _ALIKE:
            continue
        average = averaged(crystal, pair)
        if average is not None:
            marks = Structure(
                average.lattice,
                [Element.from_Z(1 + hash_of(site.species.get_el_amt_dict())) for site in average],
                average.frac_coords,
            )
            symmetric = SymmetryConstraint.of(marks, 0.01)
            found.append((-len(symmetric.images) if symmetric else 0, pair))
    return min(found)[1] if found else None


def hash_of(held: dict[str, float]) -> int:
    """A number below 90 for what a site holds."""
    return sum(Element(s).Z * (k + 1) for k, s in enumerate(sorted(held))) % 90


def cases(data: Path, most: int | None = None) -> list[Averaged]:
    """The committed cases."""
    listed = json.loads((IDS / "orderings.json").read_text())["cases"][:most]
    wanted = {entry["id"] for entry in listed}
    found = _by_id(data, wanted)
    made = []
    for entry in listed:
        pair = (entry["pair"][0], entry["pair"][1])
        average = averaged(found[entry["id"]], pair)
        if average is not None:
            made.append(Averaged(entry["id"], found[entry["id"]], average, pair))
    return made


def _by_id(data: Path, wanted: set[str]) -> dict[str, Structure]:
    found: dict[str, Structure] = {}
    for name in ("mp20.npz", "mp_structures.npz"):
        arrays = np.load(data / name)
        mask = np.isin(arrays["ids"].astype(str), sorted(wanted - set(found)))
        found |= structures(data / name, lambda numbers, key: True, mask)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    with gzip.open(data / "mp_table.csv.gz", "rt") as file:
        kept = {r["material_id"] for r in csv.DictReader(file) if r["holdout"] == "True"}
    chosen, formulas = [], set()
    for name in ("mp_structures.npz", "mp20.npz"):
        arrays = dict(np.load(data / name))
        ids = arrays["ids"].astype(str)
        mask = np.isin(ids, sorted(kept)) if name == "mp_structures.npz" else arrays["split"] == "test"
        mask &= (np.diff(arrays["offsets"]) >= SIZES[0]) & (np.diff(arrays["offsets"]) <= SIZES[1])
        numbers = np.random.default_rng(0).permutation(np.flatnonzero(mask))
        taken = 0
        for i in numbers:
            one = np.zeros(len(ids), dtype=bool)
            one[i] = True
            if taken == _MOST // 2:
                break
            part = slice(arrays["offsets"][i], arrays["offsets"][i + 1])
            if len(set(arrays["Z"][part].tolist())) < 2:
                continue
            (crystal,) = structures_of(arrays, [int(i)])
            formula = crystal.composition.reduced_formula
            if formula in formulas:
                continue
            pair = best_pair(crystal)
            if pair is not None:
                formulas.add(formula)
                chosen.append({"id": str(ids[i]), "pair": list(pair), "formula": formula, "atoms": len(crystal)})
                taken += 1
    order = np.random.default_rng(1).permutation(len(chosen))
    entries = [chosen[k] for k in order]
    (IDS / "orderings.json").write_text(json.dumps({"cases": entries}, indent=0) + "\n")
    print(len(entries), "crystals")


def structures_of(arrays: dict[str, np.ndarray], rows: list[int]) -> list[Structure]:
    """Structures of rows of an npz of the development data."""
    from pymatgen.core import Lattice

    found = []
    for i in rows:
        part = slice(arrays["offsets"][i], arrays["offsets"][i + 1])
        lattice = Lattice.from_parameters(*arrays["cell"][i].astype(float))
        found.append(
            Structure(lattice, [Element.from_Z(int(z)) for z in arrays["Z"][part]], arrays["frac"][part].astype(float))
        )
    return found


if __name__ == "__main__":
    main()
