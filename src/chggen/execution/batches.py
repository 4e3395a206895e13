"""Batches: items cut to what one worker computes at once, even over the workers of a machine."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from chggen.execution.device import gpus_of
from chggen.execution.machine import Machine

_SECONDS_OF_A_BATCH: Final = 120.0  # expected on one core; smaller batches of what takes long save hardly any time


def batches_of(
    items: Sequence[Any],
    machine: Machine,
    made: Callable[[Any], bool] = lambda item: False,
    seconds: Callable[[Any], float] = lambda item: 0.0,
) -> list[list[Any]]:
    """Return items in their order, cut to batches of at most the machine's batch size, even over its workers.

    Where each worker gets one batch, items that take long are spread over them, so that none waits for another. Those
    made already are left out after cutting, so that a resumed run computes the very batches of the first.

    Args:
        items: The items.
        machine: Batch size and number of processes.
        made: Whether an item is made already.
        seconds: What an item is expected to take on one core, s. On a CPU a batch of several items takes no longer
            than about two minutes, so that rows are written from early on; large crystals gain nothing from more.
    """
    size = max(1, share_of(len(items), machine))
    most = _SECONDS_OF_A_BATCH if machine.device == "cpu" else math.inf
    batches: list[list[Any]] = []
    for first in range(0, len(items), size):
        together = items[first : first + size]
        parts = min(len(together), max(1, math.ceil(sum(map(seconds, together)) / most)))
        part = math.ceil(len(together) / parts)
        batches += [list(together[k : k + part]) for k in range(0, len(together), part)]
    if 1 < len(batches) <= most_workers(machine):
        batches = _evened(items, len(batches), machine.batch_size, seconds)
    return [left for batch in batches if (left := [item for item in batch if not made(item)])]


def share_of(count: int, machine: Machine) -> int:
    """Return how many of so many items make a batch that leaves as many for each worker of a machine.

    Args:
        count: Number of items.
        machine: Batch size and number of processes.
    """
    return min(machine.batch_size, math.ceil(count / max(1, min(most_workers(machine), count))))


def _evened(items: Sequence[Any], count: int, size: int, seconds: Callable[[Any], float]) -> list[list[Any]]:
    """Return so many batches of at most so many items: each item goes where least time is spent, the longest first.

    Items that take equally long stay together in their order.
    """
    spent, taken = [0.0] * count, [0] * count
    places: list[int] = [0] * len(items)
    expected = [seconds(item) for item in items]
    if max(expected) == min(expected):
        share = math.ceil(len(items) / count)
        return [list(items[k * share : (k + 1) * share]) for k in range(count)]
    for k in sorted(range(len(items)), key=lambda k: -expected[k]):
        places[k] = min((b for b in range(count) if taken[b] < size), key=lambda b: spent[b])
        spent[places[k]] += expected[k]
        taken[places[k]] += 1
    return [[item for item, place in zip(items, places, strict=True) if place == b] for b in range(count)]


def most_workers(machine: Machine) -> int:
    """Return the number of local processes: one a core unless told, at most one for each GPU.

    Args:
        machine: Device and number of processes asked for.
    """
    if machine.device != "cpu" and machine.executor is None:
        gpus = max(1, len(gpus_of(machine.device)))
        return min(machine.workers or gpus, gpus)
    return machine.workers or _cores()


def _cores() -> int:
    """Return the number of cores that this process may use, where the system tells them apart."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
