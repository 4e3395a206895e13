"""Reading many structures that another program generated, one bad structure costing no other."""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from chggen.errors import InputError
from chggen.io.bounds import check_cell_parameters, check_count
from chggen.io.crystal_limits import LAST
from chggen.io.names import distinct_names, plain_path, safe, unused
from chggen.io.plain_structures import plain_structure
from chggen.io.structures import is_file, read_structures, structure_files, structures_of_frames
from chggen.io.tensor_files import read_tensors
from chggen.io.unreadable import ORDER_FIRST

if TYPE_CHECKING:
    from pymatgen.core import Structure

_FRAMES: Final = (".xyz", ".extxyz", ".res")  # endings of files with many frames, of which a bad one costs no other
_TENSORS: Final = ("frac_coords", "atom_types", "lengths", "angles", "num_atoms")  # as DiffCSP saves them
_MOST_BYTES: Final = 2**30  # that an archive may unpack to
_MOST_FILES: Final = 100_000  # that an archive may hold
_MOST_NUMBERS: Final = 10**8  # of one tensor; a small file can claim more


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
        raise InputError(f"no file or folder of structures at {path}; check the path after file:")
    found = list(_read(path))
    if not found:
        raise InputError(
            f"{path} holds no structures; expected CIF, POSCAR, extxyz, pymatgen JSON, .res, .zip or .pt files"
        )
    return dict(zip(unused([name for name, _ in found]), [structure for _, structure in found], strict=True))


def _read(path: Path) -> Iterator[tuple[str, Structure | str]]:
    if path.is_dir():
        others = (f for f in path.iterdir() if f.suffix.lower() in (".res", ".zip", ".pt") and f.name[0] != ".")
        files = sorted({*structure_files([path]), *others})
        for name, file in zip(distinct_names(files), files, strict=True):
            yield from _from_file(file, name)
    else:
        yield from _from_file(path, distinct_names([Path(path.name)])[0])


def _from_file(path: Path, name: str) -> Iterator[tuple[str, Structure | str]]:
    """Read the structures of a file; a file that cannot be read costs no other."""
    ending = plain_path(path).suffix.lower()
    if ending == ".zip":
        yield from _from_archive(path)
        return
    try:
        if ending in _FRAMES:
            structures = structures_of_frames(path)
        else:
            structures = _from_tensors(path) if ending == ".pt" else list(read_structures(path))
    except Exception as error:  # parsers and torch raise errors of many classes
        yield name, next(iter(str(error).splitlines()), type(error).__name__)
        return
    for k, one in enumerate(structures):
        where = f"structure {k} of {path.name}" if len(structures) > 1 else path.name
        yield f"{name}-{k}" if len(structures) > 1 else name, _ordered(one, where)


def _from_archive(path: Path) -> Iterator[tuple[str, Structure | str]]:
    """Read the files of a zip archive. Their folders are left out, so that none is written elsewhere."""
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # zipfile raises BadZipFile, NotImplementedError, struct.error and others
        yield path.stem, f"{path.name} is no zip archive: {error}"
        return
    with archive, tempfile.TemporaryDirectory() as folder:
        members = sorted(
            (m for m in archive.infolist() if not m.is_dir() and PurePosixPath(m.filename).name[:1] not in ("", ".")),
            key=lambda m: m.filename,
        )
        if len(members) > _MOST_FILES:
            yield path.stem, f"{path.name} holds {len(members):,} files; expected at most {_MOST_FILES:,}"
            return
        left = _MOST_BYTES
        for name, member in zip(distinct_names([PurePosixPath(m.filename) for m in members]), members, strict=True):
            file = Path(folder) / safe(PurePosixPath(member.filename).name)
            try:
                left -= _unpack(archive, member, file, left)
            except Exception as error:  # a damaged, encrypted or far too large member
                yield name, f"{member.filename} of {path.name} cannot be unpacked: {error}"
                continue
            yield from _from_file(file, name)
            file.unlink()


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, file: Path, most: int) -> int:
    """Write a member of an archive to a file and return its size. Raises ValueError where that is above `most`."""
    size = 0
    with archive.open(member) as source, file.open("wb") as target:
        while part := source.read(2**20):
            size += len(part)
            if size > most:
                raise ValueError(f"the archive unpacks to more than {_MOST_BYTES // 2**20} MiB")
            target.write(part)
    return size


def _from_tensors(path: Path) -> list[Structure | str]:
    """Read crystals as DiffCSP saves them: lengths (Å), angles (degrees) and atoms of all in one tensor each."""
    saved = read_tensors(path, "a file of crystals as DiffCSP writes them", allowed=[argparse.Namespace])
    if not isinstance(saved, dict) or any(key not in saved for key in _TENSORS):
        raise InputError(f"{path} holds no crystals; expected tensors named {', '.join(_TENSORS)}")
    if any(saved[key].numel() > _MOST_NUMBERS for key in _TENSORS):
        raise InputError(f"{path} claims more than {_MOST_NUMBERS:,} numbers; split it")
    frac, numbers, lengths, angles, counts = (saved[key].double() for key in _TENSORS)
    sizes = counts.long().reshape(-1).tolist()
    parts = zip(
        frac.reshape(-1, 3).split(sizes), numbers.long().reshape(-1).split(sizes), lengths.reshape(-1, 3),
        angles.reshape(-1, 3), strict=True,
    )  # fmt: skip
    return [
        _crystal(abc.tolist(), degrees.tolist(), z.tolist(), x.tolist(), f"structure {k} of {path.name}")
        for k, (x, z, abc, degrees) in enumerate(parts)
    ]


def _crystal(
    lengths: list[float], angles: list[float], numbers: list[int], frac_coords: list[list[float]], where: str
) -> Structure | str:
    """Return a crystal of bare numbers, or why it is none."""
    from pymatgen.core import Element, Lattice, Structure

    try:
        check_count(len(numbers), where)
        check_cell_parameters(lengths, angles, where)
        if not all(1 <= z <= LAST for z in numbers):
            raise InputError(f"{where} has an atom of no element; expected atomic numbers from 1 to {LAST}")
        species = [Element.from_Z(z) for z in numbers]
        given = Structure(Lattice.from_parameters(*lengths, *angles), species, frac_coords)
        structure, _ = plain_structure(given, where)
    except InputError as error:
        return str(error)
    return structure


def _ordered(structure: Structure | str, where: str) -> Structure | str:
    """Return the structure, or why it cannot be used."""
    if isinstance(structure, str) or structure.is_ordered:
        return structure
    return f"{where} has partially occupied sites; {ORDER_FIRST}"
