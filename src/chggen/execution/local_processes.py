"""Local processes that share batches, and what becomes of a batch whose process dies or takes too long.

Each process has a connection of its own. It is known which batch it computes, what has come of that, and at which
stage it is, so that a death costs no other batch.
"""

from __future__ import annotations

import logging
import math
import os
import pickle
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any, Final

from chggen.errors import InputError, one_line
from chggen.execution.failure import Failure
from chggen.execution.guard import Lost, More, Work, no_more
from chggen.execution.worker import DONE, LOGGED, PART, READY, STAGE, UNREADABLE, WorkerProcess

log = logging.getLogger(__name__)
_TRIES: Final = 2  # of an item whose process dies
_LOOK: Final = 2.0  # s after which processes are looked at though none has said anything
_LOADING: Final = 60.0  # s that a process may take beyond the limit until it is at the first stage of a batch
_LAST_WORDS: Final = 5.0  # s in which a process that has hung up ends
_STILLBORN: Final = 3  # processes in a row that end before they listen


@dataclass
class _Task:
    """A batch, which of its items have not come yet, and how often an item that is alone has taken a process along."""

    items: list[Any]
    left: list[int] = field(default_factory=list)
    deaths: int = 0

    def __post_init__(self) -> None:
        self.left = list(range(len(self.items)))


@dataclass
class _Busy:
    """What a process computes, when something has to have come of it, and whether it has said at which stage it is."""

    task: _Task
    deadline: float
    begun: bool = False


