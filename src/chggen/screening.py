"""Cheap checks of generated structures, and finding the same structure twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

NOT_FINITE: Final = "coordinates are not finite"
CLOSEST: Final = 0.5  # of the sum of covalent radii; below, a potential meets what it has never seen
_ENERGY_WINDOW: Final = 0.02  # eV/atom between structures that are compared as duplicates


def closest_contact(structure: Structure) -> tuple[float, str]:
    """Smallest distance over sum of covalent radii, and the pair it belongs to, self-images included."""
    from ase.data import covalent_radii

    centers, others, _, distances = structure.get_neighbor_list(3.0)
    if not len(distances):
        return np.inf, ""
    radii = np.array([covalent_radii[site.specie.Z] for site in structure])
    ratio = distances / (radii[centers] + radii[others])
    k = int(np.argmin(ratio))
    first, second = sorted((int(centers[k]), int(others[k])))
    pair = f"{structure[first].species_string}–{structure[second].species_string}"
    return float(ratio[k]), f"{pair} {distances[k]:.2f} Å"


def reject_reason(structure: Structure, species: Mapping[str, int]) -> str | None:
    """Why a generated structure must not go on: coordinates not finite, wrong composition, overlap; None: it may."""
    if not (np.isfinite(structure.frac_coords).all() and np.isfinite(structure.lattice.matrix).all()):
        return NOT_FINITE
    found = {k: int(v) for k, v in structure.composition.get_el_amt_dict().items()}
    if found != dict(species):
        return f"composition {found} is not the {dict(species)} asked for"
    ratio, pair = closest_contact(structure)
    return f"overlap: {pair}" if ratio < CLOSEST else None


def duplicate_groups(structures: Sequence[Structure], energies: Sequence[float]) -> list[int]:
    """For each structure the index of the first one equal to it (its own when it is the first).

    Sequence order decides who is first. Compared are structures of one reduced formula within 20 meV/atom. energies:
    eV/atom.
    """
    first: list[int] = []
    for i, structure in enumerate(structures):
        match = i
        for j in sorted(set(first)):
            near = abs(energies[i] - energies[j]) < _ENERGY_WINDOW
            if near and same_structure(structure, structures[j]):
                match = j
                break
        first.append(match)
    return first


def same_structure(one: Structure, other: Structure) -> bool:
    """Whether pymatgen's StructureMatcher takes both for the same, with its default tolerances."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return bool(StructureMatcher().fit(one, other))
