"""Structures as arrays, a tenth of the size of pymatgen's objects, which are built when they are asked for."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np

from chggen.io import is_json

if TYPE_CHECKING:
    from pymatgen.core import Structure

_FURTHER: Final = ("site_properties", "labels", "properties")  # of a structure, where it has any


class PackedStructure:
    """A structure whose sites hold one element each, as arrays.

    A run of 50,000 candidates keeps twice as many structures, whose objects would take gigabytes.

    Args:
        lattice: Lattice vectors as rows, [3 3], Å.
        species: Symbols of the atoms.
        frac_coords: Fractional coordinates, [atoms 3].
        further: What else the structure has, as arguments of pymatgen's `Structure`: site properties, labels and
            properties.

    Raises:
        ValueError: The shapes do not agree, something is no number, or a symbol is no element.
    """

    __slots__ = ("_built", "frac_coords", "further", "lattice", "species")

    def __init__(self, lattice: Any, species: Any, frac_coords: Any, further: dict[str, Any]) -> None:
        self.lattice = np.array(lattice, dtype=float)
        self.species = _elements(species)
        self.frac_coords = np.array(frac_coords, dtype=float).reshape(-1, 3)
        self.further = further
        self._built: weakref.ref[Structure] | None = None
        if self.lattice.shape != (3, 3) or len(self.frac_coords) != len(self.species):
            raise ValueError(f"a lattice of {self.lattice.shape}, {len(self.species)} atoms, {len(frac_coords)} places")

    @classmethod
    def of(cls, structure: Structure) -> PackedStructure | None:
        """Return a structure packed; None where there is more to it than elements on sites and plain properties.

        Args:
            structure: Any structure. Later changes of it are not followed.
        """
        from pymatgen.core import Structure

        symbols = _symbols(structure)
        properties = structure.site_properties
        if not (
            symbols is not None
            and type(structure) is Structure
            and is_json(structure.properties, tables=True)
            and all(structure.lattice.pbc)
            and not structure._charge  # the property adds up oxidation states, of which there are none
            and is_json(properties, tables=True)
        ):
            return None
        further: dict[str, Any] = {}
        if properties:
            further["site_properties"] = properties
        if structure.properties:
            further["properties"] = structure.properties
        if (labels := structure.labels) != symbols:
            further["labels"] = labels
        return cls(structure.lattice.matrix, symbols, structure.frac_coords, further)

    @classmethod
    def of_table(cls, table: dict[str, Any]) -> PackedStructure:
        """Return the structure of what `table` returned.

        Args:
            table: Its name to each part.

        Raises:
            KeyError: A part is missing.
            ValueError, TypeError: A part is no such thing.
        """
        further = {name: table[name] for name in _FURTHER if table.get(name) is not None}
        return cls(table["lattice"], table["species"], table["frac_coords"], further)

    def table(self) -> dict[str, Any]:
        """Return the structure as short lists for JSON."""
        return {
            "lattice": self.lattice.tolist(),
            "species": self.species,
            "frac_coords": self.frac_coords.tolist(),
            **self.further,
        }

    def structure(self) -> Structure:
        """Return the structure: the same object for as long as anybody holds it."""
        built = None if self._built is None else self._built()
        if built is None:
            from pymatgen.core import Structure

            built = Structure(self.lattice, self.species, self.frac_coords.copy(), **self.further)
            self._built = weakref.ref(built)
        return built

    @property
    def volume(self) -> float:
        """Volume of the cell, Å³, to the last bit as pymatgen's."""
        (a, b, c), (d, e, f), _ = self.lattice.tolist()
        normal = np.array([b * f - c * e, c * d - a * f, a * e - b * d])  # np.cross takes ten times as long
        return float(abs(np.dot(normal, self.lattice[2])))

    @property
    def density(self) -> float:
        """Mass density, g/cm³."""
        return float(self.structure().density)

    def __len__(self) -> int:
        return len(self.species)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PackedStructure):
            return bool(self.structure() == other)
        same = (
            self.species == other.species
            and np.array_equal(self.lattice, other.lattice)
            and np.array_equal(self.frac_coords, other.frac_coords)
            and self.further == other.further
        )
        return same or bool(self.structure() == other.structure())

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedStructure, (self.lattice, self.species, self.frac_coords, self.further)


@overload
def packed(structure: None) -> None: ...
@overload
def packed(structure: Structure | PackedStructure) -> Structure | PackedStructure: ...
def packed(structure: Structure | PackedStructure | None) -> Structure | PackedStructure | None:
    """Return a structure packed where it can be, else itself.

    Args:
        structure: A structure, which may be packed already; or None.
    """
    if structure is None or isinstance(structure, PackedStructure):
        return structure
    return PackedStructure.of(structure) or structure


def unpacked(structure: Structure | PackedStructure) -> Structure:
    """Return a structure that may be packed.

    Args:
        structure: What `packed` returned.
    """
    return structure.structure() if isinstance(structure, PackedStructure) else structure


class UnpackingTable:
    """Field of a data class that takes rows of numbers, or an array of them, and gives rows. It is None by default."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object | None, owner: type) -> tuple[tuple[float, ...], ...] | None:
        kept = None if instance is None else instance.__dict__[self._name]
        return tuple(map(tuple, kept.tolist())) if isinstance(kept, np.ndarray) else kept

    def __set__(self, instance: object, value: Any) -> None:
        instance.__dict__[self._name] = value


class Unpacking:
    """Field of a data class that takes a structure as it is or packed, and gives it unpacked. It is None by default."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> None: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Structure | None: ...
    def __get__(self, instance: object | None, owner: type) -> Structure | None:
        if instance is None:
            return None  # the default, which `dataclass` asks for
        kept = instance.__dict__[self._name]
        return kept.structure() if isinstance(kept, PackedStructure) else kept

    def __set__(self, instance: object, value: Structure | PackedStructure | None) -> None:
        instance.__dict__[self._name] = value


def _symbols(structure: Structure) -> list[str] | None:
    """Return the symbols of the atoms, None where some are not simply elements."""
    from pymatgen.core import Element

    found = []
    for site in structure:
        present = list(site.species.items())
        if len(present) != 1 or type(present[0][0]) is not Element or present[0][1] != 1:
            return None
        found.append(present[0][0].symbol)
    return found


def _elements(species: Iterable[Any]) -> tuple[str, ...]:
    """Return the symbols of elements, one object for each. Raises ValueError for what is none."""
    try:
        return _known(tuple(species))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{error!s:.40} is no element") from None


@lru_cache(maxsize=1024)  # candidates of a run hold the same atoms
def _known(species: tuple[str, ...]) -> tuple[str, ...]:
    """Return the symbols themselves. Raises KeyError for what is none."""
    known = _symbols_known()
    return tuple([known[symbol] for symbol in species])


@cache
def _symbols_known() -> dict[str, str]:
    from pymatgen.core import Element

    return {symbol: symbol for symbol in Element.__members__}
