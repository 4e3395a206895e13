"""The conventional cell of a crystal, with its symmetry operations and orbits, for files that state symmetry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from chggen.symmetry.detection import symmetry_dataset

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True, kw_only=True, eq=False)
class Conventional:
    """A crystal in the standard setting of its space group, made exactly symmetric.

    Attributes:
        structure: All atoms of the conventional cell.
        orbits: Number of the orbit that each atom belongs to, [atoms].
        number: International number of the space group.
        symbol: Its Hermann-Mauguin symbol.
        operations: Its operations in this cell, such as `-x, y+1/2, -z`.
    """

    structure: Structure
    orbits: np.ndarray
    number: int
    symbol: str
    operations: tuple[str, ...]


def conventional(structure: Structure, symprec: float) -> Conventional | None:
    """Return the conventional cell of a crystal with the symmetry found at a tolerance.

    Args:
        structure: An ordered structure.
        symprec: Tolerance, Å.

    Returns:
        The cell in the standard setting, or None where spglib finds no space group.
    """
    from pymatgen.core import Structure

    species = [site.specie for site in structure]
    kinds = list(dict.fromkeys(species))
    numbers = np.array([kinds.index(one) + 1 for one in species])
    found = symmetry_dataset((structure.lattice.matrix, structure.frac_coords, numbers), symprec, -1.0)
    if found is None:
        return None
    orbit_of = dict(zip(found.mapping_to_primitive.tolist(), found.crystallographic_orbits.tolist(), strict=True))
    return Conventional(
        structure=Structure(found.std_lattice, [kinds[k - 1] for k in found.std_types], found.std_positions),
        orbits=np.array([orbit_of[k] for k in found.std_mapping_to_primitive.tolist()]),
        number=int(found.number),
        symbol=str(found.international),
        operations=_operations(int(found.hall_number)),
    )


@cache
def _operations(hall_number: int) -> tuple[str, ...]:
    """Return the operations of a setting as CIF files write them."""
    import spglib
    from pymatgen.core.operations import SymmOp

    known: Any = spglib.get_symmetry_from_database(hall_number)
    return tuple(
        SymmOp.from_rotation_and_translation(rotation, shift).as_xyz_str()
        for rotation, shift in zip(known["rotations"], known["translations"], strict=True)
    )
