"""Atoms of a structure that are chosen by element, by number or by where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from chggen.errors import InputError
from chggen.io import held_atoms, with_held_atoms
from chggen.regions.specification import AXES, atoms_in

if TYPE_CHECKING:
    from pymatgen.core import Structure


def atoms_of(texts: str | Sequence[str], structure: Structure) -> Bool[np.ndarray, "atoms"]:
    """Return which atoms of a structure are chosen.

    Args:
        texts: What chooses them, such as `Li`, `0,4-7`, `z 0 6`, `sphere 0.5 0.5 0.5 4`, or several joined by `and`,
            `or`, `not`. Of several texts, what any of them chooses.
        structure: The structure.

    Returns:
        A mask of shape (atoms,).

    Raises:
        InputError: A text chooses no atom.
    """
    chosen = np.zeros(len(structure), dtype=bool)
    for text in (texts,) if isinstance(texts, str) else texts:
        mask = atoms_in(text, structure)
        if not mask.any():
            formula = structure.composition.formula
            raise InputError(f"'{text.strip()}' chooses no atom of {formula}{_where(text, structure)}; expected some")
        chosen |= mask
    return chosen


def _where(text: str, structure: Structure) -> str:
    """Return where the atoms of a structure lie along the axis that a text names first, where it names one."""
    axis = text.split()[0] if text.split() else ""
    if axis not in AXES:
        return ""
    k = AXES[axis]
    heights = structure.frac_coords[:, k] % 1.0 * structure.lattice.d_hkl(tuple(np.eye(3, dtype=int)[k]))
    return f", whose atoms lie at {axis} {heights.min():.1f} to {heights.max():.1f} Å"


def holding(texts: str | Sequence[str], structure: Structure) -> Structure:
    """Return a structure in which chosen atoms are marked as held, beside those that it marks itself.

    Args:
        texts: What chooses them, as for `atoms_of`. None at all leaves the structure as it is.
        structure: The structure. It is not changed.

    Raises:
        InputError: A text chooses no atom.
    """
    if not texts:
        return structure
    marked = held_atoms(structure)
    chosen = atoms_of(texts, structure)
    return with_held_atoms(structure, chosen if marked is None else chosen | marked)
