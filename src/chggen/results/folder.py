"""The results folder of a run: candidates in a database, files made from them, locking and resuming."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from chggen import __version__
from chggen.errors import InputError
from chggen.execution import Machine
from chggen.io import (
    cif_text,
    clear_leftovers,
    inside,
    locked,
    read_toml,
    to_toml,
    write_text,
)
from chggen.results.candidate import Candidate
from chggen.results.database import FILE, FORMAT, CandidateDatabase
from chggen.results.folder_tables import STRUCTURES, SUMMARY, write_tables
from chggen.results.options_differences import differences, shortened
from chggen.results.shared_database import SharedDatabase

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
_VERSION: Final = "chggen_version"  # keys of config.toml that are no options
_FORMAT: Final = "chggen_format"
CONFIG: Final = "config.toml"
_GROWING: Final = ("n",)  # options that may be raised: what was made stays, and more is made
_JUDGING: Final = ("judge_by", "judge_within")  # options that may change: what was made stays, and is judged once more
INPUTS: Final = "inputs"
"""Folder of the structures that a run was given."""
_LOG: Final = "log.txt"
_RUNS: Final = "runs.jsonl"  # which the campaign writes


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
        notes: What was said when they were read, for log.txt.
        machine: Where the files of structures/ are made; None: by one process for each core.
        database: Address of a database that candidates are put into as well, see `SharedDatabase`.

    Raises:
        InputError: When it is opened: the folder cannot be written, is in use, was made with other options or by a
            newer version, or its database is damaged.
    """

    def __init__(
        self,
        folder: Path,
        options: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        levels: Sequence[str] = (),
        structures: Mapping[str, Structure] | None = None,
        notes: Sequence[str] = (),
        machine: Machine | None = None,
        database: str | None = None,
    ) -> None:
        self.folder = folder
        self._address = database
        self._shared: SharedDatabase | None = None
        self._given = options
        self._machine = machine
        self._levels = tuple(levels)
        self._structures = dict(structures or {})
        self._notes = tuple(notes)

    def __enter__(self) -> Store:
        with ExitStack() as opened:
            opened.enter_context(locked(self.folder))
            self._check_places()
            command = self._keep_options().get("command", "a run")
            self._database = CandidateDatabase(self.folder)
            if self._address is not None:
                self._shared = SharedDatabase(self._address, self._name(), self._phases())
                self._shared.put(self.candidates().values())  # those of before, as they are now
            opened.enter_context(_logged(self.folder / _LOG))
            self._begun, self._ended = time.monotonic(), "nothing exported"
            log.info("begins: %s, chggen %s", command, __version__)
            for note in self._notes:
                log.info("%s", note)
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = time.monotonic() - self._begun
        log.info("ends after %.1f s: %s", seconds, self._ended if kind is None else f"unfinished ({kind.__name__})")
        self._opened.close()

    def _check_places(self) -> None:
        """Refuse, before anything is computed, what could not be written at the end; clear what killed runs left."""
        for path in (self.folder / name for name in (_LOG, SUMMARY, _RUNS)):
            if os.path.lexists(path) and not path.is_file():  # a folder, a pipe, a link to nothing
                raise InputError(f"{path} is in the way of the file of that name; move it away")
        for place in (self.folder / STRUCTURES, self.folder / INPUTS):
            if place.exists() and not place.is_dir():
                raise InputError(f"{place} is in the way of the folder of that name; move it away")
            clear_leftovers(place)
        clear_leftovers(self.folder)

    def check(self) -> None:
        """Refuse, before it is opened, a folder that was made with other options. Nothing is written.

        Raises:
            InputError: It was, or its options cannot be read.
        """
        if (self.folder / CONFIG).exists():
            self._compared(self._wanted())

    def _wanted(self) -> dict[str, Any]:
        return dict(self._given() if callable(self._given) else self._given)

    def _keep_options(self) -> dict[str, Any]:
        """Write the options down, or compare them with those that are there. Return them."""
        path, options = self.folder / CONFIG, self._wanted()
        if not path.exists():
            if (self.folder / FILE).exists():
                raise InputError(f"{self.folder} holds candidates but no {CONFIG}; choose another --out")
            for name, structure in self._structures.items():
                write_text(inside(self.folder / INPUTS, name, ".cif"), cif_text(structure, None))
            write_text(path, to_toml({**options, _VERSION: __version__, _FORMAT: FORMAT}))
        elif grown := self._compared(options):
            write_text(path, to_toml({**read_toml(path), **grown}))
        return options

    def _compared(self, options: dict[str, Any]) -> dict[str, Any]:
        """Compare options with those that are kept; return those of which more is asked for now, and new judges."""
        wanted = json.loads(json.dumps({k: v for k, v in options.items() if v is not None}))
        kept = read_options(self.folder)
        made_by = kept.pop(_VERSION, None)  # a run may go on with another version
        if unknown := sorted(set(kept) - set(options)):
            raise InputError(
                f"{self.folder / CONFIG} has {', '.join(unknown)}, which chggen {__version__} does not know; it was "
                f"made by chggen {made_by}: use that version, or choose another --out"
            )
        grown = {key: wanted[key] for key in _GROWING if _is_raised(kept.get(key), wanted.get(key))}
        judged = {key: wanted.pop(key, None) for key in _JUDGING}
        before = {key: kept.pop(key, None) for key in _JUDGING}
        if told := differences(kept, {**wanted, **{key: kept[key] for key in grown}}):
            raise InputError(
                f"{shortened(str(self.folder), 60)} was made with {told}; repeat the old options to resume, or choose "
                "another --out"
            )
        return grown | judged if judged["judge_by"] and judged != before else grown

    def put(self, candidates: Iterable[Candidate]) -> None:
        """Write candidates in one transaction: all of them, or none when one of them fails.

        Args:
            candidates: The candidates. One with an id that is there already replaces the earlier one.
        """
        written = list(candidates)
        self._database.put(written)
        if self._shared is not None:
            self._shared.put(written)

    def _name(self) -> str:
        """Name of the run in a database that many share: that of the folder, and a digest of its options."""
        kept = {k: v for k, v in read_options(self.folder).items() if k not in (*_GROWING, *_JUDGING, _VERSION)}
        told = hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
        return f"{self.folder.resolve().name}-{told[:12]}"

    def _phases(self) -> str:
        """Digest of the known phases that candidates are placed on; empty where that is not known."""
        kept = read_options(self.folder)
        told = [value for key in ("references", "references_content") if (value := kept.get(key))]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12] if told else ""

    def candidates(self) -> dict[str, Candidate]:
        """Return all candidates by id, in the order of their ids."""
        return self._database.candidates()

    def export(self, candidates: Sequence[Candidate]) -> None:
        """Write summary.csv, and structures/ID.cif (symmetrised) and ID-P1.cif where they are not up to date.

        Args:
            candidates: All candidates, in the order of the table's rows.
        """
        write_tables(self.folder, candidates, self._levels, self._machine)
        if self._shared is not None and self._shared.missing:
            self._shared.put(())
        counts = Counter(c.status for c in candidates)
        self._ended = f"{counts['ok']} ok, {counts['failed']} failed"


def read_options(folder: Path) -> dict[str, Any]:
    """Read the options of a results folder from its config.toml.

    Args:
        folder: A results folder.

    Returns:
        Option to value, with `chggen_version`. Empty where there is no config.toml.

    Raises:
        InputError: The file cannot be read, or the folder was made by a newer version.
    """
    path = folder / CONFIG
    if not path.exists():
        return {}
    kept = read_toml(path)
    number = kept.pop(_FORMAT, 1)
    if not isinstance(number, int) or isinstance(number, bool) or number > FORMAT:
        raise InputError(
            f"{path} has {_FORMAT} = {number!r} (chggen {kept.get(_VERSION)}), and chggen {__version__} reads up to "
            f"{FORMAT}; update chggen"
        )
    return kept


def _is_raised(kept: Any, wanted: Any) -> bool:
    """Return whether a number is a larger one now."""
    return isinstance(kept, int) and isinstance(wanted, int) and wanted > kept


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Write what chggen logs to a file, too."""
    try:
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise InputError(f"cannot write {path} ({error.strerror}); move it away, or make it writable") from None
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
