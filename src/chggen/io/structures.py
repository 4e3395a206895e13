"""The one way in for structures: files of any format, ASE Atoms and pymatgen objects."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chggen.errors import InputError
from chggen.io.ase_atoms import atoms_of_res, atoms_of_xyz, structure_of_atoms
from chggen.io.cif_files import structures_of_cif
from chggen.io.json_files import structures_of_json
from chggen.io.names import distinct_names, listed, plain_path, safe, unused
from chggen.io.notes import say
from chggen.io.plain_structures import plain_structure
from chggen.io.poscar_files import structure_of_poscar
from chggen.io.selective_dynamics import notes_on_held_atoms, without_held_atoms
from chggen.io.text_files import MAX_TEXT_BYTES, read_text
from chggen.io.unreadable import check_ordered, refusal

if TYPE_CHECKING:
    from pymatgen.core import Structure

_ENDINGS: Final = (".cif", ".mcif", ".vasp", ".poscar", ".contcar", ".xyz", ".extxyz", ".json")  # picked from folders
_FORMATS: Final = {
    ".cif": "cif", ".mcif": "cif", ".vasp": "poscar", ".poscar": "poscar", ".contcar": "poscar", "": "poscar",
    ".xyz": "xyz", ".extxyz": "xyz", ".json": "json", ".res": "res",
}  # fmt: skip
_READ_BY_PYMATGEN: Final = re.compile(r"(?i)vasprun.*\.xml|(AECCAR|CHG|LOCPOT|ELFCAR).*|.*\.(xsf|cssr)")
_EXPECTED: Final = "expected CIF, POSCAR, extxyz or pymatgen JSON"


def as_structure(thing: Any, *, heed_held: bool = False) -> Structure:
    """Convert what a user may hand in to a pymatgen structure, and check it.

    What is understood but not as it was given is said in notes (`chggen.io.notes`).

    Args:
        thing: A pymatgen Structure, ASE Atoms, or the path of a CIF, mCIF, POSCAR, (ext)xyz or pymatgen JSON file that
            holds one structure, compressed or not.
        heed_held: Whether marks of held atoms stay (site property `selective_dynamics`); else they are taken off.

    Returns:
        The structure with elements on its sites, plain site properties and a right-handed cell (`plain_structure`). A
        Structure that is such already is returned as it is, not copied.

    Raises:
        InputError: `thing` is something else, the file cannot be read or holds several structures, the Atoms are not
            periodic in three directions, or the structure fails `check_structure`.
    """
    from ase import Atoms
    from pymatgen.core import IStructure

    if isinstance(thing, (str, os.PathLike)):
        found, notes = _read(path := Path(thing), heed_held)
        if len(found) > 1:
            raise InputError(f"{thing} holds {len(found)} structures, expected one; split the file")
        say([f"{path.name}: {note}" for note in notes])
        return found[0]
    if isinstance(thing, IStructure):
        (structure,), notes = _plain([thing], "the structure", heed_held)
    elif isinstance(thing, Atoms):
        given, strange = structure_of_atoms(thing, "the ASE Atoms")
        (structure,), notes = _plain([given], "the ASE Atoms", heed_held)
        notes = strange + notes
    else:
        raise InputError(f"expected a pymatgen Structure, ASE Atoms or a file, got {type(thing).__name__}")
    say([f"{structure.composition.reduced_formula}: {note}" for note in notes])
    return structure


def read_structures(path: Path, most_bytes: int = MAX_TEXT_BYTES) -> list[Structure]:
    """Read all structures of a file.

    The format is told from the name of the file, or from its content where the name does not tell.

    Args:
        path: A CIF, mCIF, POSCAR, (ext)xyz or pymatgen JSON file, compressed or not.
        most_bytes: Most bytes of text that it may hold.

    Returns:
        The structures in the order of the file, as `as_structure` returns them. CIFs are expanded to their full cells.

    Raises:
        InputError: The file is missing, holds no structure that can be read, or holds one that fails
            `check_structure`.
    """
    structures, notes = _read(path, heed_held=False, most_bytes=most_bytes)
    say([f"{path.name}: {note}" for note in notes])
    return structures


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

    In folders, files are picked by name: endings such as .cif, .mcif, .vasp, .extxyz and .json, or POSCAR or CONTCAR in
    the name, compressed or not. Hidden files and subfolders are skipped.

    Args:
        paths: Files and folders.

    Returns:
        The files in the order given, those of a folder sorted by name. Files that were named themselves are not
        checked.

    Raises:
        InputError: A folder cannot be read.
    """
    return [file for path in paths for file in (_in_folder(path) if _is_folder(path) else [path])]


def named_structures(
    paths: Sequence[Path], *, heed_held: bool = False, disordered: bool = False
) -> dict[str, Structure]:
    """Read all structures of files and folders, each under a name of its own.

    A structure is named after its file without the ending, with the ending or folders added where several files would
    have one name (`distinct_names`); several structures in one file get the suffixes -0, -1 and so on. What is
    understood but not as it stands in a file is said in notes (`chggen.io.notes`).

    Args:
        paths: Files and folders, listed as by `structure_files`.
        heed_held: Whether marks of held atoms stay (site property `selective_dynamics`); else they are taken off.
        disordered: Whether structures with partially occupied sites are read too; else they are refused.

    Returns:
        Structures by name, in the order of the files, as `as_structure` returns them.

    Raises:
        InputError: There are no files, some are missing, or some cannot be read or hold a structure with partially
            occupied sites that is not asked for. All files are looked at first. Several that fail are told of in a
            note each, and the first few are named.
    """
    files = list({os.path.abspath(file): file for file in structure_files(paths)}.values())
    if not files:
        raise InputError("no structure files given; expected CIF, POSCAR, extxyz or pymatgen JSON files")
    if missing := [file for file in files if not is_file(file)]:
        raise InputError(f"no structure file at {listed(missing)}; check the names, or leave them out")
    found, notes, failed = [], [], []
    for name, file in zip(distinct_names([Path(os.path.abspath(file)) for file in files]), files, strict=True):
        try:
            structures, said = _read(file, heed_held)
            if not disordered:
                check_ordered(structures, str(file))
        except InputError as error:
            failed.append((file, error))
            continue
        many = len(structures) > 1
        found += [(f"{name}-{k}" if many else name, structure) for k, structure in enumerate(structures)]
        notes += [f"{name}: {note}" for note in said]
    if failed:
        raise refusal(failed, len(files))
    say(notes)
    return dict(zip(unused([name for name, _ in found]), [structure for _, structure in found], strict=True))


