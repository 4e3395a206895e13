"""Space groups and symmetry operations of structures: the adapter to spglib."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chggen.symmetry.group import Group
from chggen.symmetry.wyckoff import hall_number

if TYPE_CHECKING:
    from pymatgen.core import Structure

TRIVIAL: Final = (1, 2)
"""Numbers of the space groups P1 and P-1, which do not count as symmetric."""
# Pairs of points in general position. The later pairs are for groups with a mirror or axis near a point of the first.
_ANYWHERE: Final = np.array(
    [
        [[0.0713, 0.1519, 0.2237], [0.3391, 0.0877, 0.4613]],
        [[0.0931, 0.1783, 0.2671], [0.3119, 0.0593, 0.4327]],
        [[0.1193, 0.0641, 0.2903], [0.2879, 0.3547, 0.4159]],
    ]
)
_DISTANCES_AT_ONCE: Final = 100_000  # between atoms and images, so that memory stays bounded
# spglib's C code reports every tolerance that fails on stderr, and refinement tries several tolerances on purpose.
os.environ.setdefault("SPGLIB_WARNING", "OFF")
SpglibCell = Any
"""What spglib takes: lattice rows (3, 3) in Å, fractional coordinates (atoms, 3), atomic numbers (atoms,)."""


def space_group(structure: Structure, symprec: float = 0.01, angle_tolerance: float = -1.0) -> int | None:
    """Find the space group of a structure with spglib.

    Args:
        structure: An ordered structure.
        symprec: Distance tolerance, in Å.
        angle_tolerance: Angle tolerance, in degrees. Negative values leave it to spglib, which derives it from symprec.

    Returns:
        The international number, 1 to 230, or None where spglib finds no group, for example because atoms overlap.
    """
    dataset = symmetry_dataset(spglib_cell(structure), symprec, angle_tolerance)
    return None if dataset is None else int(dataset.number)


def above_trivial(number: int | None) -> bool:
    """Return whether a space group is any but P1 and P-1, which is what counts as symmetric.

    Args:
        number: International number, or None where no group was found.

    Returns:
        True for the numbers 3 to 230.
    """
    return number is not None and number not in TRIVIAL


def symbol_of(number: int) -> str:
    """Return the Hermann-Mauguin symbol of a space group.

    Args:
        number: International number, 1 to 230.

    Returns:
        The short symbol, such as `P2_1/c`.
    """
    return _symbols()[number]


@cache
def _symbols() -> dict[int, str]:
    """Return the symbol of each space group by its number, from its first setting in spglib's database."""
    import spglib

    found: dict[int, str] = {}
    with _own_errors():
        for hall in range(1, 531):
            kind: Any = spglib.get_spacegroup_type(hall)
            found.setdefault(int(kind.number), str(kind.international_short))
    return found


