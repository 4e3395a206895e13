"""Long lists of named structures, read one by one when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import numpy as np

from chggen.errors import InputError
from chggen.io.atomic_write import whole
from chggen.io.structures import check_structure, named_structures

if TYPE_CHECKING:
    from pymatgen.core import Structure

_LAST: Final = 118  # element
_KEYS: Final = ("ids", "cell", "offsets", "Z", "frac")


@dataclass(frozen=True)
class NamedStructures:
    """Structures of files and folders, and of .npz archives, by name; pickled as their paths, opened once a process.

    An archive holds ids (n), cell (n, 6: a b c in Å, α β γ in degrees), offsets (n + 1) and, of all atoms, those of
    crystal i from offsets[i] to offsets[i + 1], Z and frac (3 fractional coordinates). A hundred thousand crystals
    then take the memory of these arrays. Every method raises InputError for files that cannot be read.
    """

    paths: tuple[Path, ...]

    @property
    def names(self) -> list[str]:
        """All names, in the order of the files."""
        return list(_opened(self.paths))

    def n_atoms(self, name: str) -> int:
        source, k = _opened(self.paths)[name]
        return source.n_atoms(k)

    def structure(self, name: str) -> Structure:
        source, k = _opened(self.paths)[name]
        return source.structure(k)


def write_archive(structures: Mapping[str, Structure], path: Path) -> None:
    """Write named structures as an archive; the file appears whole or not at all."""
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


@runtime_checkable
class _Source(Protocol):
    names: list[str]

    def n_atoms(self, k: int) -> int: ...

    def structure(self, k: int) -> Structure: ...


class _Files:
    """Structures of files, all in memory."""

    def __init__(self, paths: Sequence[Path]) -> None:
        found = named_structures(paths)
        self.names = list(found)
        self._structures = list(found.values())

    def n_atoms(self, k: int) -> int:
        return len(self._structures[k])

    def structure(self, k: int) -> Structure:
        return self._structures[k]


class _Archive:
    """Structures of an .npz archive."""

    def __init__(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as file:
                self._arrays = {key: file[key] for key in _KEYS}
            cells, self._offsets = self._arrays["cell"], self._arrays["offsets"].astype(int).tolist()
            if cells.shape != (len(self._arrays["ids"]), 6) or len(self._offsets) != len(cells) + 1:
                raise ValueError("cell and offsets do not fit the ids")
            if self._arrays["frac"].shape != (len(self._arrays["Z"]), 3) or self._offsets[-1] != len(self._arrays["Z"]):
                raise ValueError("Z and frac do not fit the offsets")
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
        lattice = Lattice.from_parameters(*self._arrays["cell"][k].astype(float))
        numbers = self._arrays["Z"][atoms]
        if not ((numbers >= 1) & (numbers <= _LAST)).all():
            raise InputError(f"{self.names[k]} of {self._path} has an atom of no element; expected 1 to {_LAST} in Z")
        species = [Element.from_Z(int(z)) for z in numbers]
        structure = Structure(lattice, species, self._arrays["frac"][atoms].astype(float))
        check_structure(structure, f"{self.names[k]} of {self._path}")
        return structure


@lru_cache(maxsize=2)
def _opened(paths: tuple[Path, ...]) -> dict[str, tuple[_Source, int]]:
    """Where the structure of each name is."""
    sources: list[_Source] = [_Archive(path) for path in paths if path.suffix == ".npz"]
    plain = [path for path in paths if path.suffix != ".npz"]
    if plain or not sources:
        sources.append(_Files(plain))
    found: dict[str, tuple[_Source, int]] = {}
    for source in sources:
        for k, name in enumerate(source.names):
            if name in found:
                raise InputError(f"two structures are named {name}; expected names that differ; rename one")
            found[name] = (source, k)
    return found
