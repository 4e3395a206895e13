"""Candidates in an ASE database: the records, and reading them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chggen.errors import InputError
from chggen.results.candidate import SCALAR_FIELDS, Candidate

if TYPE_CHECKING:
    pass


def read_candidates(folder: Path) -> list[Candidate]:
    """The candidates of a results folder, read only. Raises InputError when there are none."""
    path = folder / "candidates.db"
    if not path.is_file() or not path.stat().st_size:
        raise InputError(f"no candidates.db in {folder}, or an empty one; expected a results folder of chggen")
    found = [from_record(row.data["record"]) for row in open_database(folder).select()]
    return sorted(found, key=lambda c: c.id)


def open_database(folder: Path) -> Any:
    """ASE's database of a results folder. Raises InputError for a file that is none."""
    from ase.db import connect

    path = folder / "candidates.db"
    try:
        # ase's own lock file would outlive a killed run and block the next one for ever
        database = connect(path, use_lock_file=False)
        if path.exists():
            database.count()
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path} is no database of candidates ({error}); delete it or choose another folder") from None
    return database


def row_label(name: str) -> str:
    """The name as ASE's database takes it: text that reads as a number or a truth value is refused there."""
    from ase.db.core import str_represents

    return f"id {name}" if any(str_represents(name, kind) for kind in (bool, int, float)) else name


def to_record(candidate: Candidate) -> str:
    record: dict[str, Any] = {name: getattr(candidate, name) for name in SCALAR_FIELDS}
    for name in ("structure", "raw"):
        value = getattr(candidate, name)
        record[name] = None if value is None else value.as_dict()
    return json.dumps(record)


def from_record(text: str) -> Candidate:
    from pymatgen.core import Structure

    record = json.loads(text)
    for name in ("structure", "raw"):
        if record[name] is not None:
            record[name] = Structure.from_dict(record[name])
    return Candidate(**record)
