"""Batches of work spread over processes, one a core, in any way: what each makes depends on nothing else."""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing, contextmanager
from typing import Any, Protocol, runtime_checkable

import torch

from chggen.execution.machine import Machine


@runtime_checkable
class Resources(Protocol):
    """What work needs besides its batch, such as models; each worker loads its own."""

    def unloaded(self) -> Any:
        """The same before anything is loaded: what is sent to workers."""
        ...


def worker_count(machine: Machine, n_batches: int) -> int:
    """Processes to use: one for each core unless told, no more than batches; one for a GPU."""
    if machine.device != "cpu":
        return 1
    wanted = machine.workers or _cores()
    return max(1, min(wanted, n_batches))


def _cores() -> int:
    """Cores that this process may use, where the system tells them apart."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Crew:
    """The worker processes of a run, begun when first needed and kept, since each has models to load."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._pool: ProcessPoolExecutor | None = None

    def run(
        self, work: Callable[[Sequence[Any], Any], list[Any]], batches: Sequence[Sequence[Any]], resources: Resources
    ) -> Iterator[list[Any]]:
        """What `work` makes of each batch as it comes, in no fixed order; `work` is a function of a module."""
        if worker_count(self.machine, len(batches)) == 1 and self._pool is None:
            with _one_thread(self.machine):
                for batch in batches:
                    yield work(batch, resources)
            return
        plain = resources.unloaded()
        with _hidden_main():
            pool = self._begun()
            waiting = [pool.submit(_in_worker, work, batch, plain) for batch in batches]
        try:
            for future in as_completed(waiting):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise

    def close(self) -> None:
        """Stop the workers, at once where there is work left that nobody waits for."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _begun(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            workers = self.machine.workers or _cores()
            self._pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker)
        return self._pool


@contextmanager
def _one_thread(machine: Machine) -> Iterator[None]:
    """One thread on a CPU, as in the workers: beside other programs two that wait for each other can take forever."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if machine.device == "cpu" else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


_resources_of_worker: dict[str, Any] = {}


def _in_worker(
    work: Callable[[Sequence[Any], Any], list[Any]], batch: Sequence[Any], resources: Resources
) -> list[Any]:
    """work(batch) with the resources that this process has loaded already."""
    return work(batch, _resources_of_worker.setdefault(repr(resources), resources))


@contextmanager
def _hidden_main() -> Iterator[None]:
    """Hide the calling script while workers start: they need nothing of it, and would run it again."""
    main = vars(sys.modules["__main__"])
    kept: dict[str, Any] = {name: main.pop(name) for name in ("__file__", "__spec__") if name in main}
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(kept)


def _begin_worker() -> None:
    """One process a core: threads inside would fight over the cores. A worker ends when its parent was killed."""
    torch.set_num_threads(1)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def run_batches(
    work: Callable[[Sequence[Any], Any], list[Any]],
    batches: Sequence[Sequence[Any]],
    resources: Resources,
    machine: Machine,
) -> Iterator[list[Any]]:
    """The same for work that is done once, by a crew of its own."""
    with closing(Crew(machine)) as crew:
        yield from crew.run(work, batches, resources)


def batches_of(
    items: Sequence[Any], machine: Machine, made: Callable[[Any], bool] = lambda item: False
) -> list[list[Any]]:
    """Items in their order, cut to batches of at most the machine's batch size, even over its workers.

    Those made already are left out after cutting, so that a resumed run computes the very batches of the first.
    """
    share = math.ceil(len(items) / worker_count(machine, len(items))) if items else 1
    size = min(machine.batch_size, share)
    batches = ([x for x in items[k : k + size] if not made(x)] for k in range(0, len(items), size))
    return [batch for batch in batches if batch]