def operations_of_setting(hall_number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the operations of a setting of a space group, centring included.

    Args:
        hall_number: Hall number of the setting, 1 to 530.

    Returns:
        Rotations of shape (operations, 3, 3), of integers, and translations of shape (operations, 3).
    """
    import spglib

    known: Any = None
    with _own_errors():
        known = spglib.get_symmetry_from_database(hall_number)
    return known["rotations"], known["translations"]


def spglib_cell(structure: Structure) -> SpglibCell:
    """Convert an ordered structure to the tuple that spglib takes.

    Args:
        structure: An ordered structure.

    Returns:
        Lattice vectors in rows (3, 3) in Å, fractional coordinates (atoms, 3) and atomic numbers (atoms,).
    """
    return structure.lattice.matrix, structure.frac_coords, np.array([site.specie.Z for site in structure])


def symmetry_dataset(cell: SpglibCell, symprec: float, angle_tolerance: float, hall_number: int = 0) -> Any:
    """Return spglib's dataset of a cell.

    Args:
        cell: The cell, from `spglib_cell`.
        symprec: Distance tolerance, in Å.
        angle_tolerance: Angle tolerance, in degrees. Negative values leave it to spglib.
        hall_number: Hall number of the setting to describe it in; 0 leaves it to spglib.

    Returns:
        A SpglibDataset, or None where spglib fails.
    """
    import spglib

    with _own_errors():
        return spglib.get_symmetry_dataset(cell, symprec, angle_tolerance, hall_number)
    return None


@contextmanager
def _own_errors() -> Iterator[None]:
    """Leave the block where spglib raises an error of its own, and let it say nothing.

    Versions differ in whether a failure is None or an error, and warn of the other way on every call. Such a warning
    cannot be written where there is no stderr, and raised an error of its own there.
    """
    import spglib

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Set OLD_ERROR_HANDLING", category=DeprecationWarning)
        try:
            yield
        except getattr(spglib, "SpglibError", ()):
            return


def images(
    moved: np.ndarray, frac: np.ndarray, numbers: np.ndarray, lattice: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find for each moved atom the nearest atom of its species.

    Args:
        moved: Fractional coordinates of the atoms after an operation, of shape (atoms, 3), or after several, of shape
            (operations, atoms, 3).
        frac: Their fractional coordinates before, of shape (atoms, 3).
        numbers: Their atomic numbers, of shape (atoms,).
        lattice: Lattice vectors in rows, of shape (3, 3), in Å.

    Returns:
        The index of the nearest atom, of shape (atoms,) or (operations, atoms), and the fractional vector from that
        atom to the moved one, of the shape of `moved`.
    """
    delta = moved[..., :, None, :] - frac
    delta -= np.round(delta)
    distance = np.linalg.norm(delta @ lattice, axis=-1)
    distance[..., numbers[:, None] != numbers[None, :]] = np.inf
    target = distance.argmin(axis=-1)
    return target, np.take_along_axis(delta, target[..., None, None], axis=-2)[..., 0, :]


def operations(structure: Structure, symprec: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Find the symmetry operations x → R x + t of a structure with spglib.

    Args:
        structure: An ordered structure.
        symprec: Distance tolerance, in Å.

    Returns:
        Rotations R of shape (operations, 3, 3) and translations t of shape (operations, 3), which act on columns of
        fractional coordinates. The identity alone where spglib fails.
    """
    import spglib

    found = None
    with _own_errors():
        found = spglib.get_symmetry(spglib_cell(structure), symprec=symprec)
    if found is None:
        return np.eye(3)[None], np.zeros((1, 3))
    return found["rotations"].astype(float), found["translations"]


def permutations(
    structure: Structure, rotations: np.ndarray, translations: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Find how operations permute the atoms of a structure, and correct the translations to fit the atoms.

    The corrected translation of an operation takes the atoms onto their images on average.

    Args:
        structure: An ordered structure.
        rotations: Rotations in fractional coordinates, of shape (operations, 3, 3).
        translations: Fractional translations, of shape (operations, 3).

    Returns:
        The index of the atom that each operation takes each atom to, of shape (operations, atoms), and the corrected
        translations, of shape (operations, 3). None where an operation does not permute the atoms.
    """
    lattice, frac, numbers = spglib_cell(structure)
    at_once = max(1, _DISTANCES_AT_ONCE // max(1, len(frac)) ** 2)
    permuted, exact = [], []
    for first in range(0, len(rotations), at_once):
        some = slice(first, first + at_once)
        moved = np.einsum("gij,aj->gai", rotations[some], frac) + translations[some, None]
        target, off = images(moved, frac, numbers, lattice)
        if (np.sort(target, axis=1) != np.arange(len(frac))).any():
            return None
        permuted.append(target)
        exact.append(translations[some] - off.mean(axis=1))
    return np.concatenate(permuted), np.concatenate(exact)


def group_of(
    structure: Structure,
    symprec: float = 0.01,
    among: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> Group | None:
    """Return the group of a symmetrised structure in its own cell.

    Its translations are as exact as the positions of the atoms.

    Args:
        structure: An ordered structure that was symmetrised, for example by `refine`.
        symprec: Distance tolerance, in Å.
        among: Tells which operations count, by their rotations, of shape (operations, 3, 3), and translations,
            (operations, 3). What is left need not be a group (`Group.closed`). None for all.

    Returns:
        The group with all centring translations of the cell, or None where an operation does not permute the atoms.
    """
    rotations, translations = operations(structure, symprec)
    if among is not None:
        counting = among(rotations, translations)
        rotations, translations = rotations[counting], translations[counting]
    found = permutations(structure, rotations, translations)
    return None if found is None else Group.of(rotations, found[1])


def standard_setting(group: Group) -> tuple[int, np.ndarray, np.ndarray]:
    """Find the space-group type of a group and the transformation to its standard setting.

    spglib analyses a crystal that has exactly this symmetry: two orbits of atoms in general position, in a cell with
    a general metric that the group allows.

    Args:
        group: The group in any cell.

    Returns:
        The international number, and P of shape (3, 3) and p of shape (3,), such that a point x of this cell has the
        standard coordinates P x + p. The standard setting is that of pyxtal's tables.
    """
    import spglib

    shape = np.array([[1.0, 0.13, 0.07], [0.0, 1.21, 0.17], [0.0, 0.0, 1.43]])
    rotations, shifts = group.rotations, group.translations
    metric = np.mean([r.T @ shape @ shape.T @ r for r in rotations], axis=0)
    lattice = np.linalg.cholesky(metric)
    lattice *= (100.0 * len(group) / abs(np.linalg.det(lattice))) ** (1 / 3)
    for points in _ANYWHERE:
        frac = np.concatenate([rotations @ x + shifts for x in points])
        cell: SpglibCell = (lattice, frac, np.repeat([1, 2], len(group)))
        dataset: Any = symmetry_dataset(cell, 1e-3, -1.0)
        if dataset is not None:
            break  # else one of the points lies on or very near a mirror or an axis
    with _own_errors():
        dataset = spglib.get_symmetry_dataset(cell, symprec=1e-3, hall_number=hall_number(int(dataset.number)))
    return int(dataset.number), np.asarray(dataset.transformation_matrix), np.asarray(dataset.origin_shift)
