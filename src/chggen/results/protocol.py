"""Results, the protocol of where the candidates of a run go, and results in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Protocol, runtime_checkable

from chggen.results.candidate import Candidate


@runtime_checkable
class Results(Protocol):
    """Where the candidates of a run go as they come. A run opens it as a context manager."""

    def __enter__(self) -> Results:
        """Open the results; candidates may be put from now on."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the results, also after an error."""
        ...

    def put(self, candidates: Iterable[Candidate]) -> None:
        """Keep candidates; one with an id that is there already replaces the earlier one.

        Args:
            candidates: The candidates.
        """
        ...

    def candidates(self) -> dict[str, Candidate]:
        """Return all candidates by id, in the order of their ids."""
        ...

    def export(self, candidates: Sequence[Candidate]) -> None:
        """Write what people read, such as a table, at the end of a run.

        Args:
            candidates: All candidates, ranked.
        """
        ...


class MemoryResults:
    """Results that live as long as the object; nothing is written."""

    def __init__(self) -> None:
        self._found: dict[str, Candidate] = {}

    def __enter__(self) -> MemoryResults:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep what there is."""

    def put(self, candidates: Iterable[Candidate]) -> None:
        """Keep candidates; one with an id that is there already replaces the earlier one.

        Args:
            candidates: The candidates.
        """
        self._found.update({c.id: c for c in candidates})

    def candidates(self) -> dict[str, Candidate]:
        """Return all candidates by id, in the order of their ids."""
        return dict(sorted(self._found.items()))

    def export(self, candidates: Sequence[Candidate]) -> None:
        """Write nothing.

        Args:
            candidates: All candidates, ranked.
        """
