"""Which atoms of a structure are held in place: selective dynamics, move masks and constraints, all in one form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from chggen.errors import counted
from chggen.io.plain_structures import HELD

if TYPE_CHECKING:
    from pymatgen.core import Structure


def held_atoms(structure: Structure) -> Bool[np.ndarray, "atoms"] | None:
    """Return which atoms of a structure are held.

    An atom that may move in some directions only counts as held, since chggen holds an atom in all or in none.

    Args:
        structure: A structure as `as_structure` and `named_structures` return it.

    Returns:
        A mask of shape (atoms,), True where an atom is held; None where no atom is.
    """
    free = _free(structure)
    if free is None or free.all():
        return None
    return np.asarray(~free.all(axis=1))


def with_held_atoms(structure: Structure, held: Bool[np.ndarray, "first"]) -> Structure:
    """Return a structure whose first atoms are marked as held or free; all others are free.

    Args:
        structure: The structure. It is not changed.
        held: Which of the first atoms are held, of shape (first,).
    """
    free = np.ones((len(structure), 3), dtype=bool)
    free[: len(held)] = ~held[:, None]
    marked = structure.copy()
    marked.add_site_property(HELD, free.tolist())
    return marked


def without_held_atoms(structure: Structure) -> tuple[Structure, list[str]]:
    """Return a structure without its marks of held atoms, for what moves all atoms or none.

    Args:
        structure: The structure. It is not changed.

    Returns:
        The structure, itself if it holds no atom, and a note if it does.
    """
    if HELD not in structure.site_properties:
        return structure, []
    mask = held_atoms(structure)
    freed = structure.copy()
    freed.remove_site_property(HELD)
    if mask is None:
        return freed, []
    return freed, [f"holds {counted(int(mask.sum()), 'atom')} in place, which only relax heeds; ignored here"]


def notes_on_held_atoms(structure: Structure) -> list[str]:
    """Return notes on how `relax` takes the marks of held atoms.

    Args:
        structure: A structure that is to be relaxed.

    Returns:
        One note where atoms are held, and one more where some may move in some directions only.
    """
    mask, free = held_atoms(structure), _free(structure)
    if mask is None or free is None:
        return []
    notes = [f"{mask.sum()} of {len(structure)} atoms are held at their fractional coordinates"]
    partly = int((mask & free.any(axis=1)).sum())
    return [*notes, f"{counted(partly, 'atom')} may move in some directions only, held in all"] if partly else notes


def _free(structure: Structure) -> Bool[np.ndarray, "atoms 3"] | None:
    """Return which coordinates may move, of shape (atoms, 3); None where nothing is said that can be understood."""
    given = structure.site_properties.get(HELD)
    if given is None:
        return None
    rows = [[True] * 3 if row is None else row for row in given]
    return np.asarray([[bool(flag) for flag in row] for row in rows]).reshape(len(structure), 3)
