"""Refinement: making structures exactly symmetric, at one tolerance or at the first of several that succeeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chggen.symmetry.detection import (
    SpglibCell,
    above_trivial,
    images,
    operations_of_setting,
    space_group,
    spglib_cell,
    symmetry_dataset,
)

if TYPE_CHECKING:
    from pymatgen.core import Structure

PAPER_LADDER: Final = ((0.1, 10.0), (0.2, 15.0), (0.5, 15.0), (0.8, 15.0), (1.0, 20.0), (1.5, 30.0), (2.0, 30.0))
"""Tolerances (symprec in Å, angle tolerance in degrees) at which the paper (P. Zhong et al., Mater. Horiz. 12, 9669
(2025)) symmetrises frameworks, in the order they are tried."""


@dataclass(frozen=True, kw_only=True)
class Refined:
    """A symmetrised structure and how far its atoms had to move.

    Displacements are measured in the new lattice, with the mean shift of all atoms removed.

    Attributes:
        structure: The symmetrised structure. It has the same choice of cell and the same order of atoms as the given
            one.
        symprec: Tolerance at which its group was found, in Å.
        space_group: International number of the result, found again at 0.01 Å.
        rms: Root mean square displacement of the atoms, in Å.
        largest: Largest displacement of an atom, in Å.
    """

    structure: Structure
    symprec: float
    space_group: int
    rms: float
    largest: float


def refine(structure: Structure, symprec: float = 0.1, angle_tolerance: float = -1.0) -> Refined | None:
    """Make a structure exactly symmetric under the space group found at a tolerance.

    The exact operations of the group's standard setting are transformed into the primitive cell. The metric of the
    lattice is averaged over their rotations, every position over its orbit. The result is expanded to the cell of the
    given structure.

    Args:
        structure: An ordered structure.
        symprec: Distance tolerance, in Å.
        angle_tolerance: Angle tolerance, in degrees. Negative values leave it to spglib, which derives it from symprec.

    Returns:
        The symmetrised structure, or None where spglib finds no group or where the exact operations do not permute the
        atoms. The latter happens at loose tolerances.
    """
    symmetric = _symmetric(spglib_cell(structure), symprec, angle_tolerance)
    if symmetric is None:
        return None
    lattice, frac = symmetric
    shift = frac - structure.frac_coords
    shift -= np.round(shift)
    shift -= shift.mean(axis=0)  # spglib's origin is only accurate to symprec, and any origin serves the group
    result = structure.copy()
    result.lattice = type(structure.lattice)(lattice)
    for i, (site, moved) in enumerate(zip(structure, shift, strict=True)):
        result[i] = (site.species, site.frac_coords + moved)
    found = space_group(result, 0.01)
    if found is None:
        return None
    length = np.linalg.norm(shift @ lattice, axis=1)
    return Refined(
        structure=result,
        symprec=symprec,
        space_group=found,
        rms=float(np.sqrt((length**2).mean())),
        largest=float(length.max()),
    )


def symmetrised_framework(
    structure: Structure, ladder: tuple[tuple[float, float], ...] = PAPER_LADDER
) -> Refined | None:
    """Symmetrise a framework at the first tolerance that gives a space group above P1 and P-1.

    Args:
        structure: The framework, which is the structure without its guests.
        ladder: Pairs of symprec in Å and angle tolerance in degrees, in the order to try them.

    Returns:
        The symmetrised framework, or None where no tolerance gives such a group.
    """
    for symprec, angle in ladder:
        refined = refine(structure, symprec, angle)
        if refined is not None and above_trivial(refined.space_group):
            return refined
    return None


def _symmetric(cell: SpglibCell, symprec: float, angle_tolerance: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Return lattice (3, 3) in Å and fractional positions (atoms, 3) made exactly symmetric, or None on failure."""
    dataset = symmetry_dataset(cell, symprec, angle_tolerance)
    if dataset is None:
        return None
    _, frac, numbers = cell
    owner = np.asarray(dataset.mapping_to_primitive)
    if owner.max() + 1 < len(numbers):
        return _symmetric_in_primitive(cell, dataset, symprec, angle_tolerance)
    rotations, translations = _operations(dataset)
    lattice = _symmetric_lattice(cell[0], rotations)
    positions = _symmetric_positions(frac, numbers, rotations, translations, lattice)
    return None if positions is None else (lattice, positions)


def _symmetric_in_primitive(
    cell: SpglibCell, dataset: Any, symprec: float, angle_tolerance: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the same for a cell that is not primitive, by symmetrising its primitive cell.

    The shape of a supercell can break rotations that the crystal has.
    """
    lattice, frac, numbers = cell
    owner = np.asarray(dataset.mapping_to_primitive)  # atom → its atom of the primitive cell
    multiple = np.round(lattice @ np.linalg.inv(dataset.primitive_lattice))  # lattice = multiple @ primitive lattice
    expand = np.linalg.inv(multiple)
    count = np.bincount(owner)
    if (count != round(abs(np.linalg.det(multiple)))).any():
        return None  # translations that hold for some atoms only
    first = np.unique(owner, return_index=True)[1]
    origin = (frac @ multiple)[first]
    offset = frac @ multiple - origin[owner]
    cells = np.round(offset)
    mean = np.zeros_like(origin)
    np.add.at(mean, owner, offset - cells)
    primitive = (expand @ lattice, origin + mean / count[:, None], numbers[first])
    symmetric = _symmetric(primitive, symprec, angle_tolerance)
    if symmetric is None:
        return None
    return multiple @ symmetric[0], (symmetric[1][owner] + cells) @ expand


def _operations(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return rotations (operations, 3, 3) and translations (operations, 3) of the exact group in a primitive cell.

    Standard coordinates are P x + p, so an operation (R', t') of spglib's database becomes P⁻¹R'P and
    P⁻¹(R'p + t' − p). Operations that differ by a centring of the standard cell are one operation here.
    """
    standard = operations_of_setting(int(dataset.hall_number))
    p_matrix = np.asarray(dataset.transformation_matrix, dtype=float)
    p_shift = np.asarray(dataset.origin_shift, dtype=float)
    inverse = np.linalg.inv(p_matrix)
    seen: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    for r_std, t_std in zip(*standard, strict=True):
        rotation = np.round(inverse @ r_std @ p_matrix)
        seen.setdefault(rotation.astype(int).tobytes(), (rotation, inverse @ (r_std @ p_shift + t_std - p_shift)))
    rotations, translations = zip(*seen.values(), strict=True)
    return np.array(rotations), np.array(translations)


def _symmetric_lattice(lattice: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Return the lattice (3, 3) in Å whose metric is the mean over the rotations, oriented like the old one."""
    metric = lattice @ lattice.T
    # x → R x on columns of fractional coordinates takes the metric G to RᵀGR
    mean = np.mean([r.T @ metric @ r for r in rotations], axis=0)
    root = np.linalg.cholesky(mean)
    u, _, vt = np.linalg.svd(root.T @ lattice)
    return np.asarray(root @ (u @ vt))


def _symmetric_positions(
    frac: np.ndarray, numbers: np.ndarray, rotations: np.ndarray, translations: np.ndarray, lattice: np.ndarray
) -> np.ndarray | None:
    """Return positions (atoms, 3) averaged over the group, or None where an operation does not permute the atoms."""
    total = np.zeros_like(frac)
    for rotation, translation in zip(rotations, translations, strict=True):
        target, off = images(frac @ rotation.T + translation, frac, numbers, lattice)
        if len(set(target)) != len(target):
            return None
        total[target] += frac[target] + off
    return total / len(rotations)
