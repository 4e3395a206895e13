"""Results, the protocol of where candidates go, and a store in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from chggen.results.candidate import Candidate


@runtime_checkable
class Results(Protocol):
    """Where candidates go as they come: a results folder or memory."""

    def put(self, candidates: Iterable[Candidate]) -> None: ...
    def candidates(self) -> dict[str, Candidate]: ...
    def export(self, candidates: Sequence[Candidate]) -> None: ...


class MemoryResults:
    """Results that live as long as the call."""

    def __init__(self) -> None:
        self._found: dict[str, Candidate] = {}

    def put(self, candidates: Iterable[Candidate]) -> None:
        self._found.update({c.id: c for c in candidates})

    def candidates(self) -> dict[str, Candidate]:
        return dict(sorted(self._found.items()))

    def export(self, candidates: Sequence[Candidate]) -> None:
        """Nothing to write."""
