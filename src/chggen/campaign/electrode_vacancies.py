"""Vacancy orderings of an electrode's crystals, the lowest in energy first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from chggen.crystals import from_structures
from chggen.generation import vacancy_orderings
from chggen.potential import Potential, energies_of

if TYPE_CHECKING:
    from pymatgen.core import Structure

_COMPARED: Final = 64  # vacancy orderings whose energies are compared before any is relaxed


def lowest_vacancy_orderings(
    crystal: Structure, n_framework: int, n_ions: int, potential: Potential, seed: int
) -> list[Structure]:
    """Return a crystal with ions taken out, the lowest energies first.

    The energies are those of the orderings as they are, before any relaxation.

    Args:
        crystal: The crystal: the atoms of its framework, and its ions behind them.
        n_framework: Number of atoms of the framework.
        n_ions: Number of ions that stay.
        potential: What compares them.
        seed: Random seed, for crystals with more orderings than are looked at.
    """
    ions = range(n_framework, len(crystal))
    structures = []
    for removed in vacancy_orderings(crystal, ions, len(ions) - n_ions, seed)[:_COMPARED]:
        left = crystal.copy()
        left.remove_sites(removed)
        structures.append(left)
    if len(structures) < 2:
        return structures
    energies = energies_of(potential, from_structures(structures)).energy.nan_to_num(nan=math.inf).tolist()
    return [structures[k] for k in sorted(range(len(structures)), key=lambda k: round(energies[k], 6))]
