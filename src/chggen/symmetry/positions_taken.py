"""Which Wyckoff positions the species of a crystal take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chggen.symmetry.detection import spglib_cell, symmetry_dataset
from chggen.symmetry.wyckoff import hall_number, setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymatgen.core import Structure


@dataclass(frozen=True, kw_only=True)
class TakenPositions:
    """A space group and the Wyckoff positions that species take.

    Attributes:
        number: International number of the space group.
        letters: Element symbol to the letters of its positions, one for each orbit of the primitive cell, sorted.
        primitive: Whether the crystal is given in a primitive cell.
    """

    number: int
    letters: Mapping[str, str]
    primitive: bool

    @property
    def freedom(self) -> int:
        """Number of free coordinates of all orbits together."""
        of = {position.letter: position.freedom for position in setting(self.number).positions}
        return sum(of[letter] for letters in self.letters.values() for letter in letters)


def taken_positions(structure: Structure, symprec: float) -> TakenPositions | None:
    """Return the space group of a crystal and the Wyckoff positions that its species take.

    Letters are those of the setting that `setting` lists the group in.

    Args:
        structure: An ordered structure.
        symprec: Tolerance, Å.

    Returns:
        Group and positions; None where spglib finds no group.
    """
    cell = spglib_cell(structure)
    found = symmetry_dataset(cell, symprec, -1.0)
    if found is not None and found.hall_number != hall_number(found.number):
        found = symmetry_dataset(cell, symprec, -1.0, hall_number(found.number))
    if found is None:
        return None
    letters: dict[str, str] = {}
    for orbit in np.unique(found.crystallographic_orbits):
        symbol = structure[int(orbit)].specie.symbol
        letters[symbol] = "".join(sorted(letters.get(symbol, "") + found.wyckoffs[orbit]))
    primitive = len(np.unique(found.mapping_to_primitive)) == len(structure)
    return TakenPositions(number=int(found.number), letters=letters, primitive=primitive)
