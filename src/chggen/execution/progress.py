"""Progress, the callback that tells how far a run is."""

from __future__ import annotations

from collections.abc import Callable

# stage, candidates done, candidates in all (0: not known), of them failed
Progress = Callable[[str, int, int, int], None]


def silent(stage: str, done: int, total: int, failures: int) -> None:
    """Show no progress: the callback for runs that nobody watches.

    Args:
        stage: What is being done.
        done: Number of candidates that are done.
        total: Number of candidates in all; 0 where it is not known.
        failures: Number of those done that failed.
    """
