"""ASE Atoms from and to pymatgen structures, and files that ASE reads: extxyz with many frames and AIRSS `.res`."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chggen.errors import InputError, counted
from chggen.io.bounds import check_cell, check_count
from chggen.io.crystal_limits import VACUUM
from chggen.io.plain_structures import HELD, MOMENTS

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

_FARTHEST: Final = 1e7  # Å; Cartesian coordinates beyond overflow before they can be checked as fractional ones
_ARRAYS: Final = {"initial_magmoms": MOMENTS, "initial_charges": "charge"}  # of ASE → site property of pymatgen
_COMPUTED: Final = {
    "magmom": MOMENTS,
    "magmoms": MOMENTS,
    "charges": "charge",
}  # as computed
_COORDINATES: Final = ("numbers", "positions", "momenta", "masses")  # arrays that are no site properties
_MOST_COLUMNS: Final = 1_000
_ISOTOPES: Final = ("D", "T")
_SPECIES_COLUMN: Final = re.compile(r"""Properties\s*=\s*["']?(?P<columns>[^\s"']+)""", re.IGNORECASE)


def structure_of_atoms(atoms: Atoms, where: str) -> tuple[Structure, list[str]]:
    """Convert ASE Atoms to a structure, their constraints to marks of selective dynamics.

    Args:
        atoms: The atoms. Of what was computed for them and is kept with them, magnetic moments and charges of atoms go
            along, as columns of an extxyz; energies, forces and calculators stay behind.
        where: What they are called in messages.

    Returns:
        The structure, and notes of one line each on constraints that are not understood and on values given twice.

    Raises:
        InputError: They are not periodic in three directions, hold something that is no element, or have a cell or
            positions out of bounds.
    """
    from pymatgen.core import Structure

    slab = _slab_note(atoms)
    if not (all(atoms.pbc) or slab) or not np.isfinite(atoms.cell.array).all() or atoms.cell.rank < 3:
        raise InputError(
            f"{where} is not periodic in three directions; expected a crystal with a cell, or a slab with at least "
            f"{VACUUM:g} Å of vacuum in it (ASE: atoms.center(vacuum=5, axis=2))"
        )
    if (atoms.numbers < 1).any():
        raise InputError(f"{where} has atoms of no element (X); expected chemical symbols such as Li")
    check_count(len(atoms), where)
    check_cell(atoms.cell.array, len(atoms), where)
    if not (np.abs(atoms.positions) <= _FARTHEST).all():  # false for NaN as well
        raise InputError(f"{where} has positions that are not finite, or far out of its cell; expected numbers in Å")
    properties = {_ARRAYS.get(k, k): v.tolist() for k, v in atoms.arrays.items() if k not in _COORDINATES}
    free, strange = _free_coordinates(atoms)
    notes = [slab] if slab else []
    notes += [f"constraints of ASE that are not understood are ignored: {', '.join(strange)}"] * bool(strange)
    for name, values in _computed(atoms).items():
        if properties.get(name, values) != values:
            notes.append(f"took the {name} that was computed, in place of the one that was given at first")
        properties[name] = values
    if not free.all():
        properties[HELD] = free.tolist()
    structure = Structure(
        atoms.cell.array, atoms.numbers, atoms.positions, coords_are_cartesian=True, site_properties=properties,
        properties={key: value for key, value in atoms.info.items() if isinstance(value, str)},
    )  # fmt: skip
    return structure, notes


def _slab_note(atoms: Atoms) -> str | None:
    """Return what is said of a slab that is periodic in two directions and has vacuum in its cell; None for others."""
    if sum(atoms.pbc) != 2 or not len(atoms) or not np.isfinite(atoms.cell.array).all() or atoms.cell.rank < 3:
        return None
    axis = int(np.flatnonzero(~np.asarray(atoms.pbc))[0])
    heights = atoms.cell.scaled_positions(atoms.positions)[:, axis] / np.linalg.norm(atoms.cell.reciprocal()[axis])
    empty = float(1 / np.linalg.norm(atoms.cell.reciprocal()[axis]) - np.ptp(heights))
    if not empty >= VACUUM:
        return None
    return f"taken as periodic along its {('first', 'second', 'third')[axis]} axis too, with {empty:.1f} Å of vacuum"


def atoms_of_structure(structure: Structure, info: Mapping[str, Any] | None = None) -> Atoms:
    """Convert a structure to ASE Atoms, with its site properties as arrays and its held atoms as constraints.

    Args:
        structure: An ordered structure as `as_structure` returns it.
        info: Key-value pairs of the atoms. Those whose value is None are left out.

    Returns:
        The atoms, in the same order. A site property that is no array, since values are missing or differ in shape, is
        left out.
    """
    from ase import Atoms
    from ase.constraints import FixAtoms, FixCartesian

    atoms = Atoms(
        numbers=[site.specie.Z for site in structure], cell=structure.lattice.matrix,
        positions=structure.cart_coords, pbc=True,
        info={**structure.properties, **{k: v for k, v in (info or {}).items() if v is not None}},
    )  # fmt: skip
    names = {theirs: ours for ours, theirs in _ARRAYS.items()}
    for name, values in structure.site_properties.items():
        array = None if name == HELD else _array(values)
        if array is not None:
            atoms.set_array(names.get(name, name), array)
    if HELD in structure.site_properties:
        free = np.array([[True] * 3 if row is None else row for row in structure.site_properties[HELD]], dtype=bool)
        whole, partly = ~free.any(axis=1), free.any(axis=1) & ~free.all(axis=1)
        constraints: list[Any] = [FixAtoms(mask=whole)] if whole.any() else []
        constraints += [FixCartesian([int(k)], mask=~free[k]) for k in np.flatnonzero(partly)]
        atoms.set_constraint(constraints)
    return atoms


def atoms_of_xyz(text: str, where: str) -> tuple[list[Atoms], list[str]]:
    """Read all frames of an xyz or extxyz file. Deuterium and tritium become hydrogen, which ASE knows.

    Args:
        text: The text of the file.
        where: What the file is called in messages.

    Returns:
        The frames in their order, and a note on isotopes if there are any.

    Raises:
        InputError: There is no frame, or one claims more atoms than the file has lines.
        Exception: Whatever ASE raises for text that it cannot read.
    """
    from ase.io import read

    text, isotopes = _without_isotopes(text, where)
    frames = list(read(io.StringIO(text), index=":", format="extxyz"))
    if not frames:
        raise InputError(f"{where} holds no frame; expected at least one structure")
    found = " and ".join(f"{n} {symbol}" for symbol, n in sorted(isotopes.items()))
    return frames, [f"took {found} as H"] if found else []


def atoms_of_res(text: str) -> list[Atoms]:
    """Read a `.res` file of AIRSS.

    Args:
        text: The text of the file.

    Returns:
        Its one frame, in a list.

    Raises:
        Exception: Whatever ASE raises for text that it cannot read.
    """
    from ase.io.res import Res

    return [Res.from_string(text).atoms]


def _without_isotopes(text: str, where: str) -> tuple[str, Counter[str]]:
    """Return the text of an xyz file with D and T as H, and how many there were; check that frames are all there."""
    lines, found, k = text.split("\n"), Counter[str](), 0
    while k < len(lines):
        if not lines[k].strip():
            k += 1
            continue
        try:
            n_atoms = int(lines[k])
        except ValueError:
            break  # ASE says what is wrong
        if not 0 <= n_atoms <= len(lines) - k - 2:
            there = counted(max(len(lines) - k - 2, 0), "line")
            raise InputError(f"{where} claims {counted(n_atoms, 'atom')} but has {there} for them")
        column = _species_column(lines[k + 1], where)
        for j in range(k + 2, k + 2 + n_atoms):
            words = lines[j].split(maxsplit=column + 1)
            if len(words) > column and words[column] in _ISOTOPES:
                found[words[column]] += 1
                lines[j] = " ".join([*words[:column], "H", *words[column + 1 :]])
        k += n_atoms + 2
    return "\n".join(lines), found


def _species_column(comment: str, where: str) -> int:
    """Return in which column of a frame the symbols stand. Raises InputError for more columns than any line has."""
    match = _SPECIES_COLUMN.search(comment)
    parts = match["columns"].split(":") if match else []
    before, found = 0, 0
    for name, _, width in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
        if name.lower() in ("species", "symbols"):
            found = before
        before += int(width) if width.isdigit() else 1
        if before > _MOST_COLUMNS:
            raise InputError(f"{where} claims {before} columns of numbers; expected at most {_MOST_COLUMNS}")
    return found


def _computed(atoms: Atoms) -> dict[str, Any]:
    """Return site properties that were computed for atoms as they are, one value an atom.

    ASE takes the columns magmom, magmoms and charges of an extxyz as such. A calculator that can compute anew is not
    asked: what it holds may belong to other atoms.
    """
    from ase.calculators.singlepoint import SinglePointCalculator

    if not isinstance(atoms.calc, SinglePointCalculator) or atoms.calc.check_state(atoms):
        return {}
    given = {ours: atoms.calc.results[theirs] for theirs, ours in _COMPUTED.items() if theirs in atoms.calc.results}
    return {name: v.tolist() for name, v in given.items() if np.ndim(v) > 0 and len(v) == len(atoms)}


def _free_coordinates(atoms: Atoms) -> tuple[np.ndarray, list[str]]:
    """Return which coordinates may move, of shape (atoms, 3), and the names of constraints that are not understood."""
    free, strange = np.ones((len(atoms), 3), dtype=bool), []
    for constraint in atoms.constraints:
        kind = type(constraint).__name__
        if kind == "FixAtoms":
            free[constraint.index] = False
        elif kind in ("FixCartesian", "FixScaled"):
            free[constraint.index] &= ~np.asarray(constraint.mask, dtype=bool)
        elif kind in ("FixedPlane", "FixedLine"):
            free[constraint.index, 2 if kind == "FixedPlane" else slice(1, 3)] = False
        else:
            strange.append(kind)
    return free, strange


def _array(values: Sequence[Any]) -> np.ndarray | None:
    """Return the values of a site property as an array of numbers, truth values or texts; None if they are none."""
    try:
        array = np.array(values)
    except ValueError:  # of different lengths
        return None
    return array if array.dtype.kind in "biufU" and array.ndim <= 2 else None
