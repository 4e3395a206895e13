"""A note of what a process is computing, for the run that comes after a process that did not survive it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chggen.io import own_text


class UnderWay:
    """The file that names the items of the batch that a process computes itself.

    The file is gone after each batch. One that is found at the start of a run was left by a process that was killed,
    perhaps by one of the items that it names. These are then computed in a process of their own.

    Args:
        path: The file; None where nothing is written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._open: set[str] | None = None

    def suspects(self) -> frozenset[str]:
        """Return the names that a killed process left and that have not been computed since."""
        if self._open is None:
            self._open = set(self._left())
        return frozenset(self._open)

    def settled(self, names: Iterable[str] | None = None) -> None:
        """Say that suspects have been computed, or are not asked for any more.

        Args:
            names: Their names; None for all.
        """
        self._open = set() if names is None else set(self.suspects() - set(names))
        self._write(())

    @contextmanager
    def noted(self, names: Iterable[str]) -> Iterator[None]:
        """Note for the length of a block what is computed in it.

        Args:
            names: Names of the items.
        """
        self._write(names)
        try:
            yield
        finally:
            self._write(())

    def _write(self, names: Iterable[str]) -> None:
        """Write down these names and those of suspects; without any there is no file."""
        if self._path is None:
            return
        if noted := sorted({*self.suspects(), *names}):
            self._path.write_text(json.dumps(noted))  # one that is cut off means nothing
        else:
            self._path.unlink(missing_ok=True)

    def _left(self) -> list[str]:
        if self._path is None:
            return []
        try:
            found = json.loads(own_text(self._path))
            return [name for name in found if isinstance(name, str)]
        except (OSError, ValueError, TypeError):  # none is there, or one that means nothing
            return []
