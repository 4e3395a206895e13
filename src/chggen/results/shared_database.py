"""A database that many runs share, such as one of a group: candidates as rows of ASE's database on a server."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import combinations
from typing import Any, Final
from urllib.parse import unquote

from chggen.errors import InputError, one_line
from chggen.results.ase_atoms import row_of
from chggen.results.candidate import Candidate
from chggen.results.database import row_label, searched
from chggen.results.record import from_record, to_record

log = logging.getLogger(__name__)
_ADDRESS: Final = re.compile(r"(postgresql|mysql|mariadb)://.+")
_RUN: Final = "run"
_SYSTEM: Final = "system"
_PHASES: Final = "known_phases"


def is_address(text: str) -> bool:
    """Return whether a text is the address of a server rather than the path of a folder.

    Args:
        text: Such as `postgresql://user@host/database`, also with the single slash that paths leave of it.
    """
    return re.match(r"[a-z][a-z0-9+.-]+:/", text) is not None


def check_address(address: str) -> None:
    """Check that a database can be asked for by this address, and that what reads it is installed.

    Args:
        address: Such as `postgresql://user:password@host:5432/database`.

    Raises:
        InputError: It cannot, or it is not.
    """
    if _ADDRESS.fullmatch(address) is None:
        shown = shown_address(address)
        raise InputError(f"database: expected postgresql://USER:PASSWORD@HOST/NAME (or mysql, mariadb), got '{shown}'")
    if find_spec("ase_db_backends") is None:
        raise InputError("a shared database needs packages that are not installed; install chggen[database]")


class SharedDatabase:
    """The rows of one run in a database that many runs share.

    A run is told apart by its name, and a candidate by its id: what is put again replaces its row.

    Args:
        address: Address of the server, see `check_address`.
        run: Name of the run, which other runs do not have.
        phases: What tells the known phases that its candidates are placed on from those of other runs.

    Raises:
        InputError: The server does not answer, or refuses the user.
    """

    def __init__(self, address: str, run: str, phases: str = "") -> None:
        self._address = address
        self._further = {_RUN: row_label(run), **({_PHASES: row_label(phases)} if phases else {})}
        self._database = _connected(address)
        with _told(address):
            rows = self._database.select(run=row_label(run), columns=["id", "key_value_pairs"])
            self._rows = {str(row.key_value_pairs["candidate"]): int(row.id) for row in rows}
        self._unsent: dict[str, Candidate] = {}

    @property
    def missing(self) -> int:
        """Number of candidates that could not be sent so far."""
        return len(self._unsent)

    def put(self, candidates: Iterable[Candidate]) -> None:
        """Send candidates. Those of a server that does not answer are kept, and sent with the next ones.

        Args:
            candidates: The candidates.
        """
        self._unsent |= {candidate.id: candidate for candidate in candidates}
        rows: dict[str, int] = {}
        try:
            if self._database is None:
                self._database = _connected(self._address)
            with _told(self._address), self._database:
                for candidate in self._unsent.values():
                    label = row_label(candidate.id)
                    rows[label] = self._database.write(
                        row_of(candidate),
                        key_value_pairs=searched(candidate) | self._further | {_SYSTEM: _system(candidate)},
                        data={"record": to_record(candidate)},
                        id=self._rows.get(label),
                    )
        except InputError as error:
            self._database = None  # a connection that failed once is of no use
            log.warning("%d candidates are not in the shared database yet: %s", len(self._unsent), error)
        else:
            self._rows |= rows
            self._unsent.clear()


def read_shared(address: str, system: str) -> dict[str, list[Candidate]]:
    """Read the candidates of a system and of all systems within it, of all runs.

    Args:
        address: Address of the server.
        system: Element symbols such as Li-Si.

    Returns:
        Name of a run to its candidates, in the order of their ids.

    Raises:
        InputError: The server does not answer, has no candidate of the system, or the runs were placed on different
            known phases.
    """
    from chggen.crystals import system_elements

    elements = sorted(system_elements(system))
    within = ["-".join(part) for n in range(1, len(elements) + 1) for part in combinations(elements, n)]
    found: dict[str, list[Candidate]] = {}
    hulls: dict[str, str] = {}
    with _told(address):
        database = _connected(address)
        for one in within:
            for row in database.select(**{_SYSTEM: row_label(one)}):
                keys = row.key_value_pairs
                found.setdefault(str(keys[_RUN]), []).append(from_record(row.data["record"]))
                if _PHASES in keys:
                    hulls.setdefault(str(keys[_PHASES]), str(keys[_RUN]))
    if not found:
        raise InputError(f"no candidates of {'-'.join(elements)} in {shown_address(address)}; name another system")
    if len(hulls) > 1:
        one, other = list(hulls.values())[:2]
        raise InputError(
            f"{one} and {other} were placed on different known phases, so that their E_d cannot be compared; give runs "
            "of one database the same --references"
        )
    return {run: sorted(own, key=lambda c: c.id) for run, own in sorted(found.items())}


def _system(candidate: Candidate) -> str:
    """Return the chemical system of a candidate, its symbols in the order of the alphabet."""
    from chggen.crystals import parse_formula

    return row_label("-".join(sorted(parse_formula(candidate.formula))))


def _connected(address: str) -> Any:
    from ase.db import connect

    check_address(address)
    with _told(address):
        database: Any = connect(address, use_lock_file=False)
        with database:  # the first use says whether there is a server
            pass
        return database


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Turn what a server or the way to it leads to into an InputError, which does not show the password."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # of ASE and of two libraries, which may not be there to be named
        password = re.search(r"//[^:/@]*:(.*)@", address)
        text = str(error)
        for secret in {password[1], unquote(password[1])} - {""} if password else ():
            text = text.replace(secret, "…")
        text = one_line(text, 120)
        raise InputError(
            f"the database at {shown_address(address)} cannot be used ({text}); results in the folder are kept; "
            "repeat the command when it can"
        ) from None


def shown_address(address: str) -> str:
    """Return an address as it may be written down: without its password.

    Args:
        address: Address of a server.
    """
    return re.sub(r"(:/+[^:/@]*):.*@", r"\1@", address)  # to the last @: a password may hold others
