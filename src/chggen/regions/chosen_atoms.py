"""Atoms of a structure that are chosen by element, by number or by where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from chggen.errors import InputError
from chggen.regions.specification import atoms_in

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
            raise InputError(f"no atom of {structure.composition.formula} is '{text.strip()}'; expected at least one")
        chosen |= mask
    return chosen
