"""Several tables of reference entries as one."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from chggen.crystals import parse_formula, reduced
from chggen.errors import InputError
from chggen.stability.disordered_phases import DisorderedPhase, disordered_phases
from chggen.stability.references import References


def references_of(names: Sequence[str]) -> References:
    """Return the tables of some files, joined to one.

    Args:
        names: Reference files, and files or folders of disordered structures; `shipped` stands for the table that comes
            with chggen. That one is taken as well where the others hold disordered phases alone, since those make no
            hulls.

    Raises:
        InputError: A file holds neither a table nor disordered structures, or an id has two formulas in the files.
    """
    tables = [_table(name) for name in names or ("shipped",)]
    if not any(map(len, tables)) and any(table.disordered for table in tables):
        tables.insert(0, References.load())
    return joined(tables)


def _table(name: str) -> References:
    """Return the table of a reference file or of disordered structures, or the one that comes with chggen."""
    if name == "shipped":
        return References.load()
    if os.path.isdir(name) or (os.path.isfile(name) and Path(name).suffix != ".npz" and not zipfile.is_zipfile(name)):
        return replace(References.from_entries([]), disordered=_phases(Path(name)))
    return References.load(name)


def _phases(path: Path) -> tuple[DisorderedPhase, ...]:
    """Return the disordered phases of a file or folder, which may have been meant as a reference table."""
    try:
        return disordered_phases([path])
    except InputError as error:
        raise InputError(f"{path.name} is not a reference table, and {error}") from None


def joined(tables: Sequence[References]) -> References:
    """Return one table with the rows of several. Levels are joined by name.

    Where tables hold an id at the same level, the energy of the last table counts, and of disordered phases of one id
    the last one. Of the median drops, the first known one of each level counts.

    Args:
        tables: At least one table.

    Raises:
        InputError: An id has one formula in one table and another in the next.
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
        fingerprints=np.concatenate([table.fingerprints for table in tables]),
        drops=drops,
        disordered=tuple({phase.id: phase for table in tables for phase in table.disordered}.values()),
        reason=None if len(ids) else tables[0].reason,
    )


def _replaced(ids: np.ndarray, formulas: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Return energies, of shape (rows, levels), in which only the last energy of each id and level is left, others NaN.

    Raises InputError where two rows of one id have different compositions.
    """
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
