"""The results folder of a run: candidates in a database, files made from them, locking and resuming."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from chggen import __version__
from chggen.errors import InputError
from chggen.io import cif_text, locked, read_toml, to_toml, write_text
from chggen.results.candidate import Candidate
from chggen.results.cif_files import write_cifs
from chggen.results.database import FILE, CandidateDatabase
from chggen.results.summary import summary_text

if TYPE_CHECKING:
    from pymatgen.core import Structure

_GROWING: Final = ("n",)  # options that may be raised: what was made stays, and more is made
_VERSION: Final = "chggen_version"  # key of config.toml


class Store:
    """One results folder, open for one run at a time: a context manager.

    Opening it with the options of the run that made it continues that run, and so does asking for more candidates.
    Other options are refused.

    Args:
        folder: The folder. It is made when it is opened.
        options: The options of the run, kept in config.toml. Those that are None are left out.
        levels: Names of further levels of theory that summary.csv has columns for, whether or not a candidate has
            energies there.
        structures: Input structures by name, kept in the folder `inputs` when the run begins.

    Raises:
        InputError: When it is opened: the folder cannot be written, is in use, was made with other options, or its
            database is damaged.
    """

    def __init__(
        self,
        folder: Path,
        options: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        levels: Sequence[str] = (),
        structures: Mapping[str, Structure] | None = None,
    ) -> None:
        self.folder = folder
        self._given = options
        self._levels = tuple(levels)
        self._structures = dict(structures or {})

    def __enter__(self) -> Store:
        with ExitStack() as opened:
            opened.enter_context(locked(self.folder))
            self._keep_options()
            self._database = CandidateDatabase(self.folder)
            opened.enter_context(_logged(self.folder / "log.txt"))
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def _keep_options(self) -> None:
        path = self.folder / "config.toml"
        options = dict(self._given() if callable(self._given) else self._given)
        wanted = json.loads(json.dumps({k: v for k, v in options.items() if v is not None}))
        if not path.exists():
            if (self.folder / FILE).exists():
                raise InputError(f"{self.folder} holds candidates but no config.toml; choose another --out")
            for name, structure in self._structures.items():
                write_text(self.folder / "inputs" / f"{name}.cif", cif_text(structure, None))
            write_text(path, to_toml({**options, _VERSION: __version__}))
            return
        kept = read_toml(path)
        for table in (kept, wanted):
            table.pop(_VERSION, None)  # a run may go on with another version
        grown = {key: wanted[key] for key in _GROWING if _is_raised(kept.get(key), wanted.get(key))}
        for key in sorted(set(kept) | set(wanted)):
            if kept.get(key) != wanted.get(key) and key not in grown:
                raise InputError(
                    f"{self.folder} was made with {key} = {kept.get(key)!r}, now {wanted.get(key)!r} is asked for; "
                    "repeat the old options to resume or choose another --out"
                )
        if grown:
            write_text(path, to_toml({**read_toml(path), **grown}))

    def put(self, candidates: Iterable[Candidate]) -> None:
        """Write candidates in one transaction: all of them, or none when one of them fails.

        Args:
            candidates: The candidates. One with an id that is there already replaces the earlier one.
        """
        self._database.put(candidates)

    def candidates(self) -> dict[str, Candidate]:
        """Return all candidates by id, in the order of their ids."""
        return self._database.candidates()

    def export(self, candidates: Sequence[Candidate]) -> None:
        """Write summary.csv, and structures/ID.cif (symmetrised) and ID-P1.cif where they are not up to date.

        Args:
            candidates: All candidates, in the order of the table's rows.
        """
        write_text(self.folder / "summary.csv", summary_text(candidates, self._levels))
        folder = self.folder / "structures"
        folder.mkdir(exist_ok=True)
        write_cifs(candidates, folder)


def _is_raised(kept: Any, wanted: Any) -> bool:
    """Return whether a number is a larger one now."""
    return isinstance(kept, int) and isinstance(wanted, int) and wanted > kept


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Write what chggen logs to a file, too."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("chggen")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()
