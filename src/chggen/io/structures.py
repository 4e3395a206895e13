"""Reading structures from files and converting those of other libraries."""

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
"""Largest number of atoms that a structure may have."""
_ENDINGS: Final = (".cif", ".vasp", ".poscar", ".contcar", ".xyz", ".extxyz", ".json")  # picked from folders
_DENSEST: Final = 1.0  # Å³/atom; no crystal is denser


def as_structure(thing: Any) -> Structure:
    """Convert what a user may hand in to a pymatgen structure, and check it.

    Args:
        thing: A pymatgen Structure, ASE Atoms, or the path of a CIF, POSCAR, (ext)xyz or pymatgen JSON file that
            holds one structure.

    Returns:
        The structure. A Structure is returned as it is, not copied.

    Raises:
        InputError: `thing` is something else, the file cannot be read or holds several structures, the Atoms are not
            periodic in three directions, or the structure fails `check_structure`.
    """
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
    """Read all structures of a file.

    The format is told from the name of the file.

    Args:
        path: A CIF, POSCAR, (ext)xyz or pymatgen JSON file.

    Returns:
        The structures in the order of the file. CIFs are expanded to their full cells.

    Raises:
        InputError: The file is missing, holds no structure that can be read, or holds one that fails
            `check_structure`.
    """
    if not is_file(path):
        raise InputError(f"no structure file at {str(path)[:200]}; give a CIF, POSCAR, extxyz or pymatgen JSON file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", "Elements in POSCAR cannot be determined")  # pymatgen invents some
            structures = _extxyz(path) if path.suffix.lower() in (".xyz", ".extxyz") else _with_pymatgen(path)
    except InputError:
        raise
    except Exception as error:  # parsers raise errors of many classes
        reason = str(error).split("\n")[0] or type(error).__name__
        raise InputError(
            f"{path} holds no structure that can be read ({reason}); expected CIF, POSCAR, extxyz or pymatgen JSON"
        ) from None
    for structure in structures:
        check_structure(structure, str(path))
    return structures


def check_structure(structure: Structure, where: str) -> None:
    """Check that a structure is a crystal that chggen can work with.

    Args:
        structure: The structure. Partially occupied sites are allowed here.
        where: What the structure is called in error messages, such as its file.

    Raises:
        InputError: The structure has no atoms or more than `MAX_ATOMS`, an unknown element, positions or lattice
            vectors that are not finite, or a cell of less than 1 Å³ for each atom.
    """
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
    """Return whether a path is an existing file.

    Args:
        path: Any path. One that the file system cannot hold, such as the text of a file given by mistake, is no file.

    Returns:
        True for an existing file. A folder is none.
    """
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with characters that no name may have
        return False


def structure_files(paths: Sequence[Path]) -> list[Path]:
    """List structure files, with folders replaced by the structure files in them.

    In folders, files are picked by name: endings such as .cif, .vasp, .extxyz and .json, or POSCAR or CONTCAR in the
    name. Hidden files and subfolders are skipped.

    Args:
        paths: Files and folders.

    Returns:
        The files in the order given, those of a folder sorted by name. Files that were named themselves are not
        checked.
    """
    return [f for p in paths for f in (sorted(filter(_holds_structures, p.iterdir())) if p.is_dir() else [p])]


def _holds_structures(file: Path) -> bool:
    """Return whether a file in a folder looks by its name like a structure file."""
    ending = file.suffix.lower()
    named = ending in _ENDINGS or "POSCAR" in file.name or "CONTCAR" in file.name
    return named and file.name[0] != "." and file.is_file()


def named_structures(paths: Sequence[Path]) -> dict[str, Structure]:
    """Read all structures of files and folders, each under a name of its own.

    A structure is named after its file without the suffix; several structures in one file get the suffixes -0, -1 and
    so on. Where a name is taken, an x is added to it. Results write a second CIF in P1 named NAME-P1 beside NAME, so
    two names that would share such a file also count as equal.

    Args:
        paths: Files and folders, listed as by `structure_files`.

    Returns:
        Structures by name, in the order of the files.

    Raises:
        InputError: There are no files, a file cannot be read, or a structure has partially occupied sites.
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
    """Read a file in any format but (ext)xyz."""
    from pymatgen.core import Structure
    from pymatgen.io.cif import CifParser

    if path.suffix.lower() == ".cif":
        parser = CifParser(path, occupancy_tolerance=1.01)
        try:
            return list(parser.parse_structures(primitive=False))
        except ValueError as error:  # the reason is in the parser's warnings only
            reason = [str(error), *getattr(parser, "warnings", [])][-1]
            raise ValueError(" ".join(reason.split())) from None
        except ZeroDivisionError:  # pymatgen fails on a loop without rows, such as an empty table of bonds
            from ase.io import read

            return [_from_atoms(read(path, format="cif"), str(path))]
    if path.suffix.lower() == ".json":
        return [Structure.from_str(path.read_text(), fmt="json")]
    if path.suffix.lower() in (".vasp", ".poscar", ".contcar", "") or "POSCAR" in path.name or "CONTCAR" in path.name:
        return [Structure.from_str(path.read_text(), fmt="poscar")]
    return [Structure.from_file(path)]


def _extxyz(path: Path) -> list[Structure]:
    """Read all frames of an xyz or extxyz file."""
    from ase.io import read

    frames = read(path, index=":", format="extxyz")
    if not frames:
        raise InputError(f"{path} holds no frame; expected at least one structure")
    return [_from_atoms(atoms, str(path)) for atoms in frames]


def structures_of_frames(path: Path, format: str) -> list[Structure | str]:
    """Read all frames of a file by ASE, each as a structure or as the reason why it is none.

    Args:
        path: The file.
        format: Its format as ASE calls it, such as `extxyz` or `res`.

    Returns:
        One item for each frame, in the order of the file.
    """
    from ase.io import read

    found: list[Structure | str] = []
    for k, atoms in enumerate(read(path, index=":", format=format)):
        try:
            found.append(_from_atoms(atoms, f"frame {k} of {path.name}"))
        except InputError as error:
            found.append(str(error))
    return found


def _from_atoms(atoms: Any, where: str) -> Structure:
    """Convert ASE Atoms; raise InputError naming `where` unless they are a crystal of real elements."""
    from pymatgen.core import Structure

    if not all(atoms.pbc) or atoms.cell.rank < 3:
        raise InputError(f"{where} is not periodic in three directions; expected a crystal with a cell")
    if (atoms.numbers < 1).any():
        raise InputError(f"{where} has atoms of no element (X); expected chemical symbols such as Li")
    return Structure(atoms.cell.array, atoms.numbers, atoms.positions, coords_are_cartesian=True)
