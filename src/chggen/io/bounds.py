"""Bounds of what counts as a crystal: checked where structures come in, before anything is computed with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float

from chggen.errors import InputError, counted
from chggen.io.crystal_limits import DENSEST, FARTHEST, LONGEST, MAX_ATOMS

if TYPE_CHECKING:
    from pymatgen.core import Structure

_THINNEST: Final = 0.5  # Å; the least distance of opposite faces of the cell, so that it has few neighbours in reach


def check_structure(structure: Structure, where: str) -> None:
    """Check that a structure is a crystal that chggen can work with.

    Args:
        structure: The structure. Partially occupied sites are allowed here.
        where: What the structure is called in error messages, such as its file.

    Raises:
        InputError: The structure has no atoms or more than `MAX_ATOMS`, an unknown element, a cell or positions out of
            bounds (`check_cell`, `check_positions`), or a cell of less than 1 Å³ for each atom.
    """
    from pymatgen.core import Element

    check_count(len(structure), where)
    unknown = sorted({str(s) for s in structure.composition if not Element.is_valid_symbol(s.symbol)})
    if unknown:
        raise InputError(f"{where} has the unknown element {unknown[0]}; expected chemical symbols such as Li")
    check_positions(structure.frac_coords, where)
    check_cell(structure.lattice.matrix, len(structure), where)


def check_count(n_atoms: int, where: str) -> None:
    """Check a number of atoms, which may be one that a file only claims.

    Args:
        n_atoms: Number of atoms.
        where: What the structure is called in error messages.

    Raises:
        InputError: There are none, or more than `MAX_ATOMS`.
    """
    if not 1 <= n_atoms <= MAX_ATOMS:
        raise InputError(f"{where} has {n_atoms} atoms; expected 1 to {MAX_ATOMS}")


def check_positions(frac_coords: Float[np.ndarray, "atoms 3"], where: str) -> None:
    """Check fractional coordinates.

    Args:
        frac_coords: Fractional coordinates, of shape (atoms, 3).
        where: What the structure is called in error messages.

    Raises:
        InputError: One is not finite, or lies more than 10,000 cells away.
    """
    if not np.isfinite(frac_coords).all():
        raise InputError(f"{where} has positions that are not finite; expected numbers")
    far = np.abs(frac_coords).max(initial=0.0)
    if far > FARTHEST:
        raise InputError(f"{where} has an atom {far:.3g} cells away; expected at most {FARTHEST:g}, so wrap it back")


def check_cell(lattice: Float[np.ndarray, "3 3"], n_atoms: int, where: str) -> None:
    """Check a lattice.

    Args:
        lattice: Lattice vectors in rows, of shape (3, 3), in Å.
        n_atoms: Number of atoms in it.
        where: What the structure is called in error messages.

    Raises:
        InputError: It is not finite, a vector is longer than 1,000 Å, the cell has less than 1 Å³ for each atom, or
            opposite faces are less than 0.5 Å apart.
    """
    if not np.isfinite(lattice).all():
        raise InputError(f"{where} has a cell that is not finite; expected numbers")
    longest = float(np.abs(lattice).max())
    longest = longest if longest > LONGEST else float(np.linalg.norm(lattice, axis=1).max())
    if longest > LONGEST:
        raise InputError(f"{where} has a lattice vector of {longest:.3g} Å; expected at most {LONGEST:g} Å")
    volume = abs(float(np.linalg.det(lattice)))
    if volume < DENSEST * n_atoms:
        raise InputError(
            f"{where} has a cell of volume {volume:.3g} Å³ for {counted(n_atoms, 'atom')}; expected a periodic "
            "crystal, lengths in Å"
        )
    thinnest = 1 / float(np.linalg.norm(np.linalg.inv(lattice), axis=0).max())
    if thinnest < _THINNEST:
        raise InputError(
            f"{where} has a cell whose faces lie {thinnest:.2g} Å apart; expected at least {_THINNEST:g} Å, so choose "
            "a less skewed cell"
        )


def check_cell_parameters(lengths: list[float], angles: list[float], where: str) -> None:
    """Check cell parameters before a lattice is made of them.

    Args:
        lengths: a, b and c in Å.
        angles: α, β and γ in degrees.
        where: What the structure is called in error messages.

    Raises:
        InputError: A length is not above 0 or above 1,000 Å, or the angles are those of no cell.
    """
    if not all(0 < length <= LONGEST for length in lengths):
        raise InputError(f"{where} has cell lengths {_listed(lengths)} Å; expected above 0 and at most {LONGEST:g} Å")
    a, b, c = angles
    if not all(0 < angle < 180 for angle in angles) or not (a + b + c < 360 and a < b + c and b < a + c and c < a + b):
        raise InputError(f"{where} has cell angles {_listed(angles)}; expected angles in degrees that form a cell")


def _listed(numbers: list[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
