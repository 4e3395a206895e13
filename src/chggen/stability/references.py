"""Reference energies with their level of theory: the phases that span the hulls."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from chggen.crystals import SYMBOLS, parse_formula, reduced
from chggen.errors import InputError
from chggen.potential import levels as registered_levels
from chggen.stability.reference_file import read_arrays, write_arrays

BUILD: Final = "build.json"  # in folders whose energies were built: what from
SHIPPED: Final = Path(__file__).parents[1] / "data" / "references.npz"
_SAME_ENERGY: Final = 0.005  # eV/atom
_STATIC_EXCESS: Final = 0.02  # eV/atom; three in four static entries fall by less when they are relaxed
_BITS: Final = {symbol: (z // 64, np.uint64(1) << np.uint64(z % 64)) for z, symbol in enumerate(SYMBOLS)}
_NO_ENTRIES: Final = "the reference table holds no entries"
_NO_TABLE: Final = "no reference energies are shipped with this installation; make them with `chggen references build`"


@dataclass(frozen=True, kw_only=True)
class ReferenceEntry:
    """One phase at one level of theory. energy_per_atom in eV/atom; relaxed: with the potential of that level.

    space_group is the international number, 0 when unknown; n_atoms are the atoms of the cell it was computed in, 0
    likewise. drop: by how much relaxation lowered the energy, eV/atom, NaN when unknown.
    """

    id: str
    formula: str
    level: str
    energy_per_atom: float
    relaxed: bool = True
    space_group: int = 0
    n_atoms: int = 0
    drop: float = math.nan


@dataclass(frozen=True, kw_only=True, eq=False)  # compared and hashed by identity: hulls are cached by table
class References:
    """A table of reference entries, one row a phase.

    levels names the columns; masks are the element sets as bits of two 64-bit words; energies (rows, levels) in
    eV/atom, NaN where a level is missing; relaxed (rows, levels); drops (levels): median fall of the energy when a
    phase is relaxed, eV/atom, which a static entry lacks, NaN when unknown; reason says why an empty table is empty.
    """

    levels: tuple[str, ...]
    ids: np.ndarray
    formulas: np.ndarray
    masks: np.ndarray
    energies: np.ndarray
    relaxed: np.ndarray
    space_groups: np.ndarray
    n_atoms: np.ndarray
    drops: np.ndarray
    reason: str | None = None

    @staticmethod
    def load(path: Path | str | None = None) -> References:
        """The table of a file, or the shipped one (read once, empty with a reason where none is shipped).

        Raises InputError when a given file is missing or is no table of this format.
        """
        if path is not None:
            return _table(Path(path))
        return _shipped()

    @staticmethod
    def from_entries(entries: Iterable[ReferenceEntry]) -> References:
        """A table of the entries; the levels of one id share a row. Registered levels come first.

        Raises InputError for an entry without a level, an energy that is not finite, an unreadable formula, an id
        repeated at one level and an id with two formulas.
        """
        rows: dict[str, dict[str, ReferenceEntry]] = {}
        column = {level: k for k, level in enumerate(registered_levels())}
        for entry in entries:
            own = rows.setdefault(entry.id, {})
            _check(entry, own)
            own[entry.level] = entry
            column.setdefault(entry.level, len(column))
        first = [next(iter(own.values())) for own in rows.values()]
        energies = np.full((len(rows), len(column)), np.nan, np.float32)
        relaxed = np.zeros((len(rows), len(column)), bool)
        drops: list[list[float]] = [[] for _ in column]
        for i, own in enumerate(rows.values()):
            for level, entry in own.items():
                energies[i, column[level]] = entry.energy_per_atom
                relaxed[i, column[level]] = entry.relaxed
                if math.isfinite(entry.drop):
                    drops[column[level]].append(entry.drop)
        return References(
            levels=tuple(column),
            ids=np.array(list(rows), dtype=np.str_),
            formulas=np.array([entry.formula for entry in first], dtype=np.str_),
            masks=np.array([element_mask(parse_formula(entry.formula)) for entry in first], np.uint64).reshape(-1, 2),
            energies=energies,
            relaxed=relaxed,
            space_groups=np.array([entry.space_group for entry in first], np.int16),
            n_atoms=np.array([entry.n_atoms for entry in first], np.int32),
            drops=np.array([np.median(found) if found else np.nan for found in drops]),
            reason=None if rows else _NO_ENTRIES,
        )

    @staticmethod
    def joined(tables: Sequence[References]) -> References:
        """One table of the rows of several; levels are joined by name.

        Of an id that two tables hold at one level the later table's energy counts. Raises InputError for an id that is
        one formula in one table and another in the next.
        """
        if len(tables) == 1:
            return tables[0]
        levels = tuple(dict.fromkeys(level for table in tables for level in table.levels))
        ids = np.concatenate([table.ids for table in tables])
        columns = [[levels.index(level) for level in table.levels] for table in tables]
        energies = [np.full((len(table), len(levels)), np.nan, np.float32) for table in tables]
        relaxed = [np.zeros((len(table), len(levels)), bool) for table in tables]
        drops = np.full(len(levels), np.nan)
        for table, own, e, r in reversed(list(zip(tables, columns, energies, relaxed, strict=True))):
            e[:, own], r[:, own] = table.energies, table.relaxed
            drops[own] = np.where(np.isfinite(table.drops), table.drops, drops[own])  # those of the first are kept
        formulas = np.concatenate([table.formulas for table in tables])
        return References(
            levels=levels,
            ids=ids,
            formulas=formulas,
            masks=np.concatenate([table.masks for table in tables]),
            energies=_replaced(ids, formulas, np.concatenate(energies)),
            relaxed=np.concatenate(relaxed),
            space_groups=np.concatenate([table.space_groups for table in tables]),
            n_atoms=np.concatenate([table.n_atoms for table in tables]),
            drops=drops,
            reason=None if len(ids) else tables[0].reason,
        )

    def save(self, path: Path | str) -> None:
        """Write the table as a compressed .npz; the file appears whole or not at all."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "reason"}
        write_arrays(arrays | {"levels": np.array(self.levels)}, Path(path))

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, level: str) -> int:
        """Column of a level of theory. Raises InputError where the table has none of the name."""
        if level not in self.levels:
            raise InputError(
                f"these references hold energies at the levels {' and '.join(self.levels)}, not at '{level}'; "
                "energies of different levels cannot be compared"
            )
        return self.levels.index(level)

    def system(self, elements: Iterable[str], level: str) -> list[ReferenceEntry]:
        """Entries of the chemical system and all its subsystems at a level, in the table's order.

        Raises InputError for an unknown level or element.
        """
        column = self.column(level)
        outside = ~np.array(element_mask(elements), np.uint64)
        inside = ((self.masks & outside) == 0).all(axis=1) & np.isfinite(self.energies[:, column])
        return [self._entry(int(i), column) for i in np.flatnonzero(inside)]

    def same_formula(self, formula: str, level: str) -> list[ReferenceEntry]:
        """Entries of the same reduced formula at a level, lowest energy first."""
        wanted = reduced(parse_formula(formula))
        column = self.column(level)
        exact = (self.masks == np.array(element_mask(wanted), np.uint64)).all(axis=1)
        rows = np.flatnonzero(exact & np.isfinite(self.energies[:, column]))
        found = [self._entry(int(i), column) for i in rows if reduced(parse_formula(str(self.formulas[i]))) == wanted]
        return sorted(found, key=lambda entry: entry.energy_per_atom)

    def known_as(self, formula: str, energy_per_atom: float, level: str, space_group: int | None) -> str | None:
        """Id of the entry that an energy (eV/atom) and a space group (at 0.1 Å) belong to, the lowest where several.

        Of the same formula and space group and within 5 meV/atom; a static entry may lie higher by 20 more, which
        relaxing it would take off.
        """
        for entry in self.same_formula(formula, level):
            above = entry.energy_per_atom - energy_per_atom
            most = _SAME_ENERGY + (0 if entry.relaxed else _STATIC_EXCESS)
            if -_SAME_ENERGY < above < most and entry.space_group == space_group:
                return entry.id
        return None

    def unknown_ids(self, ids: Sequence[str]) -> list[str]:
        """Those of the ids that the table does not hold at any level."""
        return [name for name in ids if name not in self._known]

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.ids.tolist())

    def _entry(self, row: int, column: int) -> ReferenceEntry:
        return ReferenceEntry(
            id=str(self.ids[row]),
            formula=str(self.formulas[row]),
            level=self.levels[column],
            energy_per_atom=float(self.energies[row, column]),
            relaxed=bool(self.relaxed[row, column]),
            space_group=int(self.space_groups[row]),
            n_atoms=int(self.n_atoms[row]),
        )


