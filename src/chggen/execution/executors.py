"""Executors by name: where batches are computed other than on this machine, `slurm:FILE` and `dask:ADDRESS`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from chggen.errors import InputError
from chggen.execution.machine import Machine

ENTRY_POINTS: Final = "chggen.executors"
"""Group of entry points by which other packages add executors; each names a `RegisteredExecutor`."""


@dataclass(frozen=True, kw_only=True)
class RegisteredExecutor:
    """An executor that can be asked for by name, as `NAME` or `NAME:PLACE`.

    Attributes:
        name: Its name.
        check: Called with the place before anything is computed; raises InputError where it cannot be used.
        open: Called with the place and with a folder for files of its own, which outlives a run that is killed; returns
            the executor. It may say by attributes how many batches it computes at a time (`places`), by how many
            processes each (`cores`), and how many it takes at a time (`most`).
    """

    name: str
    check: Callable[[str], None]
    open: Callable[[str, Path], Executor]


@cache
def executors() -> dict[str, RegisteredExecutor]:
    """Return the executors that can be asked for, by name: those of chggen, then those of installed packages."""
    from chggen.execution import dask_cluster, slurm_cluster

    own = (
        RegisteredExecutor(name="slurm", check=slurm_cluster.check, open=slurm_cluster.opened),
        RegisteredExecutor(name="dask", check=dask_cluster.check, open=dask_cluster.opened),
    )
    found = {one.name: one for one in own}
    for point in entry_points(group=ENTRY_POINTS):
        one: RegisteredExecutor = point.load()
        found.setdefault(one.name, one)
    return found


def check_executor(asked: str) -> None:
    """Check that an executor can be asked for by this name.

    Args:
        asked: `NAME` or `NAME:PLACE`.

    Raises:
        InputError: It is not known, or cannot be used at this place.
    """
    name, _, place = asked.partition(":")
    known = executors()
    if name not in known:
        raise InputError(f"unknown executor '{asked}'; expected local, {', '.join(known)}, such as slurm:cluster.toml")
    known[name].check(place)


@contextmanager
def on_executor(machine: Machine, folder: Path | None) -> Iterator[Machine]:
    """Use the executor of a machine for a block: one that was asked for by name is opened, and closed at the end.

    Args:
        machine: The machine.
        folder: Results folder of the run; None where nothing is written.

    Yields:
        The machine, whose executor is an object or None. Its `workers` are how many batches are computed at a time.

    Raises:
        InputError: The executor cannot be opened.
    """
    asked = machine.executor
    with ExitStack() as stack:
        if isinstance(asked, str):
            name, _, place = asked.partition(":")
            if folder is None:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=".", prefix=f".{name}-")))
            own = folder / f".{name}"
            stack.enter_context(_gone_at_the_end(own))
            asked = executors()[name].open(place, own)
            stack.callback(asked.shutdown, wait=False, cancel_futures=True)
        if asked is None:
            yield machine
            return
        places = machine.workers or _said(asked, "places", "_max_workers")
        yield replace(machine, executor=asked, workers=places, batch_size=machine.batch_size * cores_of(asked))


@contextmanager
def _gone_at_the_end(folder: Path) -> Iterator[None]:
    """Remove a folder after a block that was not left by an exception: a run that was stopped goes on with it."""
    yield
    shutil.rmtree(folder, ignore_errors=True)


def cores_of(executor: Executor) -> int:
    """Return by how many processes each call of an executor is computed.

    Args:
        executor: The executor.
    """
    return _said(executor, "cores") or 1


def most_of(executor: Executor) -> int | None:
    """Return how many calls an executor takes at a time; None where it takes any number.

    Args:
        executor: The executor.
    """
    return _said(executor, "most") or None


def _said(executor: Executor, *names: str) -> int:
    """Return the number that an executor says by the first of these attributes that it has; 0 where it has none."""
    found: Any = next((value for name in names if (value := getattr(executor, name, None)) is not None), 0)
    return found if isinstance(found, int) else 0
