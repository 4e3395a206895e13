"""The vacuum of a slab: an empty layer of the cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.io import VACUUM
from chggen.regions.shapes import Slab

if TYPE_CHECKING:
    from pymatgen.core import Lattice, Structure

_REACH: Final = 3.0  # Å from the outermost atoms, where adsorbed ones sit
_PLANES: Final = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


@dataclass(frozen=True)
class VacuumGap:
    """The widest empty layer of a cell.

    Attributes:
        axis: Number of the axis whose normal crosses it, 0 to 2.
        low: Height of the outermost atoms below it, Å along the normal of the other two axes.
        high: Height of the outermost atoms above it, Å; beyond the height of the cell where the layer crosses its face.
    """

    axis: int
    low: float
    high: float

    @property
    def thickness(self) -> float:
        """Distance between the outermost planes of atoms, Å."""
        return self.high - self.low

    def region(self, lattice: Lattice) -> Slab:
        """Return the layer, 3 Å and more from the atoms.

        Args:
            lattice: The cell.
        """
        period = float(lattice.d_hkl(_PLANES[self.axis]))
        shift = -period if self.low + _REACH >= period else 0.0
        return Slab(lattice, _PLANES[self.axis], self.low + _REACH + shift, self.high - _REACH + shift)


def no_bulk(structure: Structure) -> str | None:
    """Return why a structure has no place among bulk phases: it is a slab; None where it may have one.

    Args:
        structure: The structure.
    """
    gap = vacuum_gap(structure)
    if gap is None:
        return None
    return f"a slab with {gap.thickness:.0f} Å of vacuum is no bulk phase"


def vacuum_gap(structure: Structure) -> VacuumGap | None:
    """Return the widest empty layer along an axis of a structure; None where none is at least 8 Å thick.

    Args:
        structure: The structure.
    """
    widest = None
    for axis, plane in enumerate(_PLANES):
        if not len(structure):
            return None
        period = float(structure.lattice.d_hkl(plane))
        heights = np.sort(structure.frac_coords[:, axis] % 1.0) * period
        gaps = np.append(heights[1:], heights[0] + period) - heights
        k = int(gaps.argmax())
        if gaps[k] >= VACUUM and (widest is None or gaps[k] > widest.thickness):
            widest = VacuumGap(axis, float(heights[k]), float(heights[k] + gaps[k]))
    return widest
