"""Grain boundaries of three oxides, of whose layers the atoms are to be put back.

Crystals are made from space group and lattice constant and relaxed by CHGNet; pymatgen's generator builds two grains of
them, which a periodic cell joins at two boundaries. No data files are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from pymatgen.core import Lattice, Structure
from pymatgen.core.interface import GrainBoundaryGenerator

LAYER: Final = 3.5  # Å around each boundary that is taken out
_ALIKE: Final = 1e-3  # fractional; rounding
_CRYSTALS: Final = {
    "MgO": ("Fm-3m", 4.21, {"Mg": (0, 0, 0), "O": (0.5, 0.5, 0.5)}),
    "SrTiO3": ("Pm-3m", 3.905, {"Sr": (0, 0, 0), "Ti": (0.5, 0.5, 0.5), "O": (0.5, 0.5, 0)}),
    "CeO2": ("Fm-3m", 5.41, {"Ce": (0, 0, 0), "O": (0.25, 0.25, 0.25)}),
}
_ROTATIONS: Final = {"Σ5": ((0, 0, 1), 36.86989765), "Σ3": ((1, 1, 1), 60.0)}  # axis and angle, degrees


@dataclass(frozen=True)
class Boundary:
    """A grain boundary.

    Attributes:
        crystal: Formula of the crystal.
        sigma: Coincidence of the grains, `Σ3` or `Σ5`.
        plane: Miller indices of the boundary.
        repeats: Periods of the crystal in each grain, along the normal.
    """

    crystal: str
    sigma: str
    plane: tuple[int, int, int]
    repeats: int = 1

    @property
    def id(self) -> str:
        """Crystal, coincidence and plane, such as `MgO Σ5 (3 1 0)`."""
        return f"{self.crystal} {self.sigma} ({' '.join(map(str, self.plane))})"


CASES: Final = (
    Boundary("SrTiO3", "Σ3", (1, 1, -2)),
    Boundary("CeO2", "Σ3", (1, 1, 1)),
    Boundary("MgO", "Σ5", (3, 1, 0)),
    Boundary("SrTiO3", "Σ5", (3, 1, 0)),
    Boundary("MgO", "Σ3", (1, 1, -2)),
    Boundary("CeO2", "Σ5", (3, 1, 0)),
)


def crystal_of(formula: str) -> Structure:
    """Return a crystal in its conventional cell, unrelaxed."""
    group, length, sites = _CRYSTALS[formula]
    return Structure.from_spacegroup(group, Lattice.cubic(length), list(sites), list(map(list, sites.values())))


def built(boundary: Boundary, crystal: Structure) -> tuple[Structure, str]:
    """Return the cell with two boundaries, in planes of constant z, and the region around both.

    Args:
        boundary: The boundary.
        crystal: The relaxed crystal in its conventional cell.
    """
    axis, angle = _ROTATIONS[boundary.sigma]
    cell = GrainBoundaryGenerator(crystal).gb_from_parameters(
        list(axis), angle, plane=list(boundary.plane), expand_times=boundary.repeats, normal=True, rm_ratio=0.0
    )
    made = _smallest(Structure(cell.lattice, cell.species, cell.frac_coords))
    height = made.lattice.c
    heights = np.sort(made.frac_coords[:, 2] % 1.0)
    first = heights[0] + 1 - heights[-1]  # between the last layer of one grain and the first of the other
    made.translate_sites(range(len(made)), [0, 0, 0.25 + first / 2 - heights[0]])
    low, high = height / 4 - LAYER / 2, height / 4 + LAYER / 2
    return made, f"z {low:.3f} {high:.3f} or z {low + height / 2:.3f} {high + height / 2:.3f}"


def _smallest(cell: Structure) -> Structure:
    """Return the cell with its second axis halved where the crystal repeats so and stays 5 Å wide, as it is else."""
    frac, numbers = cell.frac_coords, np.array([site.specie.Z for site in cell])
    off = (frac + np.array([0, 0.5, 0]))[:, None] - frac
    off -= np.round(off)
    same = (np.abs(off).max(-1) < _ALIKE) & (numbers[:, None] == numbers)
    if cell.lattice.b < 10 or not same.any(1).all():
        return cell
    along = (frac[:, 1] + _ALIKE) % 1.0
    kept = np.flatnonzero(along < 0.5)
    a, b, c = cell.lattice.matrix
    return Structure([a, b / 2, c], [cell[int(k)].specie for k in kept], frac[kept] * [1, 2, 1])