def _replaced(ids: np.ndarray, formulas: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Energies (rows, levels) without those of ids that a later row has at the same level. Raises InputError."""
    energies = energies.copy()
    distinct, counts = np.unique(ids, return_counts=True)
    for name in distinct[counts > 1].tolist():
        rows = np.flatnonzero(ids == name)
        known = {tuple(sorted(reduced(parse_formula(str(formulas[k]))).items())): str(formulas[k]) for k in rows}
        if len(known) > 1:
            raise InputError(
                f"{name} is {' and '.join(known.values())} in two of the reference tables; rename one of them"
            )
        for column in range(energies.shape[1]):
            energies[rows[np.isfinite(energies[rows, column])][:-1], column] = np.nan
    return energies


def write_references(rows: Iterable[ReferenceEntry], path: Path | str) -> References:
    """Write the entries as a reference table and return it. Raises InputError as `References.from_entries`."""
    table = References.from_entries(rows)
    table.save(path)
    return table


def references_of(names: Sequence[str]) -> References:
    """The tables of these files joined; `shipped` is that of the installation, which no name at all means as well.

    Raises InputError for a file that is no table, and for an id that is two formulas in them.
    """
    tables = [References.load(None if name == "shipped" else name) for name in names or ("shipped",)]
    return References.joined(tables)


def element_mask(elements: Iterable[str]) -> tuple[int, int]:
    """The set of elements as bits of two 64-bit words. Raises InputError for an unknown element."""
    words = [0, 0]
    for symbol in elements:
        if symbol not in _BITS:
            raise InputError(f"unknown element '{symbol}'; expected symbols such as Zn")
        word, bit = _BITS[symbol]
        words[word] |= int(bit)
    return words[0], words[1]


def _check(entry: ReferenceEntry, present: dict[str, ReferenceEntry]) -> None:
    if not entry.level:
        known = ", ".join(registered_levels())
        raise InputError(f"reference {entry.id} has no level of theory; expected {known} or a name of its own")
    if not np.isfinite(entry.energy_per_atom):
        raise InputError(f"reference {entry.id} has energy {entry.energy_per_atom}; expected a number in eV/atom")
    if entry.level in present:
        raise InputError(f"reference {entry.id} is given twice at level {entry.level}; ids must differ")
    species = reduced(parse_formula(entry.formula))
    for other in present.values():
        if reduced(parse_formula(other.formula)) != species:
            raise InputError(f"reference {entry.id} is both {other.formula} and {entry.formula}; ids must differ")


@lru_cache(maxsize=1)
def _shipped() -> References:
    if not SHIPPED.exists():
        empty = References.from_entries([])
        return References(**{**vars(empty), "reason": _NO_TABLE})
    return _table(SHIPPED)


def _table(path: Path) -> References:
    arrays = read_arrays(path)
    levels = tuple(str(level) for level in arrays.pop("levels"))
    return References(levels=levels, **arrays, reason=None if len(arrays["ids"]) else _NO_ENTRIES)
