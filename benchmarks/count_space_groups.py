"""Count space groups and Wyckoff assignments of known crystals: writes src/chggen/data/space_groups.json.gz.

    python benchmarks/count_space_groups.py DATA

DATA holds mp20.npz, mp_structures.npz and mp_table.csv.gz (Materials Project, CC BY 4.0). Only rows that may be trained
on are counted, each once, by its primitive cell at symprec 0.1 Å; P1 and P-1 are left out. About six minutes on a core.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import spglib
from pymatgen.core import Element, Lattice

from chggen.generation.space_group_statistics import TABLE, formula_key, roles
from chggen.symmetry import hall_number

SYMPREC = 0.1  # Å
SHAPES = 40  # cells kept of each space group
SOURCE = "Materials Project structures (CC BY 4.0, Jain et al., APL Materials 1, 011002, 2013), training rows only"


def training_cells(folder: Path):
    """Cells as spglib takes them, of every row that may be trained on, with their energy above hull (eV/atom, or NaN).

    That of the table counts, by the best scheme that it knows, and where it has none that of mp20.npz.
    """
    with gzip.open(folder / "mp_table.csv.gz", "rt") as file:
        rows = [row for row in csv.DictReader(file) if row["may_train"] == "True"]
    above = {row["material_id"]: float(row["ehull_best"] or row["ehull_mp2019"] or "nan") for row in rows}
    seen: set[str] = set()
    for file_name in ("mp20.npz", "mp_structures.npz"):
        data = dict(np.load(folder / file_name))  # read once: the archive unpacks an array at every access
        for i, key in enumerate(data["ids"].tolist()):
            good = data["split"][i] == "train" if file_name == "mp20.npz" else key in above
            if good and key not in seen:
                seen.add(key)
                part = slice(data["offsets"][i], data["offsets"][i + 1])
                lattice = Lattice.from_parameters(*data["cell"][i]).matrix
                above_hull = above.get(key, np.nan)
                if np.isnan(above_hull) and "e_above_hull" in data:
                    above_hull = float(data["e_above_hull"][i])
                yield (lattice, data["frac"][part].astype(float), data["Z"][part]), above_hull


def sites(cell):
    """Data set of spglib, species of the primitive cell, and the letters of each; None where spglib finds no group."""
    dataset = spglib.get_symmetry_dataset(cell, symprec=SYMPREC)
    if dataset is None:
        return None
    if dataset.hall_number != hall_number(dataset.number):
        dataset = spglib.get_symmetry_dataset(cell, symprec=SYMPREC, hall_number=hall_number(dataset.number))
    first = np.unique(dataset.mapping_to_primitive, return_index=True)[1]
    species = Counter(Element.from_Z(int(z)).symbol for z in cell[2][first])
    orbits = {int(o): (Element.from_Z(int(z)).symbol, w) for o, z, w in
              zip(dataset.crystallographic_orbits, cell[2], dataset.wyckoffs, strict=True)}  # fmt: skip
    return dataset, species, {one: "".join(sorted(w for s, w in orbits.values() if s == one)) for one in species}


def described(cell):
    """Space group, key, letters by role, and the shape of the standard cell; None where there is no symmetry."""
    found = sites(cell)
    if found is None or found[0].number <= 2:
        return None
    dataset, species, of = found
    letters = ".".join(of[role] for role in roles(species))
    p = Lattice(dataset.std_lattice).parameters
    shape = [round(p[1] / p[0], 3), round(p[2] / p[0], 3), *(round(angle, 1) for angle in p[3:])]
    return int(dataset.number), formula_key(species), letters, shape


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    args = parser.parse_args()
    counts: dict[str, Counter] = defaultdict(Counter)
    shapes: dict[int, list] = defaultdict(list)
    total = 0
    for cell, _ in training_cells(args.data):
        try:
            found = described(cell)
        except Exception as error:  # spglib's own errors for cells it cannot read
            print(f"left out: {error}")
            continue
        if found is None:
            continue
        number, key, letters, shape = found
        counts[key][number, letters] += 1
        shapes[number].append(shape)
        total += 1
    rng = np.random.default_rng(0)
    kept = {n: [every[k] for k in sorted(rng.permutation(len(every))[:SHAPES])] for n, every in sorted(shapes.items())}
    table = {
        "format": 1,
        "source": SOURCE,
        "crystals": total,
        "assignments": {
            key: [[n, letters, count] for (n, letters), count in sorted(found.items(), key=lambda x: (-x[1], x[0]))]
            for key, found in sorted(counts.items())
        },
        "shapes": kept,
    }
    text = json.dumps(table, separators=(",", ":")).encode()
    TABLE.write_bytes(gzip.compress(text, mtime=0))
    print(f"{total} crystals, {len(counts)} stoichiometries and sizes, {TABLE.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
