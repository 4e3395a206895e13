"""Which known phase a relaxed structure is: by its fingerprint and its energy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from chggen.stability.reference_entry import ReferenceEntry

if TYPE_CHECKING:
    from pymatgen.core import Structure

SAME_GROUP_AND_ENERGY: Final = "same group and energy as "
"""What stands before the id of a phase that has no fingerprint to tell whether a structure is this phase."""
_SAME_ENERGY: Final = 0.005  # eV/atom by which energies of the same phase may differ
_STATIC_EXCESS: Final = 0.02  # eV/atom; three in four static entries fall by less when they are relaxed


def known_phase(
    entries: Iterable[ReferenceEntry], energy_per_atom: float, space_group: int | None, structure: Structure | None
) -> str | None:
    """Return which of some reference entries a relaxed structure is.

    The structure is an entry if both have the same fingerprint and their energies agree: within 5 meV/atom for a
    relaxed entry. A static entry may lie up to 25 meV/atom above the structure, since relaxing it would lower its
    energy. The fingerprint of the structure takes some ten milliseconds, so it is made only where an energy agrees.

    Args:
        entries: Reference entries of the structure's composition and level of theory.
        energy_per_atom: Energy of the structure in eV/atom.
        space_group: International number of its space group at symprec 0.1 Å; None when unknown.
        structure: The structure; None when unknown.

    Returns:
        The id of the entry, of several that match the one nearest in energy. Where fingerprints cannot decide, since
        the structure or the entry has none, `same group and energy as ID` for an entry of the same space group. None
        where no entry matches.
    """
    near = sorted(
        (abs(above), entry.id, entry)
        for entry in entries
        if -_SAME_ENERGY < (above := entry.energy_per_atom - energy_per_atom) < _most_above(entry)
    )
    if not near:
        return None
    own = _fingerprint(structure) if any(entry.fingerprint for *_, entry in near) else None
    for *_, entry in near:
        if own is not None and entry.fingerprint == own:
            return entry.id
    for *_, entry in near:
        if (own is None or not entry.fingerprint) and entry.space_group == space_group:
            return f"{SAME_GROUP_AND_ENERGY}{entry.id}"
    return None


def _most_above(entry: ReferenceEntry) -> float:
    """Return by how much the energy of an entry may exceed that of the same structure relaxed, in eV/atom."""
    return _SAME_ENERGY + (0.0 if entry.relaxed else _STATIC_EXCESS)


def _fingerprint(structure: Structure | None) -> str | None:
    """Return the fingerprint of a structure, None where there is none."""
    from chggen.symmetry import structure_fingerprint

    return None if structure is None else structure_fingerprint(structure)
