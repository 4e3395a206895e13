"""The database of a results folder: candidates as rows of an ASE database, and as records in them."""

from __future__ import annotations

import contextlib
import logging
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

from chggen import __version__
from chggen.errors import InputError
from chggen.io import whole
from chggen.results.ase_atoms import row_of
from chggen.results.candidate import Candidate
from chggen.results.database_errors import told
from chggen.results.record import from_record, to_record

log = logging.getLogger(__name__)
FILE: Final = "candidates.db"
FORMAT: Final = 2
"""Format of a results folder. Version 1 stated none. A higher one than this is refused, an older one is read."""
_FORMAT_KEY: Final = "chggen_format"
_SEARCHED: Final = (  # what `ase db` can show and select rows by, besides energies at levels
    "stage", "status", "failed_at", "seed_source", "level", "energy_per_atom", "e_decomposition", "space_group",
    "space_group_loose", "volume_per_atom", "decomposition_products", "known_as", "hull_warning", "n_found",
    "found_by", "confidence", "probability", "converged",
)  # fmt: skip
_NAMES: Final = ("parent", "duplicate_of")  # of candidates
_TABLES: Final = {"systems", "species", "keys", "text_key_values", "number_key_values", "information"}
# ASE removes a row's old keys by its number, and has no index for that
_TABLES_OF_KEYS: Final = ("keys", "text_key_values", "number_key_values", "species")
_A_TRY: Final = 1.0  # s that one try waits for another program; an interrupt is heard between two
_PATIENCE: Final = {"read": 60.0, "write": 600.0}  # s; what is to be written took long to compute
_T = TypeVar("_T")


class CandidateDatabase:
    """The candidates of one run, in memory and in the file `candidates.db`, which `ase db` opens.

    The file is read once, when it is opened. After that only new and changed candidates are written. Where another
    program holds the file, a warning is logged and the run waits, up to ten minutes.

    Args:
        folder: The results folder, which this run has locked. The file is made where it does not exist.

    Raises:
        InputError: For a file that is no database of candidates, is damaged, cannot be read or written, is held by
            another program, or was made by a newer version.
    """

    def __init__(self, folder: Path) -> None:
        self._path = path = folder / FILE
        with told(path):
            if not path.exists() or _patiently(path, "read", lambda: _never_finished(path)):
                _make(path)
            self._database = _connected(path)
            found = _patiently(path, "read", lambda: _stored(self._database))
            _patiently(path, "read", lambda: _prepared(self._database))
        self._candidates = {candidate.id: candidate for _, candidate in found}
        self._in_order = False
        self._rows = {candidate.id: row for row, candidate in found}

    def put(self, candidates: Iterable[Candidate]) -> None:
        """Write candidates in one transaction: all of them, or none when one of them fails.

        Args:
            candidates: The candidates. One with an id that is there already replaces the earlier one.

        Raises:
            InputError: Another program holds the file for too long, or it cannot be written.
        """
        written = {candidate.id: candidate for candidate in candidates}
        with told(self._path, (sqlite3.Error, OSError)):
            if not self._path.exists():
                raise InputError(f"{self._path} was removed while a run went on; repeat the command to make it anew")
            rows = _patiently(self._path, "write", lambda: self._write(written.values()))
        self._in_order = self._in_order and written.keys() <= self._candidates.keys()
        self._candidates |= {name: candidate.packed() for name, candidate in written.items()}
        self._rows |= rows

    def _write(self, candidates: Iterable[Candidate]) -> dict[str, int]:
        """Write candidates in one transaction, and return the number of each one's row."""
        rows: dict[str, int] = {}
        with _session(self._database):
            for candidate in candidates:
                rows[candidate.id] = self._database.write(
                    row_of(candidate),
                    key_value_pairs=searched(candidate),
                    data={"record": to_record(candidate)},
                    id=self._rows.get(candidate.id),
                )
        return rows

    def candidates(self) -> dict[str, Candidate]:
        """Return all candidates by id, in the order of their ids."""
        if not self._in_order:
            self._candidates = dict(sorted(self._candidates.items()))
            self._in_order = True
        return dict(self._candidates)


def read_candidates(folder: Path, or_none: bool = False) -> list[Candidate]:
    """Read the candidates of a results folder. Nothing is written, and a run may be under way there.

    Args:
        folder: A results folder of chggen.
        or_none: Whether a run without any candidate is one, too.

    Returns:
        All candidates, in the order of their ids.

    Raises:
        InputError: There are none, or the database is damaged, cannot be read, is held by another program, or was made
            by a newer version.
    """
    path = folder / FILE
    with told(path):
        if not path.is_file() or not path.stat().st_size:
            raise InputError(f"no candidates.db in {folder}, or an empty one; expected a results folder of chggen")
        database = _connected(path)
        found = _patiently(path, "read", lambda: _stored(database))
    if not (found or or_none):
        raise InputError(f"{folder} holds no candidates yet; wait for the first one, or repeat its command")
    return sorted((candidate for _, candidate in found), key=lambda c: c.id)


