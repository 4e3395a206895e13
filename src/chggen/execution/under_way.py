"""A note of what a process is computing, for the run that comes after a process that did not survive it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class UnderWay:
    """The file that names the items of the batch that a process computes itself.

    The file is gone after each batch. One that is found at the start of a run was left by a process that was killed,
    perhaps by one of the items that it names. These are then computed in a process of their own.

    Args:
        path: The file; None where nothing is written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._suspects: frozenset[str] | None = None

    def suspects(self) -> frozenset[str]:
        """Return the names that a killed process left, as they were when this was first asked for."""
        if self._suspects is None:
            self._suspects = frozenset(self._left())
        return self._suspects

    @contextmanager
    def noted(self, names: Iterable[str]) -> Iterator[None]:
        """Note for the length of a block what is computed in it.

        Args:
            names: Names of the items.
        """
        if self._path is None:
            yield
            return
        self.suspects()  # before they are written over
        self._path.write_text(json.dumps(sorted(names)))  # one that is cut off means nothing
        try:
            yield
        finally:
            self._path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove a note that a killed process left, once the items that it names are computed."""
        self.suspects()  # which stay known to this process
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _left(self) -> list[str]:
        if self._path is None:
            return []
        try:
            found = json.loads(self._path.read_text())
            return [name for name in found if isinstance(name, str)]
        except (OSError, ValueError, TypeError):  # none is there, or one that means nothing
            return []
