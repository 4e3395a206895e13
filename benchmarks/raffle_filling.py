"""Atoms for a gap by RAFFLE, run by interfaces.py in an environment that has the packages raffle and ase alone.

    python raffle_filling.py ASKED.json

Prints a list of [symbol, fractional place] as its last line. RAFFLE learns distributions from the crystals that are
handed to it with their energies, and places atoms where they are likely, by the mixture of methods of its tutorials.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.geometry import get_distances
from raffle.generator import raffle_generator

METHODS = {"void": 0.1, "rand": 0.01, "walk": 0.25, "grow": 0.25, "min": 1.0}
GRID = 0.4  # Å; its default of 0.1 takes more than ten minutes for one filling here
ATTEMPTS = 2000


def atoms_of(said: dict[str, Any]) -> Atoms:
    """The atoms of a structure as pymatgen writes it."""
    sites = said["sites"]
    return Atoms(
        [site["species"][0]["element"] for site in sites], scaled_positions=[site["abc"] for site in sites],
        cell=said["lattice"]["matrix"], pbc=True,
    )  # fmt: skip


def main() -> None:
    asked = json.loads(Path(sys.argv[1]).read_text())
    known = []
    for each in asked["known"]:
        atoms = atoms_of(each["structure"])
        atoms.calc = SinglePointCalculator(atoms, energy=each["energy"])
        known.append(atoms)
    host = atoms_of(asked["host"])
    low, high = asked["bounds"]
    generator = raffle_generator()
    generator.set_host(host)
    generator.distributions.set_element_energies(asked["elements"])
    generator.distributions.create(known)
    generator.set_bounds([[0, 0, low], [1, 1, high]])
    generator.set_grid(grid_spacing=GRID)
    generator.set_max_attempts(ATTEMPTS)
    generator.generate(num_structures=1, stoichiometry=asked["guests"], seed=asked["seed"], method_ratio=METHODS)
    (made,) = generator.get_structures()
    _, apart = get_distances(made.positions, host.positions, cell=host.cell, pbc=True)
    new = np.flatnonzero(apart.min(1) > 1e-2)
    symbols = made.get_chemical_symbols()
    assert len(new) == sum(asked["guests"].values()), f"{len(new)} atoms put in"
    print(json.dumps([[symbols[k], made.get_scaled_positions()[k].tolist()] for k in new]))


if __name__ == "__main__":
    main()
