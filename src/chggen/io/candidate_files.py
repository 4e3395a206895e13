"""Reading many structures that another program generated, one bad structure costing no other."""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chggen.errors import InputError
from chggen.io.structures import check_structure, is_file, read_structures, structure_files, structures_of_frames

if TYPE_CHECKING:
    from pymatgen.core import Structure

_FRAMES: Final = {".xyz": "extxyz", ".extxyz": "extxyz", ".res": "res"}  # ending → format of ASE
_TENSORS: Final = ("frac_coords", "atom_types", "lengths", "angles", "num_atoms")  # as DiffCSP saves them


def named_candidates(path: Path) -> dict[str, Structure | str]:
    """Read the structures that another program generated, each under a name of its own.

    Read are CIF, POSCAR, pymatgen JSON, (ext)xyz with many frames, AIRSS `.res` files, zip archives of such files
    (MatterGen), the tensors of DiffCSP (`.pt`), and folders of any of these.

    Args:
        path: The file or folder.

    Returns:
        Name to structure, or to the reason why it cannot be used, in the order of the files.

    Raises:
        InputError: When there is no such file, or no structure in it.
    """
    if not path.is_dir() and not is_file(path):
        raise InputError(f"no file or folder of structures at {str(path)[:200]}; check the path after file:")
    found: dict[str, Structure | str] = {}
    for name, structure in _read(path):
        while name in found:
            name += "x"
        found[name] = structure
    if not found:
        raise InputError(
            f"{path} holds no structures; expected CIF, POSCAR, extxyz, pymatgen JSON, .res, .zip or .pt files"
        )
    return found


def _read(path: Path) -> Iterator[tuple[str, Structure | str]]:
    if path.is_dir():
        others = (f for f in path.iterdir() if f.suffix.lower() in (".res", ".zip", ".pt") and f.name[0] != ".")
        for file in sorted({*structure_files([path]), *others}):
            yield from _read(file)
    elif path.suffix.lower() == ".zip":
        yield from _from_archive(path)
    else:
        try:
            structures = _from_file(path)
        except Exception as error:  # a file that cannot be read costs no other
            yield path.stem, _reason(error)
            return
        for k, one in enumerate(structures):
            yield path.stem if len(structures) == 1 else f"{path.stem}-{k}", _checked(one, path.name)


def _from_archive(path: Path) -> Iterator[tuple[str, Structure | str]]:
    """Read the files of a zip archive. Their folders are left out, so that none is written elsewhere."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        yield path.stem, f"{path.name} is no zip archive: {error}"
        return
    with archive, tempfile.TemporaryDirectory() as folder:
        for member in sorted(archive.infolist(), key=lambda m: m.filename):
            name = Path(member.filename).name
            if not member.is_dir() and name and name[0] != ".":
                file = Path(folder) / name
                file.write_bytes(archive.read(member))
                yield from _read(file)


def _from_file(path: Path) -> list[Any]:
    """Read the structures of a file; of files with many frames each comes as it is, unchecked."""
    ending = path.suffix.lower()
    if ending in _FRAMES:
        return structures_of_frames(path, _FRAMES[ending])
    return _from_tensors(path) if ending == ".pt" else read_structures(path)


def _from_tensors(path: Path) -> list[Structure]:
    """Read crystals as DiffCSP saves them: lengths (Å), angles (degrees) and atoms of all in one tensor each."""
    import torch
    from pymatgen.core import Lattice, Structure

    with torch.serialization.safe_globals([argparse.Namespace]):
        saved = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(saved, dict) or any(key not in saved for key in _TENSORS):
        raise InputError(f"{path} holds no crystals; expected tensors named {', '.join(_TENSORS)}")
    frac, numbers, lengths, angles, counts = (saved[key].double() for key in _TENSORS)
    sizes = counts.long().reshape(-1).tolist()
    parts = zip(
        frac.reshape(-1, 3).split(sizes), numbers.long().reshape(-1).split(sizes), lengths.reshape(-1, 3),
        angles.reshape(-1, 3), strict=True,
    )  # fmt: skip
    return [
        Structure(Lattice.from_parameters(*abc.tolist(), *degrees.tolist()), z.tolist(), x.tolist())
        for x, z, abc, degrees in parts
    ]


def _checked(structure: Structure | str, where: str) -> Structure | str:
    """Return the structure, or why it cannot be used."""
    if isinstance(structure, str):
        return structure
    try:
        check_structure(structure, where)
    except InputError as error:
        return str(error)
    return structure if structure.is_ordered else f"{where} has partially occupied sites; order it first"


def _reason(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
