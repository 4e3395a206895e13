"""Symmetrising structures, and frameworks up a ladder of tolerances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chggen.symmetry.operations import SpglibCell, above_trivial, images, space_group, spglib_cell, symmetry_dataset

if TYPE_CHECKING:
    from pymatgen.core import Structure

# (symprec Å, angle tolerance °) of the paper's framework refinement, in the order they are tried.
PAPER_LADDER: Final = ((0.1, 10.0), (0.2, 15.0), (0.5, 15.0), (0.8, 15.0), (1.0, 20.0), (1.5, 30.0), (2.0, 30.0))


@dataclass(frozen=True, kw_only=True)
class Refined:
    """A symmetrised structure in the cell it came in, same atoms in the same order.

    symprec (Å): tolerance at which the group was found; rms and largest displacement of the atoms, Å, measured in
    the new lattice with the mean shift removed; space_group: international number of the result at 0.01 Å.
    """

    structure: Structure
    symprec: float
    space_group: int
    rms: float
    largest: float


def refine(structure: Structure, symprec: float = 0.1, angle_tolerance: float = -1.0) -> Refined | None:
    """Symmetrise by the space group found at symprec (Å); None where spglib finds none or averaging loses it.

    The exact operations of the group's standard setting are carried into the primitive cell, the metric is averaged
    over their rotations and every position over its orbit; the cell at hand is then filled again. Loose tolerances can
    pair atoms that the exact operations do not map on each other; that is what None stands for besides failure of
    spglib.
    """
    symmetric = _symmetric(spglib_cell(structure), symprec, angle_tolerance)
    if symmetric is None:
        return None
    lattice, frac = symmetric
    shift = frac - structure.frac_coords
    shift -= np.round(shift)
    shift -= shift.mean(axis=0)  # spglib's origin is only good to symprec, and the group does not mind where it is
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
    """The first refinement up the ladder whose group is above P1 and P-1; None where no tolerance gives one."""
    for symprec, angle in ladder:
        refined = refine(structure, symprec, angle)
        if refined is not None and above_trivial(refined.space_group):
            return refined
    return None


def _symmetric(cell: SpglibCell, symprec: float, angle_tolerance: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Lattice and positions with the symmetry found at symprec (Å) made exact; None where that fails."""
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
    """The same by way of the primitive cell: a supercell's shape can break rotations that the crystal has."""
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
    """Rotations (ops, 3, 3) and translations (ops, 3) of the exact group in a primitive cell: x → R x + t.

    Standard coordinates are P x + p; the database's operations (R', t') become P⁻¹R'P and P⁻¹(R'p + t' − p), those
    that differ by a centring of the standard cell being one.
    """
    import spglib

    database: Any = spglib.get_symmetry_from_database(dataset.hall_number)
    p_matrix = np.asarray(dataset.transformation_matrix, dtype=float)
    p_shift = np.asarray(dataset.origin_shift, dtype=float)
    inverse = np.linalg.inv(p_matrix)
    seen: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    for r_std, t_std in zip(database["rotations"], database["translations"], strict=True):
        rotation = np.round(inverse @ r_std @ p_matrix)
        seen.setdefault(rotation.astype(int).tobytes(), (rotation, inverse @ (r_std @ p_shift + t_std - p_shift)))
    rotations, translations = zip(*seen.values(), strict=True)
    return np.array(rotations), np.array(translations)


def _symmetric_lattice(lattice: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """The lattice (3, 3) whose metric is averaged over the rotations, turned back as near as can be to the old."""
    metric = lattice @ lattice.T
    # x → R x on columns of fractional coordinates takes the metric G to RᵀGR
    mean = np.mean([r.T @ metric @ r for r in rotations], axis=0)
    root = np.linalg.cholesky(mean)
    u, _, vt = np.linalg.svd(root.T @ lattice)
    return np.asarray(root @ (u @ vt))


def _symmetric_positions(
    frac: np.ndarray, numbers: np.ndarray, rotations: np.ndarray, translations: np.ndarray, lattice: np.ndarray
) -> np.ndarray | None:
    """Positions (atoms, 3) averaged over the group; None where an operation does not permute the atoms."""
    total = np.zeros_like(frac)
    for rotation, translation in zip(rotations, translations, strict=True):
        target, off = images(frac @ rotation.T + translation, frac, numbers, lattice)
        if len(set(target)) != len(target):
            return None
        total[target] += frac[target] + off
    return total / len(rotations)
