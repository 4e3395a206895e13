"""Shapes of cells from the composition alone: how often a drawn cell is the crystal's, at its true volume.

    python benchmarks/shapes.py DATA [--crystals 200] [--draws 4] [--split val]

A drawn cell counts when pymatgen maps it on the crystal's primitive one within 10 % of every length and 5°. Sources:
`learned`, the score model's strain score; `bravais`, random Bravais cells (the paper's); `space-group`, cells of space
groups drawn as known crystals of the stoichiometry have them; `prototype`, those of known prototypes, the likeliest
first. Only the last knows where atoms are. Prints a Markdown table; mean over the draws, and any of them.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
from hosts import structures
from pymatgen.core import Lattice

from chggen.errors import InputError
from chggen.generation import BravaisCell, LearnedCell, PrototypeCell, SpaceGroupCell, count_prototypes
from chggen.sampling import ShapeSampler
from chggen.score import load_score_model


def is_the_cell(drawn: Lattice, true: Lattice) -> bool:
    return drawn.find_mapping(true, ltol=0.1, atol=5) is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--crystals", type=int, default=200)
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--split", default="val")
    parser.add_argument("--model", type=Path)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    sampler = ShapeSampler(load_score_model(args.model, "cpu"))
    split = np.load(args.data / "mp20.npz")["split"]
    chosen = np.random.default_rng(1).permutation(np.flatnonzero(split == args.split))[: args.crystals]
    mask = np.isin(np.arange(len(split)), chosen)
    found = structures(args.data / "mp20.npz", lambda numbers, key: True, mask)

    hits = {
        name: np.zeros((len(found), args.draws), dtype=bool)
        for name in ("learned", "bravais", "space-group", "prototype")
    }
    for row, crystal in enumerate(found.values()):
        primitive = crystal.get_primitive_structure()
        species = {s: int(n) for s, n in primitive.composition.get_el_amt_dict().items()}
        for k in range(args.draws):
            starts = {
                "learned": LearnedCell(species, primitive.volume),
                "bravais": BravaisCell(species, primitive.volume),
                "space-group": SpaceGroupCell(species, primitive.volume),
            }
            if k < count_prototypes(species):
                starts["prototype"] = PrototypeCell(species, primitive.volume, k)
            for name, start in starts.items():
                try:
                    host, _ = start.draw(args.draws * row + k, sampler)
                except InputError:  # no group holds the species
                    continue
                hits[name][row, k] = is_the_cell(host.framework.lattice, primitive.lattice)
    print(f"| source | one cell, % | any of {args.draws}, % |\n|---|---|---|")
    for name, hit in hits.items():
        print(f"| `{name}` | {100 * hit.mean():.1f} | {100 * hit.any(axis=1).mean():.1f} |")


if __name__ == "__main__":
    main()
