"""Store, the results folder: candidates in a database and what is derived from them; locking and resuming."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from chggen.errors import InputError
from chggen.io import locked, read_toml, to_toml, write_text
from chggen.results.candidate import Candidate
from chggen.results.cif_files import write_cifs
from chggen.results.database import from_record, open_database, row_label, to_record
from chggen.results.summary import summary_text


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
            self._db = open_database(self.folder)
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
                    "candidate": row_label(candidate.id),
                    "stage": candidate.stage,
                    "status": candidate.status,
                }
                for name in ("energy_per_atom", "e_decomposition", "space_group"):
                    value = getattr(candidate, name)
                    if value is not None:
                        keys[name] = value
                if candidate.parent is not None:
                    keys["parent"] = row_label(candidate.parent)
                row = known.get(row_label(candidate.id))
                self._db.write(atoms, key_value_pairs=keys, data={"record": to_record(candidate)}, id=row)

    def candidates(self) -> dict[str, Candidate]:
        """All candidates by id, in the order of their ids."""
        found = (from_record(row.data["record"]) for row in self._db.select())
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
