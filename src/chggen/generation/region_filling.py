"""How many formula units of a composition fill a region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.generation.volume import volume_per_atom
from chggen.regions import Region

if TYPE_CHECKING:
    from pymatgen.core import Structure

_POINTS: Final = 8000  # of the cell, by which volumes are measured
_COVERED: Final = 0.6  # radius of what an atom of the host covers, in units of that of a sphere of its own volume


def formula_units_that_fit(host: Structure, region: Region, species: Mapping[str, int]) -> int:
    """Return how many formula units fill a region, at the density expected of their composition.

    Of the region, what lies within the atoms of the host does not count: spheres in proportion to covalent radii, 0.6
    as wide as those that together have the host's expected volume. That number was chosen on 60 holes cut into crystals
    (`benchmarks/region_cases.py`), of which it gives back the number of atoms without bias, half of them to 11 %.

    Args:
        host: The host, without what was taken out.
        region: The region.
        species: Element symbol to number of atoms in a formula unit.

    Returns:
        The nearest whole number, 0 for less than half a unit.

    Raises:
        InputError: The volume model does not know an element.
    """
    from ase.data import covalent_radii

    lattice = host.lattice
    points = np.random.default_rng(0).random((_POINTS, 3))
    inside = points[region.contains(points @ lattice.matrix)]
    share = len(inside) / _POINTS
    if len(host) and len(inside):
        counts = {symbol: round(n) for symbol, n in host.composition.get_el_amt_dict().items()}
        radii = np.array([covalent_radii[site.specie.Z] for site in host])
        volume = volume_per_atom(counts) * len(host)
        radii *= _COVERED * (volume / (4 / 3 * np.pi * (radii**3).sum())) ** (1 / 3)
        free = (lattice.get_all_distances(inside, host.frac_coords) > radii).all(1)
        share *= float(free.mean())
    return round(share * lattice.volume / (volume_per_atom(species) * sum(species.values())))