def structures_of_frames(path: Path) -> list[Structure | str]:
    """Read all frames of an (ext)xyz or `.res` file, each as a structure or as the reason why it is none.

    Args:
        path: The file.

    Returns:
        One item for each frame, in the order of the file.

    Raises:
        InputError: The file cannot be read.
        Exception: Whatever ASE raises for text that it cannot read.
    """
    text, where = read_text(path), safe(path.name)
    frames, notes = atoms_of_xyz(text, where) if _format(path, text) == "xyz" else (atoms_of_res(text), [])
    found: list[Structure | str] = []
    for k, atoms in enumerate(frames):
        frame = f"frame {k} of {where}" if len(frames) > 1 else where
        try:
            given, strange = structure_of_atoms(atoms, frame)
            (structure,), said = _plain([given], frame, heed_held=False)
        except InputError as error:
            found.append(str(error))
            continue
        found.append(structure)
        notes += [f"frame {k}: {note}" for note in strange + said]
    say([f"{where}: {note}" for note in notes])
    return found


def _read(path: Path, heed_held: bool, most_bytes: int = MAX_TEXT_BYTES) -> tuple[list[Structure], list[str]]:
    """Read all structures of a file, with notes. Raises InputError whatever is wrong with it."""
    if not is_file(path):
        raise InputError(f"no structure file at {path}; give a CIF, POSCAR, extxyz or pymatgen JSON file")
    text = read_text(path, most_bytes)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given, notes = _parsed(path, text)
            structures, said = _plain(given, str(path), heed_held)
    except InputError:
        raise
    except RecursionError:
        raise InputError(f"{path} holds no structure that can be read (it is nested too deeply); {_EXPECTED}") from None
    except Exception as error:  # parsers raise errors of many classes
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise InputError(f"{path} holds no structure that can be read ({reason[:120]}); {_EXPECTED}") from None
    return structures, notes + said


def _parsed(path: Path, text: str) -> tuple[list[Structure], list[str]]:
    """Read text in the format of its file."""
    where = str(path)
    match _format(path, text):
        case "cif":
            return structures_of_cif(text, where)
        case "json":
            return structures_of_json(text, where), []
        case "poscar":
            structure, said = structure_of_poscar(text, where)
            return [structure], said
        case "xyz" | "res" as kind:
            frames, notes = atoms_of_xyz(text, where) if kind == "xyz" else (atoms_of_res(text), [])
            converted = [structure_of_atoms(atoms, where) for atoms in frames]
            return [structure for structure, _ in converted], [
                *notes,
                *(note for _, said in converted for note in said),
            ]
    if _READ_BY_PYMATGEN.fullmatch(plain_path(path).name):
        from pymatgen.core import Structure

        return [Structure.from_file(path)], []
    raise InputError(f"{where} is of a format that is not known; {_EXPECTED}, told by the ending of its name")


def _format(path: Path, text: str) -> str | None:
    """Return the format of a file, from its name or else from its text; None where neither tells."""
    name = plain_path(path)
    if known := _FORMATS.get(name.suffix.lower()):
        return known
    if "POSCAR" in name.name.upper() or "CONTCAR" in name.name.upper():
        return "poscar"
    if re.search(r"(?im)^\s*_atom_site[._]fract_x", text):
        return "cif"
    if text.lstrip()[:1] in ("{", "["):
        return "json"
    return "xyz" if re.match(r"\s*\d+\s*\n.*Lattice\s*=", text) else None


def _plain(given: Iterable[Any], where: str, heed_held: bool) -> tuple[list[Structure], list[str]]:
    """Return structures in plain form, with notes that say of which of several they are."""
    structures, notes = [], []
    given = list(given)
    for k, one in enumerate(given):
        frame = where if len(given) == 1 else f"structure {k} of {where}"
        structure, said = plain_structure(one, frame)
        if heed_held:
            said += notes_on_held_atoms(structure)
        else:
            structure, ignored = without_held_atoms(structure)
            said += ignored
        structures.append(structure)
        notes += said if len(given) == 1 else [f"structure {k}: {note}" for note in said]
    return structures, notes


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _in_folder(folder: Path) -> list[Path]:
    """Return the structure files of a folder, sorted by name."""
    try:
        return sorted(file for file in folder.iterdir() if _holds_structures(file))
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be read ({error.strerror}); check its rights") from None


def _holds_structures(file: Path) -> bool:
    """Return whether a file in a folder looks by its name like a structure file."""
    name = plain_path(file)
    named = name.suffix.lower() in _ENDINGS or "POSCAR" in file.name or "CONTCAR" in file.name
    return named and file.name[0] != "." and is_file(file)
