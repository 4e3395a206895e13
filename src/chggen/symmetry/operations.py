"""Space groups and operations of structures, found by spglib."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chggen.symmetry.group import Group
from chggen.symmetry.wyckoff import hall_number

if TYPE_CHECKING:
    from pymatgen.core import Structure

TRIVIAL: Final = (1, 2)  # P1 and P-1
_ANYWHERE: Final = np.array(  # pairs of points, the next for groups that have a mirror or an axis near one of the first
    [
        [[0.0713, 0.1519, 0.2237], [0.3391, 0.0877, 0.4613]],
        [[0.0931, 0.1783, 0.2671], [0.3119, 0.0593, 0.4327]],
        [[0.1193, 0.0641, 0.2903], [0.2879, 0.3547, 0.4159]],
    ]
)
# spglib's C code reports every failed tolerance on stderr, and trying tolerances is what the ladder is for
os.environ.setdefault("SPGLIB_WARNING", "OFF")
SpglibCell = Any  # as spglib takes it: lattice rows (Å), fractional positions, atomic numbers


def space_group(structure: Structure, symprec: float = 0.01, angle_tolerance: float = -1.0) -> int | None:
    """International number of the space group at symprec (Å); None where spglib finds none."""
    dataset = symmetry_dataset(spglib_cell(structure), symprec, angle_tolerance)
    return None if dataset is None else int(dataset.number)


def above_trivial(number: int | None) -> bool:
    """Whether a space group is above P1 and P-1."""
    return number is not None and number not in TRIVIAL


def spglib_cell(structure: Structure) -> SpglibCell:
    """spglib's own form of a structure."""
    return structure.lattice.matrix, structure.frac_coords, np.array([site.specie.Z for site in structure])


def symmetry_dataset(cell: SpglibCell, symprec: float, angle_tolerance: float) -> Any:
    import spglib

    try:
        return spglib.get_symmetry_dataset(cell, symprec=symprec, angle_tolerance=angle_tolerance)
    except Exception:  # spglib 2.6+ raises its own error classes where older ones return None
        return None


def images(
    moved: np.ndarray, frac: np.ndarray, numbers: np.ndarray, lattice: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each moved atom the nearest atom of its species, and how far off that it is (fractional)."""
    delta = moved[:, None, :] - frac[None, :, :]
    delta -= np.round(delta)
    distance = np.linalg.norm(delta @ lattice, axis=-1)
    distance[numbers[:, None] != numbers[None, :]] = np.inf
    target = distance.argmin(axis=1)
    return target, delta[np.arange(len(frac)), target]


def operations(structure: Structure, symprec: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (ops, 3, 3) and translations (ops, 3) found at symprec (Å), fractional; the identity where none is."""
    import spglib

    try:
        found = spglib.get_symmetry(spglib_cell(structure), symprec=symprec)
    except Exception:  # see symmetry_dataset
        found = None
    if found is None:
        return np.eye(3)[None], np.zeros((1, 3))
    return found["rotations"].astype(float), found["translations"]


def permutations(
    structure: Structure, rotations: np.ndarray, translations: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """images (ops, atoms): the atom that each operation takes an atom to, and exact translations (ops, 3) for it.

    The translations are those that take the atoms onto their images in the mean. None where an operation does not
    permute the atoms.
    """
    lattice, frac, numbers = spglib_cell(structure)
    permuted, exact = [], []
    for rotation, translation in zip(rotations, translations, strict=True):
        target, off = images(frac @ rotation.T + translation, frac, numbers, lattice)
        if len(set(target)) != len(target):
            return None
        permuted.append(target)
        exact.append(translation - off.mean(axis=0))
    return np.array(permuted), np.array(exact)


def group_of(structure: Structure, symprec: float = 0.01) -> Group | None:
    """The group of a symmetrised structure in its own cell, exact as its atoms are; None where none is found."""
    rotations, translations = operations(structure, symprec)
    found = permutations(structure, rotations, translations)
    return None if found is None else Group.of(rotations, found[1])


def standard_setting(group: Group) -> tuple[int, np.ndarray, np.ndarray]:
    """International number of a group, and P, p with standard coordinates P x + p, in the setting of the tables.

    Found by spglib in a crystal that has no other symmetry: two orbits of atoms anywhere in a cell of any metric that
    the group allows.
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
            break  # else one of the points lies on a mirror or an axis, or all but does
    dataset = spglib.get_symmetry_dataset(cell, symprec=1e-3, hall_number=hall_number(int(dataset.number)))
    return int(dataset.number), np.asarray(dataset.transformation_matrix), np.asarray(dataset.origin_shift)
