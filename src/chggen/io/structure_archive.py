"""NamedStructures: long lists of structures that are read one by one when needed, and the .npz archives of them."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import numpy as np

from chggen.errors import InputError
from chggen.io.atomic_write import whole
from chggen.io.bounds import check_cell_parameters
from chggen.io.crystal_limits import LAST
from chggen.io.plain_structures import plain_structure
from chggen.io.structures import named_structures
from chggen.io.unreadable import ORDER_FIRST

if TYPE_CHECKING:
    from pymatgen.core import Structure

_KEYS: Final = ("ids", "cell", "offsets", "Z", "frac")
_MOST_BYTES: Final = 2**31  # that an archive may unpack to: a million structures


@dataclass(frozen=True)
class NamedStructures:
    """The structures of files, folders and .npz archives, by name.

    Only the paths are pickled. Each process opens the files once, when a structure is first asked for. Structures of
    an archive are built when asked for, so a hundred thousand of them take no more memory than the arrays of the
    archive. Every method raises InputError for files that cannot be read and for two structures of the same name.

    An archive of n structures holds these arrays:

    - `ids` (n): the names.
    - `cell` (n, 6): a, b, c in Å and α, β, γ in degrees.
    - `offsets` (n + 1): the atoms of structure i are those from `offsets[i]` to `offsets[i + 1]`.
    - `Z` (atoms): atomic numbers.
    - `frac` (atoms, 3): fractional coordinates.

    Attributes:
        paths: Structure files, folders of them, and archives (.npz).
        with_disordered: Whether files may hold structures with partially occupied sites; else they are refused.
    """

    paths: tuple[Path, ...]
    with_disordered: bool = False

    @property
    def names(self) -> list[str]:
        """Names of all ordered structures: those of the archives, then of the other files, in the order given."""
        return [name for name, (source, k) in self._opened.items() if source.is_ordered(k)]

    @property
    def disordered(self) -> dict[str, Structure]:
        """Structures with partially occupied sites, by name."""
        return {name: source.structure(k) for name, (source, k) in self._opened.items() if not source.is_ordered(k)}

    def n_atoms(self, name: str) -> int:
        """Return the number of atoms of a structure, without building it.

        Args:
            name: One of `names`.

        Returns:
            The number of atoms in its cell.

        Raises:
            KeyError: No structure has this name.
        """
        source, k = self._opened[name]
        return source.n_atoms(k)

    def structure(self, name: str) -> Structure:
        """Return a structure.

        Args:
            name: One of `names`.

        Returns:
            The structure, checked as by `check_structure`.

        Raises:
            KeyError: No structure has this name.
            InputError: The structure is not a crystal that chggen can work with.
        """
        source, k = self._opened[name]
        return source.structure(k)

    @property
    def _opened(self) -> dict[str, tuple[_Source, int]]:
        return _opened(self.paths, self.with_disordered)


def write_archive(structures: Mapping[str, Structure], path: Path) -> None:
    """Write structures as an archive that `NamedStructures` reads. The file appears whole or not at all.

    Args:
        structures: At least one ordered structure, by name. Only lengths and angles of the lattice are kept, so the
            orientation of the lattice vectors is lost.
        path: The .npz file to write.
    """
    given = list(structures.values())
    with whole(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            ids=np.array(list(structures), dtype=np.str_),
            cell=np.array([s.lattice.parameters for s in given]),
            offsets=np.cumsum([0, *(len(s) for s in given)]),
            Z=np.concatenate([s.atomic_numbers for s in given]).astype(np.uint8),
            frac=np.concatenate([s.frac_coords for s in given]),
        )


def read_arrays(path: Path, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file, whose sizes are looked at before any memory is asked for.

    Args:
        path: The file.
        names: The arrays that are wanted; None: all of them.

    Returns:
        The arrays by name.

    Raises:
        ValueError: The file is no .npz or unpacks to more than 2 GiB, or an array claims more numbers than it holds.
        KeyError: An array is missing.
        OSError: The file cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: member.file_size for member in archive.infolist()}
        if sum(members.values()) > _MOST_BYTES:
            raise ValueError(f"it unpacks to more than {_MOST_BYTES // 2**20} MiB")
        for name, size in members.items():
            with archive.open(name) as file:
                version = np.lib.format.read_magic(file)
                head = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = head(file)
            if math.prod(shape) * dtype.itemsize > size:
                raise ValueError(f"{name} claims {math.prod(shape):,} numbers but holds {size:,} bytes")
    with path.open("rb") as handle, np.load(handle, allow_pickle=False) as found:
        return {name: found[name] for name in (found.files if names is None else names)}


@runtime_checkable
class _Source(Protocol):
    """Where structures come from: a list of names, and a structure for each index."""

    names: list[str]

    def n_atoms(self, k: int) -> int:
        """Return the number of atoms of the k-th structure."""
        ...

    def structure(self, k: int) -> Structure:
        """Return the k-th structure."""
        ...

    def is_ordered(self, k: int) -> bool:
        """Return whether no site of the k-th structure is partially occupied."""
        ...


class _Files:
    """The structures of plain files, all held in memory."""

    def __init__(self, paths: Sequence[Path], with_disordered: bool) -> None:
        found = named_structures(paths, disordered=None if with_disordered else ORDER_FIRST)
        self.names = list(found)
        self._structures = list(found.values())

    def n_atoms(self, k: int) -> int:
        return len(self._structures[k])

    def structure(self, k: int) -> Structure:
        return self._structures[k]

    def is_ordered(self, k: int) -> bool:
        return bool(self._structures[k].is_ordered)


class _Archive:
    """The structures of one .npz archive, built when asked for."""

    def __init__(self, path: Path) -> None:
        try:
            self._arrays = read_arrays(path, _KEYS)
            cells, self._offsets = self._arrays["cell"], self._arrays["offsets"].astype(int).tolist()
            if cells.shape != (len(self._arrays["ids"]), 6) or len(self._offsets) != len(cells) + 1:
                raise ValueError("cell and offsets do not fit the ids")
            if self._arrays["frac"].shape != (len(self._arrays["Z"]), 3) or self._offsets[-1] != len(self._arrays["Z"]):
                raise ValueError("Z and frac do not fit the offsets")
            if self._offsets[0] != 0 or (np.diff(self._offsets) < 0).any():
                raise ValueError("offsets do not grow from 0")
        except Exception as error:  # numpy raises anything from BadZipFile to KeyError for a foreign file
            expected = f"the arrays {', '.join(_KEYS)}"
            raise InputError(f"{path} is no archive of structures ({error}); expected {expected}") from None
        self._path = path
        self.names = [str(name) for name in self._arrays["ids"]]

    def n_atoms(self, k: int) -> int:
        return int(self._offsets[k + 1] - self._offsets[k])

    def structure(self, k: int) -> Structure:
        from pymatgen.core import Element, Lattice, Structure

        atoms = slice(self._offsets[k], self._offsets[k + 1])
        cell, where = self._arrays["cell"][k].astype(float).tolist(), f"{self.names[k]} of {self._path}"
        check_cell_parameters(cell[:3], cell[3:], where)
        lattice = Lattice.from_parameters(*cell)
        numbers = self._arrays["Z"][atoms]
        if not ((numbers >= 1) & (numbers <= LAST)).all():
            raise InputError(f"{where} has an atom of no element; expected 1 to {LAST} in Z")
        species = [Element.from_Z(int(z)) for z in numbers]
        structure = Structure(lattice, species, self._arrays["frac"][atoms].astype(float))
        return plain_structure(structure, where)[0]

    def is_ordered(self, k: int) -> bool:
        return True


@lru_cache(maxsize=2)
def _opened(paths: tuple[Path, ...], with_disordered: bool) -> dict[str, tuple[_Source, int]]:
    """Return for each name the source of its structure and the index there."""
    sources: list[_Source] = [_Archive(path) for path in paths if path.suffix == ".npz"]
    plain = [path for path in paths if path.suffix != ".npz"]
    if plain or not sources:
        sources.append(_Files(plain, with_disordered))
    found: dict[str, tuple[_Source, int]] = {}
    for source in sources:
        for k, name in enumerate(source.names):
            if name in found:
                raise InputError(f"two structures are named {name}; expected names that differ; rename one")
            found[name] = (source, k)
    return found