@lru_cache(maxsize=10_000)  # many rows say the same
def row_label(name: str) -> str:
    """Return a text as ASE's database takes it: text that reads as a number or a truth value is refused there.

    Args:
        name: A text, such as the id of a candidate.

    Returns:
        The text itself, or `id TEXT` where it reads as something else, or begins with `id ` already. So no two texts
        share one.
    """
    from ase.db.core import str_represents

    reads_otherwise = any(str_represents(name, kind) for kind in (bool, int, float))
    return f"id {name}" if reads_otherwise or name.startswith("id ") else name


def searched(candidate: Candidate) -> dict[str, Any]:
    """Return the key-value pairs of a candidate's row, by which rows are found.

    Args:
        candidate: The candidate.
    """
    keys: dict[str, Any] = {"candidate": candidate.id}
    keys |= {name: getattr(candidate, name) for name in (*_NAMES, *_SEARCHED)}
    for level in candidate.energies:
        if level != candidate.level:
            ending = re.sub(r"\W", "_", level, flags=re.ASCII)
            keys[f"energy_per_atom_{ending}"] = candidate.energies[level]
            keys[f"e_decomposition_{ending}"] = candidate.decomposition_energies.get(level)
    return {k: row_label(v) if isinstance(v, str) else v for k, v in keys.items() if v is not None}


def _connected(path: Path) -> Any:
    """Return ASE's database of a file. Each try to use it waits a second for other programs that hold the file."""
    from ase.db import connect

    # ASE's own lock file would outlive a killed run and block the next one for ever
    database: Any = connect(path, use_lock_file=False)
    database._connect = lambda: sqlite3.connect(database.filename, timeout=_A_TRY)  # ASE: 20 s, deaf to interrupts
    database._get_external_table_names = lambda *_: []  # there are none, and ASE would look for them for each row
    return database


def _make(path: Path) -> None:
    """Make an empty database, which appears whole: ASE makes its tables one by one, and a run can be killed."""
    with whole(path) as temporary:
        _prepared(_connected(temporary))


def _never_finished(path: Path) -> bool:
    """Return whether a file is empty, or a database without rows whose making was stopped, by an earlier version."""
    if not path.is_file() or not path.stat().st_size:
        return path.is_file()
    with contextlib.closing(sqlite3.connect(path, timeout=_A_TRY)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        own = tables - {"sqlite_sequence"}

        def empty(table: str) -> bool:
            return table not in own or not connection.execute(f"SELECT EXISTS (SELECT * FROM {table})").fetchone()[0]

        return own <= _TABLES and empty("systems") and empty("information")  # else whole, or another program's


def _prepared(database: Any) -> None:
    """State the format, and let rows be replaced in a time that does not grow with their number."""
    with _session(database):
        with database.managed_connection():  # makes the tables of a new file
            pass
        if _FORMAT_KEY not in database.metadata:
            database.metadata = {**database.metadata, _FORMAT_KEY: FORMAT, "chggen_version": __version__}
        for table in _TABLES_OF_KEYS:
            database.connection.execute(f"CREATE INDEX IF NOT EXISTS chggen_{table} ON {table}(id)")


def _stored(database: Any) -> list[tuple[int, Candidate]]:
    """Return the number and the candidate of each row."""
    with _session(database):
        database.connection.execute("SELECT id FROM systems LIMIT 1").fetchall()  # ASE would make what is missing
        metadata = database.metadata
        if not isinstance(metadata.get(_FORMAT_KEY, 1), int) or metadata.get(_FORMAT_KEY, 1) > FORMAT:
            raise InputError(
                f"{database.filename} has format {metadata[_FORMAT_KEY]!r} (chggen {metadata.get('chggen_version')}), "
                f"and chggen {__version__} reads up to {FORMAT}; update chggen"
            )
        found = [(row.id, from_record(row.data["record"])) for row in database.select(columns=["id"])]
    if twice := [name for name, rows in Counter(c.id for _, c in found).items() if rows > 1]:
        raise ValueError(f"{twice[0]} has two rows")
    return found


@contextmanager
def _session(database: Any) -> Iterator[None]:
    """Use one connection for a block, whose changes are kept all or not at all."""
    database.__enter__()
    connection = database.connection
    try:
        yield
        connection.commit()
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.rollback()
        raise
    finally:
        database.connection = None
        connection.close()


def _patiently(path: Path, what: str, action: Callable[[], _T]) -> _T:
    """Return what an action returns; try it again while another program holds the file. what: a key of _PATIENCE."""
    began = time.monotonic()
    waited = False
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() - began > _PATIENCE[what]:
                raise
        if not waited:
            log.warning("%s is held by another program; waiting for it", path)
        waited = True
        time.sleep(0.1)
