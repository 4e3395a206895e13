"""Local processes that are kept from one call to the next, since each has models to load."""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.util import Finalize
from typing import Any

from chggen.execution.guard import Lost, More, Work, no_more
from chggen.execution.local_processes import LocalProcesses

_Kind = tuple[int, tuple[str, ...], tuple[str, ...]]

_kept: dict[_Kind, LocalProcesses] = {}
"""The processes that this process keeps, by their number and where they find modules: one entry at most."""
_in_use = threading.Lock()


def are_kept(count: int, gpus: tuple[str, ...] = ()) -> bool:
    """Return whether so many processes are kept already.

    Args:
        count: Number of processes.
        gpus: The GPUs that they share.
    """
    return _kind(count, gpus) in _kept


def run_apart(
    count: int,
    work: Work,
    batches: Sequence[Sequence[Any]],
    resources: Any,
    lost: Lost,
    limit: float = math.inf,
    more: More = no_more,
    gpus: tuple[str, ...] = (),
) -> Iterator[list[Any]]:
    """Compute batches in local processes, those that are kept from earlier calls where there are any.

    Args:
        count: Most processes at a time.
        work: As in `LocalProcesses.run`, and so are the others.
        batches: The batches.
        resources: What work needs besides them, before anything is loaded.
        lost: What stands for an item that cannot be computed.
        limit: Time in which something has to come of a batch, s.
        more: Asked for a further batch whenever a process has nothing to do.
        gpus: Names of the GPUs that they share, one for each process.

    Yields:
        What comes of a batch or a part of it, as it comes.
    """
    if not _in_use.acquire(blocking=False):  # by another thread, or by who asks for this while the other goes on
        others = LocalProcesses(count, gpus)
        try:
            yield from others.run(work, batches, resources, lost, limit, more)
        finally:
            others.stop()
        return
    try:
        kind = _kind(count, gpus)
        for other in [kept for kept in _kept if kept != kind]:
            _kept.pop(other).stop()
        yield from _kept.setdefault(kind, LocalProcesses(count, gpus)).run(work, batches, resources, lost, limit, more)
    finally:
        _in_use.release()


def _kind(count: int, gpus: tuple[str, ...]) -> _Kind:
    """Return what tells processes apart: those begun before a folder of modules was added would not find them."""
    return count, gpus, tuple(sys.path)


def _forget() -> None:
    """Leave the processes of the parent alone, in a process that was forked."""
    global _in_use
    _kept.clear()
    _in_use = threading.Lock()


def _stop() -> None:
    while _kept:
        _kept.popitem()[1].stop()


# Not by atexit, which processes begun by multiprocessing do not heed: those would wait for the kept ones forever.
Finalize(None, _stop, exitpriority=100)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