class LocalProcesses:
    """Some local processes, begun when they are needed and kept for later calls.

    Args:
        count: Most processes at a time.
        gpus: Names of the GPUs that they share (see `gpus_of`): each process sees one alone.
    """

    def __init__(self, count: int, gpus: Sequence[str] = ()) -> None:
        self._gpus = tuple(gpus)
        self._count = self._most = count
        self._workers: list[WorkerProcess] = []
        self._busy: dict[WorkerProcess, _Busy] = {}
        self._stillborn = 0

    def run(
        self,
        work: Work,
        batches: Sequence[Sequence[Any]],
        resources: Any,
        lost: Lost,
        limit: float = math.inf,
        more: More = no_more,
    ) -> Iterator[list[Any]]:
        """Compute batches.

        When a process dies or takes too long, what has come of its batch is kept, and the other items are tried
        again, each alone. An item whose process dies is tried once more while nothing else is computed, since memory
        may have been short; then it is lost.

        Args:
            work: A function of a module.
            batches: The batches.
            resources: What work needs besides them, before anything is loaded.
            lost: What stands for an item that cannot be computed.
            limit: Time in which something has to come of a batch, s.
            more: Asked for a further batch whenever a process has nothing to do.

        Yields:
            What comes of a batch or a part of it, as it comes.

        Raises:
            InputError: No process can be started.
        """
        common = pickle.dumps((work, resources, lost, _folder()))
        self._most = self._count
        waiting = deque(_Task(list(batch)) for batch in batches)
        last: deque[_Task] = deque()

        def send(worker: WorkerProcess, task: _Task, packed: bytes) -> None:
            worker.send(common, packed)
            items = [task.items[k] for k in task.left]
            task.items, task.left = items, list(range(len(items)))
            self._busy[worker] = _Busy(task, time.monotonic() + limit + _LOADING)

        try:
            while True:
                while len(self._busy) + len(waiting) < self._most and (batch := more()):
                    waiting.append(_Task(list(batch)))
                if not (waiting or last or self._busy):
                    break
                yield from self._hand_out(waiting, last, lost, send)
                for worker in self._heard():
                    yield from self._listen(worker, lost, limit, waiting, last)
                for worker in self._overdue():
                    worker.kill()
                    reason = f"it took longer than {limit:g} s; raise the time limit"
                    yield from self._died(worker, lost, waiting, last, Failure(reason, worker.stage), alone=_TRIES)
        finally:
            for worker in list(self._busy):  # the caller has had enough, or something was raised
                self._dismiss(worker)

    def stop(self) -> None:
        """End all processes."""
        for worker in list(self._workers):
            self._dismiss(worker)

    def _hand_out(self, waiting: deque[_Task], last: deque[_Task], lost: Lost, send: Any) -> Iterator[list[Any]]:
        """Start processes as they are needed, and give those that are free something to compute.

        Yields what stands for items that cannot be sent.
        """
        tasks = waiting or (last if not self._busy else deque())
        wanted = min(self._most, len(self._busy) + (1 if tasks is last else len(tasks)))
        while len(self._workers) < wanted:
            try:
                self._workers.append(WorkerProcess(self._idle_gpu()))
            except OSError as error:  # such as no memory, or as many processes as the user may have
                if not self._workers:
                    raise _no_start(one_line(str(error))) from error
                wanted = self._most = len(self._workers)
                log.warning("no more than %d local processes can be started: %s", wanted, error)
        for worker in [w for w in self._workers if w.ready and w not in self._busy]:
            if not tasks or (tasks is last and self._busy):
                return
            task = tasks.popleft()
            try:
                packed = pickle.dumps([task.items[k] for k in task.left])
            except Exception as error:
                yield _unsent(task, Failure.of(error), lost, waiting)
                continue
            try:
                send(worker, task, packed)
            except OSError:  # it has died since
                tasks.appendleft(task)
                self._dismiss(worker)

    def _idle_gpu(self) -> str | None:
        """Return the GPU that fewest processes use; None where none are told apart."""
        used = Counter(worker.gpu for worker in self._workers)
        return min(self._gpus, key=used.__getitem__, default=None)

    def _heard(self) -> list[WorkerProcess]:
        """Return the processes that have said something or have ended, after waiting for them."""
        soon = min((busy.deadline for busy in self._busy.values()), default=math.inf) - time.monotonic()
        listening = {w.connection: w for w in self._workers if w in self._busy or not w.ready}
        if not listening:
            return []
        heard = [listening[c] for c in wait(list(listening), max(0.0, min(_LOOK, soon)))]  # type: ignore[index]
        return heard or [w for w in listening.values() if w.gone]  # what it has forked may keep the connection open

    def _listen(
        self, worker: WorkerProcess, lost: Lost, limit: float, waiting: deque[_Task], last: deque[_Task]
    ) -> Iterator[list[Any]]:
        """Take in one thing that a process says; yield rows where these are it."""
        if worker.gone and not worker.connection.poll():
            yield from self._died(worker, lost, waiting, last)
            return
        try:
            kind, content = worker.connection.recv()
        except Exception:  # it has ended, or says what cannot be read
            yield from self._died(worker, lost, waiting, last)
            return
        busy = self._busy.get(worker)
        if kind == READY:
            worker.ready, self._stillborn = True, 0
        elif kind == STAGE:
            worker.stage = content
            if busy is not None and not busy.begun:
                busy.begun, busy.deadline = True, time.monotonic() + limit
        elif kind == LOGGED:
            name, level, text = content
            logging.getLogger(name).log(level, "%s", text)
        elif busy is None:
            return
        elif kind == PART:
            places, made = content
            busy.task.left = [k for k in busy.task.left if k not in places]
            busy.deadline = time.monotonic() + limit
            yield made
        elif kind == DONE:
            del self._busy[worker]
        elif kind == UNREADABLE:
            del self._busy[worker]
            yield _unsent(busy.task, content, lost, waiting)

    def _died(
        self,
        worker: WorkerProcess,
        lost: Lost,
        waiting: deque[_Task],
        last: deque[_Task],
        failure: Failure | None = None,
        alone: int = 1,
    ) -> Iterator[list[Any]]:
        """Put what a process has left undone back in line, or yield what stands for it.

        alone: by how much this death counts for an item that was alone.
        """
        busy, stage = self._busy.get(worker), worker.stage
        told = self._dismiss(worker, patience=_LAST_WORDS if failure is None else 0.0)
        failure = failure or Failure(told, stage)
        if busy is None:
            self._stillborn += not worker.ready
            if self._stillborn >= _STILLBORN:
                raise _no_start(told)
            return
        task = busy.task
        log.warning("a batch of %d did not come back at stage %s: %s", len(task.left), stage, failure.reason)
        if len(task.items) > 1:
            waiting.extend(_Task([task.items[k]]) for k in task.left)
            return
        task.deaths += alone
        if task.left and task.deaths >= _TRIES:
            yield lost(task.items[0], failure)
        elif task.left:
            last.append(task)

    def _overdue(self) -> list[WorkerProcess]:
        now = time.monotonic()
        return [worker for worker, busy in self._busy.items() if now >= busy.deadline and not worker.connection.poll()]

    def _dismiss(self, worker: WorkerProcess, patience: float = 0.0) -> str:
        """End a process, which may end by itself within some seconds; return how it ended."""
        self._busy.pop(worker, None)
        if worker in self._workers:
            self._workers.remove(worker)
        return worker.end(patience)


def _unsent(task: _Task, failure: Failure, lost: Lost, waiting: deque[_Task]) -> list[Any]:
    """Put the items of a batch that cannot be sent in line, each alone; return what stands for one that was alone."""
    if len(task.left) > 1:
        waiting.extend(_Task([task.items[k]]) for k in task.left)
        return []
    return [row for k in task.left for row in lost(task.items[k], failure)]


def _no_start(why: str) -> InputError:
    return InputError(f"local processes cannot be started here ({why}); use --workers 1, or free memory")


def _folder() -> str | None:
    """Return the working folder, to which paths may be relative; None where it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return None
