"""The results folder: candidates in an ASE database, and what is derived from them; locking and resuming."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
import logging
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from chggen.candidate import SCALAR_FIELDS, SUMMARY_COLUMNS, Candidate
from chggen.config import InputError, read_toml, to_toml
from chggen.files import cif_text, write_text

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)


class Store:
    """One results folder, open for one run at a time (use as a context manager).

    Opening it with the options of the run that made it continues that run; other options are refused. Raises
    InputError when the folder cannot be written, is in use, or was made with other options.
    """

    def __init__(self, folder: Path, options: Mapping[str, Any]) -> None:
        self.folder = folder
        self._options = dict(options)

    def __enter__(self) -> Store:
        self._lock = locked(self.folder)
        try:
            self._keep_options()
            self._db = _database(self.folder)
        except InputError:
            self._lock.close()
            raise
        self._log = logging.FileHandler(self.folder / "log.txt")
        self._log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger = logging.getLogger("chggen")
        logger.addHandler(self._log)
        self._level = logger.level
        logger.setLevel(logging.INFO)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logger = logging.getLogger("chggen")
        logger.removeHandler(self._log)
        logger.setLevel(self._level)
        self._log.close()
        self._lock.close()

    def _keep_options(self) -> None:
        path = self.folder / "config.toml"
        wanted = json.loads(json.dumps({k: v for k, v in self._options.items() if v is not None}))
        if not path.exists():
            if (self.folder / "candidates.db").exists():
                raise InputError(f"{self.folder} holds candidates but no config.toml; choose another --out")
            write_text(path, to_toml(self._options))
            return
        kept = read_toml(path)
        for key in sorted(set(kept) | set(wanted)):
            if kept.get(key) != wanted.get(key):
                raise InputError(
                    f"{self.folder} was made with {key} = {kept.get(key)!r}, now {wanted.get(key)!r} is asked for; "
                    "repeat the old options to resume or choose another --out"
                )

    def put(self, candidates: Iterable[Candidate]) -> None:
        """Write candidates in one transaction; one with an id that is there already replaces the old record."""
        from ase import Atoms
        from pymatgen.io.ase import AseAtomsAdaptor

        known = self._rows_by_id()
        with self._db:
            for candidate in candidates:
                shown = candidate.structure if candidate.structure is not None else candidate.raw
                atoms = AseAtomsAdaptor.get_atoms(shown, msonable=False) if shown is not None else Atoms()
                keys: dict[str, Any] = {
                    "candidate": _label(candidate.id),
                    "stage": candidate.stage,
                    "status": candidate.status,
                }
                for name in ("energy_per_atom", "e_decomposition", "space_group"):
                    value = getattr(candidate, name)
                    if value is not None:
                        keys[name] = value
                if candidate.parent is not None:
                    keys["parent"] = _label(candidate.parent)
                row = known.get(_label(candidate.id))
                self._db.write(atoms, key_value_pairs=keys, data={"record": _to_record(candidate)}, id=row)

    def candidates(self) -> dict[str, Candidate]:
        """All candidates by id, in the order of their ids."""
        found = (_from_record(row.data["record"]) for row in self._db.select())
        return dict(sorted((c.id, c) for c in found))

    def _rows_by_id(self) -> dict[str, int]:
        """Label → number of the row."""
        return {row.candidate: row.id for row in self._db.select(include_data=False)}

    def export(self, candidates: Sequence[Candidate]) -> None:
        """Write summary.csv and structures/ID.cif (symmetrised) and ID-P1.cif from candidates in the order given."""
        write_text(self.folder / "summary.csv", summary_text(candidates))
        folder = self.folder / "structures"
        folder.mkdir(exist_ok=True)
        for candidate in candidates:
            if candidate.structure is not None:
                write_cifs(candidate, folder)


def locked(folder: Path) -> TextIO:
    """The folder's lock file, which is this run's until it is closed. Raises InputError where another run has it."""
    lock = (writable_folder(folder) / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise InputError(f"{folder} is in use by another run; wait for it or choose another --out") from None
    return lock


def writable_folder(folder: Path) -> Path:
    """The folder, made where it is not there. Raises InputError when nothing can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write results to {folder} ({error.strerror}); choose another --out") from None
    if not os.access(folder, os.W_OK):
        raise InputError(f"cannot write results to {folder} (no permission); choose another --out")
    return folder


def fingerprint(structure: Structure) -> str:
    """What stands for a given structure in the options of a run."""
    return hashlib.sha256(repr((structure.lattice.matrix.tolist(), str(structure))).encode()).hexdigest()[:16]


def write_cifs(candidate: Candidate, folder: Path) -> None:
    """ID.cif in the symmetry found at 0.1 Å, stated in a comment, and its twin ID-P1.cif with every atom."""
    assert candidate.structure is not None
    symprec = 0.1
    note = f"chggen candidate {candidate.id}\n"
    if candidate.refined_symprec is not None:
        note += (
            f"relaxed, then symmetrised at {candidate.refined_symprec:g} Å, which moved atoms by "
            f"{candidate.refined_rms:.4f} Å (rms), {candidate.refined_max:.4f} Å at most\n"
        )
    try:
        text = cif_text(candidate.structure, symprec, note + f"symmetrised with symprec {symprec} Å")
    except Exception as error:  # spglib can fail where the twin in P1 still serves
        log.warning("%s: no symmetrised CIF: %s", candidate.id, error)
        text = cif_text(candidate.structure, None, note + "symmetry not found, written in P1")
    write_text(folder / f"{candidate.id}.cif", text)
    write_text(folder / f"{candidate.id}-P1.cif", cif_text(candidate.structure, None, note + "P1, every atom"))


def summary_text(candidates: Sequence[Candidate]) -> str:
    """summary.csv: the contract's columns, a row a candidate; numbers rounded to what is meaningful."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, SUMMARY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for candidate in candidates:
        row = candidate.summary_row()
        writer.writerow({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()})
    return buffer.getvalue()


def read_candidates(folder: Path) -> list[Candidate]:
    """The candidates of a results folder, read only. Raises InputError when there are none."""
    path = folder / "candidates.db"
    if not path.is_file() or not path.stat().st_size:
        raise InputError(f"no candidates.db in {folder}, or an empty one; expected a results folder of chggen")
    found = [_from_record(row.data["record"]) for row in _database(folder).select()]
    return sorted(found, key=lambda c: c.id)


def _database(folder: Path) -> Any:
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


def _label(name: str) -> str:
    """The name as ASE's database takes it: text that reads as a number or a truth value is refused there."""
    from ase.db.core import str_represents

    return f"id {name}" if any(str_represents(name, kind) for kind in (bool, int, float)) else name


def _to_record(candidate: Candidate) -> str:
    record: dict[str, Any] = {name: getattr(candidate, name) for name in SCALAR_FIELDS}
    for name in ("structure", "raw"):
        value = getattr(candidate, name)
        record[name] = None if value is None else value.as_dict()
    return json.dumps(record)


def _from_record(text: str) -> Candidate:
    from pymatgen.core import Structure

    record = json.loads(text)
    for name in ("structure", "raw"):
        if record[name] is not None:
            record[name] = Structure.from_dict(record[name])
    return Candidate(**record)
