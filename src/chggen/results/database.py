"""The database of a results folder: candidates as rows of an ASE database, and as records in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chggen.errors import InputError
from chggen.io import whole
from chggen.results.candidate import SCALAR_FIELDS, Candidate

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

FILE: Final = "candidates.db"
_SEARCHED: Final = ("energy_per_atom", "e_decomposition", "space_group")  # what `ase db` can select rows by
# ASE removes a row's old keys by its number, and has no index for that
_TABLES_OF_KEYS: Final = ("keys", "text_key_values", "number_key_values", "species")


class CandidateDatabase:
    """The candidates of one run, in memory and in the file `candidates.db`, which `ase db` opens.

    The file is read once, when it is opened. After that only new and changed candidates are written.

    Args:
        folder: The results folder, which this run has locked. The file is made where it does not exist.

    Raises:
        InputError: For a file that is no database of candidates, or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / FILE
        if not path.exists() or not path.stat().st_size:
            _make(path)
        self._database = _connected(path)
        self._candidates: dict[str, Candidate] = {}
        self._rows: dict[str, int] = {}
        with _readable(path):
            for row, candidate in _stored(self._database):
                self._candidates[candidate.id] = candidate
                self._rows[candidate.id] = row
            _index(self._database)

    def put(self, candidates: Iterable[Candidate]) -> None:
        """Write candidates in one transaction: all of them, or none when one of them fails.

        Args:
            candidates: The candidates. One with an id that is there already replaces the earlier one.
        """
        written: dict[str, Candidate] = {}
        rows: dict[str, int] = {}
        with self._database:
            for candidate in candidates:
                name = candidate.id
                rows[name] = self._database.write(
                    _atoms(candidate),
                    key_value_pairs=_searched(candidate),
                    data={"record": to_record(candidate)},
                    id=rows.get(name, self._rows.get(name)),
                )
                written[name] = candidate
        self._candidates |= written
        self._rows |= rows

    def candidates(self) -> dict[str, Candidate]:
        """Return all candidates by id, in the order of their ids."""
        return dict(sorted(self._candidates.items()))


def read_candidates(folder: Path) -> list[Candidate]:
    """Read the candidates of a results folder. Nothing is written, and a run may be under way there.

    Args:
        folder: A results folder of chggen.

    Returns:
        All candidates, in the order of their ids.

    Raises:
        InputError: When there are none, or the database is damaged.
    """
    path = folder / FILE
    if not path.is_file() or not path.stat().st_size:
        raise InputError(f"no candidates.db in {folder}, or an empty one; expected a results folder of chggen")
    with _readable(path):
        return sorted((candidate for _, candidate in _stored(_connected(path))), key=lambda c: c.id)


def to_record(candidate: Candidate) -> str:
    """Return all fields of a candidate as JSON.

    Args:
        candidate: Any candidate.

    Returns:
        JSON from which `from_record` makes an equal candidate.
    """
    record: dict[str, Any] = {name: getattr(candidate, name) for name in SCALAR_FIELDS}
    for name in ("structure", "raw"):
        value = getattr(candidate, name)
        record[name] = None if value is None else _structure_table(value)
    return json.dumps(record, default=dict)  # mappings of any kind


def from_record(text: str) -> Candidate:
    """Return the candidate of a record.

    Args:
        text: JSON as `to_record` returns it, or as versions before it wrote structures: pymatgen's dictionaries.

    Returns:
        The candidate.

    Raises:
        ValueError: The text is no JSON, or has fields that a candidate lacks.
        TypeError: The record lacks fields of a candidate.
        KeyError: A structure lacks something.
    """
    from pymatgen.core import Structure

    record = json.loads(text)
    if unknown := sorted(set(record) - {*SCALAR_FIELDS, "structure", "raw"}):
        raise ValueError(f"written by another version of chggen, with {', '.join(unknown)}")
    for name in ("structure", "raw"):
        table = record[name]
        if table is not None and "@class" in table:
            record[name] = Structure.from_dict(table)
        elif table is not None:
            record[name] = Structure(table["lattice"], table["species"], table["frac_coords"])
    return Candidate(**record)


def row_label(name: str) -> str:
    """Return a name as ASE's database takes it: text that reads as a number or a truth value is refused there.

    Args:
        name: Id of a candidate.

    Returns:
        The name itself, or `id NAME` where it reads as something else.
    """
    from ase.db.core import str_represents

    return f"id {name}" if any(str_represents(name, kind) for kind in (bool, int, float)) else name


def _structure_table(structure: Structure) -> dict[str, Any]:
    """Return a structure as short lists if elements on sites are all there is to it, else as pymatgen's dictionary."""
    from pymatgen.core import Element, Structure

    plain = (
        type(structure) is Structure
        and not structure.properties
        and all(structure.lattice.pbc)
        and all(
            site.is_ordered
            and type(site.specie) is Element
            and not site.properties
            and site.label == site.species_string
            for site in structure
        )
        and not structure.charge
    )
    if not plain:
        return dict(structure.as_dict())
    return {
        "lattice": structure.lattice.matrix.tolist(),
        "species": [site.specie.symbol for site in structure],
        "frac_coords": structure.frac_coords.tolist(),
    }


def _atoms(candidate: Candidate) -> Atoms:
    """Return the structure that a candidate's row shows."""
    from ase import Atoms
    from pymatgen.io.ase import AseAtomsAdaptor

    shown = candidate.structure if candidate.structure is not None else candidate.raw
    return Atoms() if shown is None else AseAtomsAdaptor.get_atoms(shown, msonable=False)


def _searched(candidate: Candidate) -> dict[str, Any]:
    """Return the key-value pairs of a candidate's row."""
    keys: dict[str, Any] = {
        "candidate": row_label(candidate.id),
        "stage": candidate.stage,
        "status": candidate.status,
    }
    keys |= {name: value for name in _SEARCHED if (value := getattr(candidate, name)) is not None}
    if candidate.parent is not None:
        keys["parent"] = row_label(candidate.parent)
    return keys


def _connected(path: Path) -> Any:
    from ase.db import connect

    # ASE's own lock file would outlive a killed run and block the next one for ever
    return connect(path, use_lock_file=False)


def _make(path: Path) -> None:
    """Make an empty database, which appears whole: ASE makes its tables one by one, and a run can be killed."""
    with whole(path) as temporary:
        temporary.unlink(missing_ok=True)  # of a killed run
        database = _connected(temporary)
        with database, database.managed_connection():  # makes the tables
            pass


def _index(database: Any) -> None:
    """Let rows be replaced in a time that does not grow with their number."""
    with database:
        for table in _TABLES_OF_KEYS:
            database.connection.execute(f"CREATE INDEX IF NOT EXISTS chggen_{table} ON {table}(id)")


def _stored(database: Any) -> Iterator[tuple[int, Candidate]]:
    """Yield the number and the candidate of each row."""
    with database:  # one connection for all rows
        for row in database.select(columns=["id"]):
            yield row.id, from_record(row.data["record"])


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Tell in one sentence, as an InputError, whatever reading a damaged file leads to."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a damaged row fails in any of three libraries
        raise InputError(
            f"{path} is no database of candidates ({type(error).__name__}: {error}); delete it or choose another folder"
        ) from None
