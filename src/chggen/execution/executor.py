"""Workers: batches of work spread over processes, and what becomes of a batch whose worker dies.

What a batch makes depends on nothing but the batch, so batches may be cut, spread and repeated in any way.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, Final, Protocol, runtime_checkable

import torch

from chggen.execution.machine import Machine

log = logging.getLogger(__name__)
Work = Callable[[Sequence[Any], Any], list[Any]]
"""A function of a module: (batch, resources) → what it makes of the batch."""
Lost = Callable[[Any, str], list[Any]]
"""(item, reason) → what stands for an item that cannot be computed."""
_TRIES: Final = 2  # of an item whose worker dies
_WORTH_STARTING: Final = 20.0  # s of work on one core below which starting workers takes longer than it saves
_WORTH_SENDING: Final = 2.0  # s of work below which it is done at once though workers are there


@runtime_checkable
class Sendable(Protocol):
    """What work needs besides its batch, such as models; each worker loads its own."""

    def unloaded(self) -> Any:
        """Return the same before anything is loaded: what is sent to workers."""
        ...


class Workers:
    """Where the batches of a run are computed: in this process, in local processes, or in an executor of the user's.

    The pool of local processes is begun when first needed and kept for later calls of the same process, since each
    worker has models to load. Work that is small is done in this process.

    Args:
        machine: Device and number of local processes.
        executor: Any executor with the interface of `concurrent.futures.Executor`; None stands for local processes.
    """

    def __init__(self, machine: Machine, executor: Executor | None = None) -> None:
        self.machine = machine
        self.executor = executor

    def run(
        self, work: Work, batches: Sequence[Sequence[Any]], resources: Sendable, lost: Lost, seconds: float = math.inf
    ) -> Iterator[list[Any]]:
        """Compute all batches.

        A batch that fails is taken apart, so that one bad item costs no other. An item whose worker dies is tried
        once more, alone; then it is lost.

        Args:
            work: A function of a module, called with a batch and the resources.
            batches: The batches.
            resources: What work needs besides its batch.
            lost: Called with an item that cannot be computed and the reason; returns what stands for it.
            seconds: What the work is expected to take on one core, s.

        Yields:
            What comes of a batch or of a part of it, in no fixed order.
        """
        if self.executor is None and self._here(len(batches), seconds):
            with _one_thread(self.machine):
                for batch in batches:
                    yield from _guarded(work, batch, resources, lost)
            return
        yield from _Spread(self, work, resources.unloaded(), lost).run(batches)

    def submit(self, work: Work, batch: Sequence[Any], resources: Any) -> Future[list[Any]]:
        """Send a batch on its way.

        Args:
            work: A function of a module, called with the batch and the resources.
            batch: The batch.
            resources: What work needs besides its batch, before anything is loaded.

        Returns:
            What will come of it. Where the pool of local processes has broken, a new one is begun.
        """
        if self.executor is not None:
            return self.executor.submit(_in_worker, work, batch, resources)
        try:
            return _submitted(self._count(), work, batch, resources)
        except RuntimeError:  # BrokenProcessPool is one, and so is what a pool that was shut down raises
            _pools.pop(self._count()).shutdown(wait=False, cancel_futures=True)
            return _submitted(self._count(), work, batch, resources)

    def _here(self, n_batches: int, seconds: float) -> bool:
        if worker_count(self.machine, n_batches) == 1:
            return True
        return seconds < (_WORTH_SENDING if self._count() in _pools else _WORTH_STARTING)

    def _count(self) -> int:
        return self.machine.workers or _cores()


class _Spread:
    """Batches on their way through an executor.

    After a worker has died, everything that was on its way is suspected and sent again item by item, one at a time,
    so that the item at fault is found.
    """

    def __init__(self, workers: Workers, work: Work, resources: Any, lost: Lost) -> None:
        self._workers = workers
        self._work = work
        self._resources = resources
        self._lost = lost
        self._pending: dict[Future[list[Any]], Sequence[Any]] = {}
        self._suspects: deque[tuple[Any, int, str]] = deque()  # item, how often it was tried, what happened

    def run(self, batches: Sequence[Sequence[Any]]) -> Iterator[list[Any]]:
        """Yield what comes of each batch, in the order in which they finish."""
        waiting = deque(batches)
        try:
            while waiting or self._pending or self._suspects:
                if self._suspects and not self._pending:
                    yield self._alone(*self._suspects.popleft())
                    continue
                while waiting and not self._suspects and len(self._pending) < self._most():
                    self._send(waiting.popleft())
                for future in wait(self._pending, return_when=FIRST_COMPLETED).done:
                    batch = self._pending.pop(future)
                    if (made := self._result(future, batch)) is not None:
                        yield made
        except BaseException:
            for future in self._pending:
                future.cancel()
            raise

    def _most(self) -> float | int:
        """Return how many batches may be on their way: few in local processes, where a death makes all suspect."""
        return math.inf if self._workers.executor is not None else 1 + (self._workers.machine.workers or _cores())

    def _send(self, batch: Sequence[Any]) -> None:
        self._pending[self._workers.submit(self._work, batch, self._resources)] = batch

    def _result(self, future: Future[list[Any]], batch: Sequence[Any]) -> list[Any] | None:
        """Return what came of a batch; None where it has to be tried again."""
        try:
            return future.result()
        except Exception as error:  # of the work, of sending it, or a worker that died
            log.warning("a batch of %d did not come back: %s", len(batch), _reason(error))
            tried = 0 if isinstance(error, BrokenExecutor) and len(batch) > 1 else 1
            self._suspects.extend((item, tried, _reason(error)) for item in batch)
            return None

    def _alone(self, item: Any, tries: int, reason: str) -> list[Any]:
        """Return what comes of a suspected item, computed while nothing else is."""
        for _ in range(tries, _TRIES):
            try:
                return self._workers.submit(self._work, [item], self._resources).result()
            except Exception as error:
                reason = _reason(error)
                log.warning("an item did not come back: %s", reason)
        return self._lost(item, reason)


def worker_count(machine: Machine, n_batches: int) -> int:
    """Return the number of local processes for some batches: one a core unless told, one for a GPU.

    Args:
        machine: Device and number of processes.
        n_batches: Number of batches; more processes than batches are of no use.
    """
    if machine.device != "cpu":
        return 1
    wanted = machine.workers or _cores()
    return max(1, min(wanted, n_batches))


def batches_of(
    items: Sequence[Any], machine: Machine, made: Callable[[Any], bool] = lambda item: False
) -> list[list[Any]]:
    """Return items in their order, cut to batches of at most the machine's batch size, even over its workers.

    Those made already are left out after cutting, so that a resumed run computes the very batches of the first.

    Args:
        items: The items.
        machine: Batch size and number of processes.
        made: Whether an item is made already.
    """
    share = math.ceil(len(items) / worker_count(machine, len(items))) if items else 1
    size = min(machine.batch_size, share)
    batches = ([x for x in items[k : k + size] if not made(x)] for k in range(0, len(items), size))
    return [batch for batch in batches if batch]


def _guarded(work: Work, batch: Sequence[Any], resources: Any, lost: Lost) -> Iterator[list[Any]]:
    """Yield what comes of a batch computed in this process; one that fails is taken apart."""
    try:
        yield work(batch, resources)
    except Exception as error:  # of any kind: one candidate must not end a run
        log.exception("a batch of %d failed", len(batch))
        if len(batch) == 1:
            yield lost(batch[0], _reason(error))
            return
        for item in batch:
            yield from _guarded(work, [item], resources, lost)


def _reason(error: BaseException) -> str:
    """Return what to say of an error, in one line."""
    text = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _cores() -> int:
    """Return the number of cores that this process may use, where the system tells them apart."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _one_thread(machine: Machine) -> Iterator[None]:
    """Use one thread on a CPU, as workers do.

    Beside other programs, threads that wait for each other can take forever.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if machine.device == "cpu" else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


_pools: dict[int, ProcessPoolExecutor] = {}
"""The pools of this process by number of workers; each is kept for later calls."""


def _submitted(workers: int, work: Work, batch: Sequence[Any], resources: Any) -> Future[list[Any]]:
    """Return the future of a batch in the pool of so many local processes, begun where it is not there."""
    if workers not in _pools:
        for other in _pools.values():
            other.shutdown(wait=False, cancel_futures=True)
        _pools.clear()
        context = multiprocessing.get_context("spawn")
        _pools[workers] = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker)
    with _hidden_main():  # workers are started when there is work for them
        return _pools[workers].submit(_in_worker, work, batch, resources)


@contextmanager
def _hidden_main() -> Iterator[None]:
    """Hide the calling script while workers start: they need nothing of it, and would run it again.

    They start with Ctrl-C ignored, too, since it would make them show where in their imports they were.
    """
    main = vars(sys.modules["__main__"])
    kept: dict[str, Any] = {name: main.pop(name) for name in ("__file__", "__spec__") if name in main}
    main["__spec__"] = None
    handles = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if handles else None
    try:
        yield
    finally:
        main.update(kept)
        if handler is not None:
            signal.signal(signal.SIGINT, handler)


def _begin_worker() -> None:
    """Prepare a worker: it uses one thread, since processes would fight over the cores, and ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once
    torch.set_num_threads(1)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """End this process once its parent is gone, even if that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


_resources_of_worker: dict[str, Any] = {}


def _in_worker(work: Work, batch: Sequence[Any], resources: Any) -> list[Any]:
    """Return work(batch) with the resources that this process has loaded already."""
    return work(batch, _resources_of_worker.setdefault(repr(resources), resources))
