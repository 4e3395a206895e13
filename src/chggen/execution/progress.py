"""Progress, the callback that tells how far a run is."""

from __future__ import annotations

from collections.abc import Callable

# stage, candidates done, candidates in all, of them failed
Progress = Callable[[str, int, int, int], None]


def silent(stage: str, done: int, total: int, failures: int) -> None:
    """Progress that nobody watches."""
