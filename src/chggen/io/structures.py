"""Structures from files and from objects of other libraries."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chggen.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure

MAX_ATOMS: Final = 500
_ENDINGS: Final = (".cif", ".vasp", ".poscar", ".contcar", ".xyz", ".extxyz", ".json")  # of files in folders
_DENSEST: Final = 1.0  # Å³/atom; no crystal is denser


def as_structure(thing: Any) -> Structure:
    """A pymatgen Structure from a Structure, ASE Atoms, or the path of a file. Raises InputError for anything else."""
    from ase import Atoms
    from pymatgen.core import Structure

    if isinstance(thing, Structure):
        check_structure(thing, "the structure")
        return thing
    if isinstance(thing, Atoms):
        structure = _from_atoms(thing, "the ASE Atoms")
        check_structure(structure, "the ASE Atoms")
        return structure
    if isinstance(thing, (str, os.PathLike)):
        found = read_structures(Path(thing))
        if len(found) > 1:
            raise InputError(f"{thing} holds {len(found)} structures, expected one; split the file")
        return found[0]
    raise InputError(f"expected a pymatgen Structure, ASE Atoms or a file, got {type(thing).__name__}")


def read_structures(path: Path) -> list[Structure]:
    """All structures of a CIF, POSCAR, (ext)xyz or pymatgen JSON file. Raises InputError when there is none to read."""
    if not is_file(path):
        raise InputError(f"no structure file at {str(path)[:200]}; give a CIF, POSCAR, extxyz or pymatgen JSON file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", "Elements in POSCAR cannot be determined")  # pymatgen makes some up
            structures = _extxyz(path) if path.suffix.lower() in (".xyz", ".extxyz") else _with_pymatgen(path)
    except InputError:
        raise
    except Exception as error:  # parsers raise whatever they like
        reason = str(error).split("\n")[0] or type(error).__name__
        raise InputError(
            f"{path} holds no structure that can be read ({reason}); expected CIF, POSCAR, extxyz or pymatgen JSON"
        ) from None
    for structure in structures:
        check_structure(structure, str(path))
    return structures


def check_structure(structure: Structure, where: str) -> None:
    """Raise InputError unless it has 1 to MAX_ATOMS atoms of known elements at finite positions in a cell with room."""
    from pymatgen.core import Element

    if not 1 <= len(structure) <= MAX_ATOMS:
        raise InputError(f"{where} has {len(structure)} atoms; expected 1 to {MAX_ATOMS}")
    unknown = sorted({str(s) for s in structure.composition if not Element.is_valid_symbol(s.symbol)})
    if unknown:
        raise InputError(f"{where} has the unknown element {unknown[0]}; expected chemical symbols such as Li")
    if not (np.isfinite(structure.frac_coords).all() and np.isfinite(structure.lattice.matrix).all()):
        raise InputError(f"{where} has positions or a cell that are not finite; expected numbers")
    if structure.volume < _DENSEST * len(structure):
        raise InputError(
            f"{where} has a cell of volume {structure.volume:.3g} Å³ for {len(structure)} atoms; expected a "
            "periodic crystal, lengths in Å"
        )


def is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file system takes, such as the text of a file
        return False


def structure_files(paths: Sequence[Path]) -> list[Path]:
    """The files, folders taken as those files in them whose names say that they hold structures."""
    return [f for p in paths for f in (sorted(filter(_holds_structures, p.iterdir())) if p.is_dir() else [p])]


def _holds_structures(file: Path) -> bool:
    ending = file.suffix.lower()
    named = ending in _ENDINGS or "POSCAR" in file.name or "CONTCAR" in file.name
    return named and file.name[0] != "." and file.is_file()


def named_structures(paths: Sequence[Path]) -> dict[str, Structure]:
    """Name → structure of all files, folders taken as the files in them. Raises InputError.

    Names are unique, and so are those of the twins in P1 that results have.
    """
    files = structure_files(paths)
    if not files:
        raise InputError("no structure files given; expected CIF, POSCAR, extxyz or pymatgen JSON files")
    found: dict[str, Structure] = {}
    for file in files:
        structures = read_structures(file)
        for k, structure in enumerate(structures):
            name = file.stem if len(structures) == 1 else f"{file.stem}-{k}"
            while any(taken in found for taken in (name, f"{name}-P1", name.removesuffix("-P1"))):
                name += "x"
            if not structure.is_ordered:
                raise InputError(f"{file} has partially occupied sites; choose an ordered model of it first")
            found[name] = structure
    return found


def _with_pymatgen(path: Path) -> list[Structure]:
    from pymatgen.core import Structure
    from pymatgen.io.cif import CifParser

    if path.suffix.lower() == ".cif":
        parser = CifParser(path, occupancy_tolerance=1.01)
        try:
            return list(parser.parse_structures(primitive=False))
        except ValueError as error:  # the parser keeps to itself why
            told = [str(error), *getattr(parser, "warnings", [])][-1]
            raise ValueError(" ".join(told.split())) from None
        except ZeroDivisionError:  # pymatgen stumbles over a loop without rows, such as an empty table of bonds
            from ase.io import read

            return [_from_atoms(read(path, format="cif"), str(path))]
    if path.suffix.lower() == ".json":
        return [Structure.from_str(path.read_text(), fmt="json")]
    if path.suffix.lower() in (".vasp", ".poscar", ".contcar", "") or "POSCAR" in path.name or "CONTCAR" in path.name:
        return [Structure.from_str(path.read_text(), fmt="poscar")]
    return [Structure.from_file(path)]


def _extxyz(path: Path) -> list[Structure]:
    from ase.io import read

    frames = read(path, index=":", format="extxyz")
    if not frames:
        raise InputError(f"{path} holds no frame; expected at least one structure")
    return [_from_atoms(atoms, str(path)) for atoms in frames]


def _from_atoms(atoms: Any, where: str) -> Structure:
    from pymatgen.core import Structure

    if not all(atoms.pbc) or atoms.cell.rank < 3:
        raise InputError(f"{where} is not periodic in three directions; expected a crystal with a cell")
    if (atoms.numbers < 1).any():
        raise InputError(f"{where} has atoms of no element (X); expected chemical symbols such as Li")
    return Structure(atoms.cell.array, atoms.numbers, atoms.positions, coords_are_cartesian=True)
