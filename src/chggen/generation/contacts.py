"""Cheap checks of generated structures: closest contacts and composition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

NOT_FINITE: Final = "coordinates are not finite"
CLOSEST: Final = 0.5  # of the sum of covalent radii; below, a potential meets what it has never seen


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
