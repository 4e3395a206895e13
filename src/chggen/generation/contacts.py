"""Cheap checks of generated structures: finite coordinates, composition and closest contacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

NOT_FINITE: Final = "coordinates are not finite"
CLOSEST: Final = 0.5  # of the sum of covalent radii; potentials have not been trained on closer contacts
_REACH: Final = 3.0  # Å, within which contacts are looked for


def closest_contact(structure: Structure) -> tuple[float, str]:
    """Return the closest contact of a structure, relative to the covalent radii of its two atoms.

    Contacts of an atom with its own periodic images count as well. Contacts beyond 3 Å are not looked for.

    Args:
        structure: An ordered structure.

    Returns:
        The smallest ratio of distance to sum of covalent radii, and the pair with its distance, such as `Li–O 1.02 Å`.
        Infinity and an empty text where no contact is found.
    """
    from ase.data import covalent_radii

    centers, others, _, distances = structure.get_neighbor_list(_REACH)
    if not len(distances):
        return np.inf, ""
    radii = np.array([covalent_radii[site.specie.Z] for site in structure])
    ratio = distances / (radii[centers] + radii[others])
    k = int(np.argmin(ratio))
    first, second = sorted((int(centers[k]), int(others[k])))
    pair = f"{structure[first].species_string}–{structure[second].species_string}"
    return float(ratio[k]), f"{pair} {distances[k]:.2f} Å"


def reject_reason(structure: Structure, species: Mapping[str, int]) -> str | None:
    """Return why a generated structure is rejected before any energy is computed.

    Args:
        structure: The structure as generated.
        species: Element symbol to count that was asked for.

    Returns:
        The reason: coordinates that are not finite, a wrong composition, or atoms that overlap (closer than half the
        sum of their covalent radii). None if the structure is accepted.
    """
    if not (np.isfinite(structure.frac_coords).all() and np.isfinite(structure.lattice.matrix).all()):
        return NOT_FINITE
    found = {k: int(v) for k, v in structure.composition.get_el_amt_dict().items()}
    if found != dict(species):
        return f"composition {found} is not the {dict(species)} asked for"
    ratio, pair = closest_contact(structure)
    return f"overlap: {pair}" if ratio < CLOSEST else None
