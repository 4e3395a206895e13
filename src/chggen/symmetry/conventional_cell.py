"""The conventional cell of a crystal, with its symmetry operations and orbits, for files that state symmetry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from chggen.symmetry.detection import operations_of_setting, spglib_cell, symmetry_dataset

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True, kw_only=True, eq=False)
class Conventional:
    """A crystal in the standard setting of its space group, made exactly symmetric.

    Attributes:
        structure: All atoms of the conventional cell, as elements.
        orbits: Number of the orbit that each atom belongs to, [atoms].
        members: Number of each orbit to the atoms of the given structure that belong to it.
        number: International number of the space group.
        symbol: Its Hermann-Mauguin symbol.
        operations: Its operations in this cell, such as `-x, y+1/2, -z`.
    """

    structure: Structure
    orbits: np.ndarray
    members: Mapping[int, tuple[int, ...]]
    number: int
    symbol: str
    operations: tuple[str, ...]


def conventional(structure: Structure, symprec: float) -> Conventional | None:
    """Return the conventional cell of a crystal with the symmetry found at a tolerance.

    The symmetry is that of the elements, as `space_group` finds it: oxidation states, spins and labels do not count.

    Args:
        structure: An ordered structure.
        symprec: Tolerance, Å.

    Returns:
        The cell in the standard setting, or None where spglib finds no space group.
    """
    from pymatgen.core import Element, Structure

    found = symmetry_dataset(spglib_cell(structure), symprec, -1.0)
    if found is None:
        return None
    orbits = found.crystallographic_orbits.tolist()
    orbit_of = dict(zip(found.mapping_to_primitive.tolist(), orbits, strict=True))
    members: dict[int, tuple[int, ...]] = {}
    for atom, orbit in enumerate(orbits):
        members[orbit] = (*members.get(orbit, ()), atom)
    elements = [Element.from_Z(int(z)) for z in found.std_types]
    return Conventional(
        structure=Structure(found.std_lattice, elements, found.std_positions),
        orbits=np.array([orbit_of[k] for k in found.std_mapping_to_primitive.tolist()]),
        members=members,
        number=int(found.number),
        symbol=str(found.international),
        operations=_operations(int(found.hall_number)),
    )


@cache
def _operations(hall_number: int) -> tuple[str, ...]:
    """Return the operations of a setting as CIF files write them."""
    from pymatgen.core.operations import SymmOp

    return tuple(
        SymmOp.from_rotation_and_translation(rotation, shift).as_xyz_str()
        for rotation, shift in zip(*operations_of_setting(hall_number), strict=True)
    )
