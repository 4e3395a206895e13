"""Notes: one line about each thing that was understood in a file but is not as it stands there."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

log = logging.getLogger(__name__)
_SHOWN: Final = 20  # notes of one call that are shown; more would hide what follows
_kept: ContextVar[list[str] | None] = ContextVar("_kept", default=None)


def say(notes: Sequence[str]) -> None:
    """Log notes on structures that were read, as warnings of the logger `chggen.io.notes`.

    Without a handler of its own, Python shows these on stderr. Worker processes read files again that the main process
    has read already, so they say nothing.

    Args:
        notes: One line each.
    """
    if (kept := _kept.get()) is not None:
        kept.extend(notes)
    if multiprocessing.parent_process() is not None:
        return
    for note in notes[:_SHOWN]:
        log.warning("%s", note)
    if len(notes) > _SHOWN:
        log.warning("%d more notes like these", len(notes) - _SHOWN)


@contextmanager
def kept_notes() -> Iterator[list[str]]:
    """Collect what is said about structures that are read within a block, so that it can be logged in a folder.

    Yields:
        A list to which every note is added as it is said.
    """
    notes: list[str] = []
    token = _kept.set(notes)
    try:
        yield notes
    finally:
        _kept.reset(token)
