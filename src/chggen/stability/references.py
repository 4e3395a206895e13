"""Reference energies with their level of theory: the phases that span the hulls."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.crystals import parse_formula, reduced
from chggen.errors import InputError
from chggen.potential import default_levels
from chggen.stability.disordered_phases import DisorderedPhase, parent_of, read, written
from chggen.stability.identity import known_phase
from chggen.stability.reference_entry import ReferenceEntry, check_entry, element_mask
from chggen.stability.reference_file import read_arrays, write_arrays

if TYPE_CHECKING:
    from pymatgen.core import Structure

BUILD: Final = "build.json"
"""File that says what the energies in a folder were built from."""
SHIPPED: Final = Path(__file__).parents[1] / "data" / "references.npz"
_FEW: Final = 0.05  # share of the phases at a level that were relaxed, to see how far they fall
_HARDLY: Final = 0.005  # eV/atom that they fall
_NO_ENTRIES: Final = "the reference table holds no entries"
_NO_TABLE: Final = "no reference energies are shipped with this installation; make them with `chggen references build`"


@dataclass(frozen=True, kw_only=True, eq=False)  # compared and hashed by identity: hulls are cached by table
class References:
    """A table of reference entries, one row for each phase and one column for each level of theory.

    Attributes:
        levels: Names of the levels, one for each column.
        ids: Names of the phases, of shape (rows,).
        formulas: Their formulas, of shape (rows,).
        masks: Their sets of elements as bits, of shape (rows, 2); see `element_mask`.
        energies: Energies of shape (rows, levels), in eV/atom; NaN where a level is missing.
        relaxed: Whether each energy is that of a relaxed structure, of shape (rows, levels).
        space_groups: International numbers of the space groups, of shape (rows,); 0 when unknown.
        n_atoms: Numbers of atoms in the cells that were computed, of shape (rows,); 0 when unknown.
        fingerprints: Fingerprints of the structures (`symmetry.structure_fingerprint`) as whole numbers of 64 bits, of
            shape (rows,); 0 when unknown.
        drops: Median fall of the energy when a phase is relaxed, of shape (levels,), in eV/atom; NaN when unknown.
            Static entries lie too high by about this much.
        disordered: Phases known by their average structure alone, which take no part in hulls.
        reason: Why an empty table is empty.
    """

    levels: tuple[str, ...]
    ids: np.ndarray
    formulas: np.ndarray
    masks: np.ndarray
    energies: np.ndarray
    relaxed: np.ndarray
    space_groups: np.ndarray
    n_atoms: np.ndarray
    fingerprints: np.ndarray
    drops: np.ndarray
    disordered: tuple[DisorderedPhase, ...] = ()
    reason: str | None = None

    @staticmethod
    def load(path: Path | str | None = None) -> References:
        """Return the table of a file, or the one that comes with chggen.

        Args:
            path: A reference file (.npz); None for the shipped table, which is read once. Where none is shipped, the
                table is empty and has a reason.

        Raises:
            InputError: The file is missing or holds no table of this format.
        """
        if path is not None:
            return _table(Path(path))
        return _shipped()

    @staticmethod
    def from_entries(entries: Iterable[ReferenceEntry]) -> References:
        """Return a table of entries.

        Args:
            entries: The entries. Those of one id share a row.

        Returns:
            The table. Its first columns are the levels of CHGNet, then come others in the order of the entries.

        Raises:
            InputError: An entry has no level, no finite energy or an unreadable formula, or its id is repeated at one
                level or has two formulas.
        """
        rows: dict[str, dict[str, ReferenceEntry]] = {}
        column = {level: k for k, level in enumerate(default_levels())}
        for entry in entries:
            own = rows.setdefault(entry.id, {})
            check_entry(entry, own)
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
            fingerprints=np.array([int(entry.fingerprint or "0", 16) for entry in first], np.uint64),
            drops=np.array([np.median(found) if found else np.nan for found in drops]),
            reason=None if rows else _NO_ENTRIES,
        )

    def save(self, path: Path | str) -> None:
        """Write the table. The file appears whole or not at all.

        Args:
            path: The compressed .npz file to write.
        """
        arrays = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "reason"}
        texts = {"levels": np.array(self.levels), "disordered": np.array(written(self.disordered))}
        write_arrays(arrays | texts, Path(path))

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, level: str) -> int:
        """Return the index of a level's column.

        Args:
            level: Name of a level of theory.

        Raises:
            InputError: The table has no such level.
        """
        if level not in self.levels:
            known = " and ".join((", ".join(self.levels[:-1]), self.levels[-1])).removeprefix(" and ")
            raise InputError(
                f"these references hold energies at the levels {known}, not at '{level}'; "
                "energies of different levels cannot be compared"
            )
        return self.levels.index(level)

    def all_alike(self, level: str) -> bool:
        """Return whether energies at a level are those of structures as they are, which hardly fall when relaxed.

        Then it holds of all phases alike, and makes the place of no composition more doubtful than that of others.

        Args:
            level: Name of a level of theory.

        Raises:
            InputError: The table has no such level.
        """
        return self._alike[self.column(level)]

    @cached_property
    def _alike(self) -> list[bool]:
        known = np.isfinite(self.energies)
        few = (self.relaxed & known).sum(axis=0) <= _FEW * known.sum(axis=0)
        return [bool(fits) for fits in few & (self.drops < _HARDLY)]  # a drop that is not known is NaN

    def system(self, elements: Iterable[str], level: str) -> list[ReferenceEntry]:
        """Return the entries of a chemical system and of all its subsystems.

        Args:
            elements: Element symbols of the system.
            level: Name of a level of theory.

        Returns:
            The entries with an energy at this level, in the order of the table.

        Raises:
            InputError: The level or an element is unknown.
        """
        column = self.column(level)
        outside = ~np.array(element_mask(elements), np.uint64)
        inside = ((self.masks & outside) == 0).all(axis=1) & np.isfinite(self.energies[:, column])
        return [self._entry(int(i), column) for i in np.flatnonzero(inside)]

    def same_formula(self, formula: str, level: str) -> list[ReferenceEntry]:
        """Return the entries of one composition.

        Args:
            formula: A formula; the reduced one counts.
            level: Name of a level of theory.

        Returns:
            The entries with an energy at this level, lowest energy first.

        Raises:
            InputError: The level is unknown or the formula cannot be read.
        """
        return list(_of_formula(self, tuple(sorted(reduced(parse_formula(formula)).items())), self.column(level)))

    def _rows_of(self, wanted: dict[str, int], column: int) -> list[ReferenceEntry]:
        """Return the entries of a reduced formula, see `same_formula`."""
        exact = (self.masks == np.array(element_mask(wanted), np.uint64)).all(axis=1)
        rows = np.flatnonzero(exact & np.isfinite(self.energies[:, column]))
        found = [self._entry(int(i), column) for i in rows if reduced(parse_formula(str(self.formulas[i]))) == wanted]
        return sorted(found, key=lambda entry: entry.energy_per_atom)

    def known_as(
        self,
        formula: str,
        energy_per_atom: float,
        level: str,
        space_group: int | None,
        structure: Structure | None = None,
    ) -> str | None:
        """Return which entry a relaxed structure is, or else of which disordered phase it is an ordering.

        Entries are told by fingerprint and energy, disordered phases by their sites (`DisorderedPhase.has_ordering`).

        Args:
            formula: Formula of the structure.
            energy_per_atom: Its energy in eV/atom.
            level: Level of theory of the energy.
            space_group: International number of its space group at symprec 0.1 Å; None when unknown.
            structure: The structure; None when unknown.

        Returns:
            The id of the entry, or `same group and energy as ID` where the entry or the structure has no fingerprint
            (see `identity.known_phase`). Where no entry matches, `ordering of ID` for a disordered phase; None where
            there is none either.

        Raises:
            InputError: The level is unknown or the formula cannot be read.
        """
        found = known_phase(self.same_formula(formula, level), energy_per_atom, space_group, structure)
        return found or (None if structure is None else parent_of(structure, self.disordered))

    def unknown_ids(self, ids: Sequence[str]) -> list[str]:
        """Return those of some ids that the table does not hold at any level.

        Args:
            ids: Names of phases.
        """
        return [name for name in ids if name not in self._known]

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.ids.tolist())

    def _entry(self, row: int, column: int) -> ReferenceEntry:
        """Return the entry of a row at the level of a column."""
        return ReferenceEntry(
            id=str(self.ids[row]),
            formula=str(self.formulas[row]),
            level=self.levels[column],
            energy_per_atom=float(self.energies[row, column]),
            relaxed=bool(self.relaxed[row, column]),
            space_group=int(self.space_groups[row]),
            n_atoms=int(self.n_atoms[row]),
            fingerprint=f"{number:016x}" if (number := int(self.fingerprints[row])) else "",
        )


@lru_cache(maxsize=1024)
def _of_formula(table: References, counts: tuple[tuple[str, int], ...], column: int) -> tuple[ReferenceEntry, ...]:
    """Return the entries of a formula. Candidates of one run ask for one formula again and again."""
    return tuple(table._rows_of(dict(counts), column))


def write_references(
    rows: Iterable[ReferenceEntry], path: Path | str, disordered: Sequence[DisorderedPhase] = ()
) -> References:
    """Write entries as a reference file.

    Args:
        rows: The entries.
        path: The .npz file to write.
        disordered: Disordered phases that the file holds as well.

    Returns:
        The table that was written.

    Raises:
        InputError: The entries make no table; see `References.from_entries`.
    """
    table = replace(References.from_entries(rows), disordered=tuple(disordered))
    table.save(path)
    return table


@lru_cache(maxsize=1)
def _shipped() -> References:
    """Return the table that comes with chggen; where there is none, an empty one with the reason."""
    if not SHIPPED.exists():
        empty = References.from_entries([])
        return References(**{**vars(empty), "reason": _NO_TABLE})
    return _table(SHIPPED)


def _table(path: Path) -> References:
    """Return the table of a file."""
    arrays = read_arrays(path)
    levels = tuple(str(level) for level in arrays.pop("levels"))
    disordered = read(str(arrays.pop("disordered")), str(path))
    return References(
        levels=levels, **arrays, disordered=disordered, reason=None if len(arrays["ids"]) else _NO_ENTRIES
    )
