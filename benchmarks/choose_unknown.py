"""Choose crystals whose prototype is in no table, once; the lists are committed as benchmarks/ids/.

    python benchmarks/choose_unknown.py DATA

Crystals of the splits val and test and of the hold-out, in an order drawn once. One counts as unknown where none of the
prototypes that the shipped table has for its numbers of atoms, its elements on the sites in any order and its volume as
it is, fits it (StructureMatcher 0.2, 0.3, 5). U1: 60 of at most 12 atoms in the primitive cell; U2: 60 of 13 to 30;
U3: hosts of unknown crystals in the two splits, 100 out of which a mobile species is taken and 60 out of which half of
the atoms are (unknown-mobile.json and unknown-half.json, in the form of the other rows), where no known prototype that
fits the host fills it as the crystal is (`analogues`, with the same matcher). One crystal a formula.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from choose_hosts import IDS, MOBILE, half
from csp import counts_of
from hosts import Case
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from chggen.generation import Host, PrototypeCell, analogues, count_prototypes

SETS = {"U1": (60, 1, 12), "U2": (60, 13, 30)}  # how many, of how many atoms
HOSTS = {"unknown-mobile": 100, "unknown-half": 60}
MOST = 30  # atoms in the primitive cell
MATCHER = StructureMatcher(ltol=0.2, stol=0.3, angle_tol=5)


def crystals(data: Path) -> Iterator[tuple[str, str, Structure]]:
    """File, id and crystal of what may be tested on, shuffled."""
    with gzip.open(data / "mp_table.csv.gz", "rt") as file:
        held = {row["material_id"] for row in csv.DictReader(file) if row["holdout"] == "True"}
    rows = []
    arrays = {}
    for name in ("mp20", "mp_structures"):
        arrays[name] = dict(np.load(data / f"{name}.npz"))
        ids = arrays[name]["ids"]
        own = np.isin(arrays[name]["split"], ("val", "test")) if name == "mp20" else np.isin(ids, list(held))
        rows += [(name, int(i)) for i in np.flatnonzero(own)]
    for k in np.random.default_rng(36).permutation(len(rows)):
        name, i = rows[k]
        one = arrays[name]
        part = slice(one["offsets"][i], one["offsets"][i + 1])
        if part.stop - part.start <= 4 * MOST:
            lattice = Lattice.from_parameters(*one["cell"][i].astype(float))
            whole = Structure(lattice, one["Z"][part].tolist(), one["frac"][part].astype(float))
            yield name, str(one["ids"][i]), whole


def known(crystal: Structure) -> bool:
    """Whether a prototype of the table is this crystal."""
    counts = counts_of(crystal)
    for rank in range(count_prototypes(counts)):
        host, orbits = PrototypeCell(species=counts, cell_volume=crystal.volume, rank=rank).draw(0)
        symbols = [symbol for symbol, n in host.guests.items() for _ in range(n)]
        if MATCHER.fit(crystal, Structure(host.framework.lattice, symbols, orbits.frac)):
            return True
    return False


def mobile(numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The atoms of a mobile species, one to eight of them."""
    fitting = [z for z in MOBILE if 1 <= (numbers == z).sum() <= 8 and (numbers != z).any()]
    return numbers == rng.choice(fitting) if fitting else np.zeros(len(numbers), dtype=bool)


def filled(case: Case) -> bool:
    """Whether a known prototype that fits the host fills it as the crystal is."""
    host, guests = case.framework, case.counts
    symbols = [site.specie.symbol for site in host] + [symbol for symbol, n in guests.items() for _ in range(n)]
    held = host.frac_coords.reshape(-1, 3)
    fits = (
        Structure(host.lattice, symbols, np.concatenate([held, one.frac_coords]))
        for one in analogues(Host(framework=host, guests=guests))
    )
    return any(MATCHER.fit(case.crystal, structure) for structure in fits)


def main() -> None:
    """Choose them."""
    found: dict[str, list[str]] = {name: [] for name in SETS}
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in HOSTS}
    choosers = dict(zip(HOSTS, (mobile, half), strict=True))
    formulas, tried, rng = set(), 0, np.random.default_rng(36)
    warnings.simplefilter("ignore")
    for name, key, whole in crystals(Path(sys.argv[1])):
        short = [t for t in SETS if len(found[t]) < SETS[t][0]] + [r for r in HOSTS if len(rows[r]) < HOSTS[r]]
        if not short:
            break
        tried += 1
        crystal, formula = whole.get_primitive_structure(), whole.composition.reduced_formula
        n = len(crystal)
        if formula in formulas or n > MOST or known(crystal):
            continue
        formulas.add(formula)
        for title in short:
            if title in SETS and SETS[title][1] <= n <= SETS[title][2]:
                found[title].append(key)
            elif title in HOSTS and name == "mp20":
                taken = choosers[title](np.array(whole.atomic_numbers), rng)
                case = Case(key, whole, tuple(np.flatnonzero(taken).tolist()))
                if 0 < taken.sum() < len(whole) and not filled(case):
                    rows[title].append({"id": key, "guests": list(case.guests)})
        print(tried, len(formulas), *map(len, found.values()), *map(len, rows.values()), flush=True)
    (IDS / "unknown.json").write_text(
        json.dumps({"source": "val, test, hold-out", "seed": 36, **found}, indent=1) + "\n"
    )
    for row, cases in rows.items():
        lines = ",\n".join(map(json.dumps, cases))
        text = f'{{"source": "val and test split", "seed": 36, "cases": [\n{lines}\n]}}\n'
        (IDS / f"{row}.json").write_text(text)
    print(f"{tried} crystals, of which {len(formulas)} formulas are unknown")


if __name__ == "__main__":
    main()
