"""Batches on their way through an executor of which nothing is known but that it takes calls.

Its workers may die, hang, be preempted or come late: what does not come back is sent again, at most twice.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final

from chggen.errors import InputError, one_line
from chggen.execution.batches import batches_of
from chggen.execution.failure import Failure
from chggen.execution.guard import Lost, More, Work, guarded, no_more
from chggen.execution.kept_processes import run_apart
from chggen.execution.machine import Machine
from chggen.execution.threads import one_thread
from chggen.execution.worker import kept_resources

log = logging.getLogger(__name__)
_SENT: Final = 3  # times that an item is sent, until it is lost
_LATE: Final = 3.0  # times as long as any other call took, after which a call is sent to another worker as well
_SOON: Final = 60.0  # s, within which no call is late
_LOOK: Final = 1.0  # s between two looks for calls that are late
_turn = threading.Lock()  # of the calls in one process: calculators keep what they computed last, and are shared


@dataclass(eq=False)
class _Call:
    """A batch that was sent, and the futures of it: a second one where the first is late."""

    batch: Sequence[Any]
    sent: int  # how often its items were sent, this time included
    alone: bool = False  # while nothing else is computed
    tries: int = 0  # how often it was submitted: once more where it is late
    since: float = field(default_factory=time.monotonic)
    futures: list[Future[list[Any]]] = field(default_factory=list)
    over: bool = False


class Spread:
    """Sends batches through an executor and takes what comes of them.

    - A call that fails, such as one whose worker died, is sent again item by item, beside all others. After the third
      time an item is lost.
    - Where the executor itself breaks and takes calls again, everything that was on its way is suspected, and sent
      again one item at a time.
    - Once everything is on its way, a call that takes three times as long as any other did, and more than a minute, is
      sent to another worker as well; what comes first counts. Both make the same, as batches do.
    - A call of which nothing has come, while nothing else has either, in the time that all of its items may take is
      sent again; the third time the executor counts as gone.

    Args:
        executor: The executor.
        work: As in `Workers.run`, and so are the others.
        resources: What work needs besides its batch, before anything is loaded.
        lost: What stands for an item that cannot be computed.
        limit: Time that an item may take, s.
        cores: Number of processes that each call is computed by.
        most: Most calls that are on their way at a time; None: any number.
    """

    def __init__(
        self,
        executor: Executor,
        work: Work,
        resources: Any,
        lost: Lost,
        limit: float = math.inf,
        cores: int = 1,
        most: int | None = None,
    ) -> None:
        self._executor = executor
        self._work = work
        self._resources = resources
        self._lost = lost
        self._limit = limit
        self._cores = cores
        self._most = math.inf if most is None else most
        self._waiting: deque[tuple[Sequence[Any], int]] = deque()  # batch, how often it was sent
        self._calls: dict[int, _Call] = {}
        self._suspects: deque[tuple[Any, int, Failure]] = deque()  # item, how often it was sent, what happened
        self._finished: SimpleQueue[tuple[_Call, Future[list[Any]]]] = SimpleQueue()
        self._refused: InputError | None = None
        self._longest = 0.0  # s from sending a call to its result, so far
        self._heard = math.inf  # when something came last

    def run(self, batches: Sequence[Sequence[Any]], more: More = no_more) -> Iterator[list[Any]]:
        """Send batches, and more that are asked for meanwhile.

        Args:
            batches: The batches.
            more: Returns a further batch, or none now.

        Yields:
            What comes of each batch, in the order they finish in.

        Raises:
            InputError: The executor takes no more calls. What was on its way has been yielded before.
        """
        self._waiting.extend((batch, 0) for batch in batches)
        try:
            while True:
                while batch := more():
                    self._waiting.append((batch, 0))
                self._send()
                if not self._calls:
                    break
                yield from self._come()
        finally:
            for call in self._calls.values():
                _cancel(call)
        if self._refused is not None:
            raise self._refused

    def _send(self) -> None:
        """Send what waits; a suspect alone, once nothing else is on its way."""
        if self._suspects:
            if not self._calls:
                item, sent, _ = self._suspects.popleft()
                self._submit([item], sent + 1, alone=True)
            return
        while self._waiting and self._refused is None and len(self._calls) < self._most:
            batch, sent = self._waiting.popleft()
            self._submit(batch, sent + 1)

    def _submit(self, batch: Sequence[Any], sent: int, alone: bool = False) -> None:
        call = _Call(batch, sent, alone)
        if self._sent(call):
            self._calls[id(call)] = call

    def _sent(self, call: _Call) -> bool:
        """Send a call. Return whether the executor took it; where it takes none any more, nothing further is sent."""
        future: Future[list[Any]]
        try:
            future = self._executor.submit(
                _in_worker, self._work, call.batch, self._resources, self._lost, self._limit, self._cores,
                (call.sent, call.tries),
            )  # fmt: skip
        except RuntimeError as error:  # broken, as by a worker that died, or shut down
            self._refuse(one_line(f"{type(error).__name__}: {error}", 100))
            return False
        except Exception as error:  # it packs what it sends at once, and cannot
            future = Future()
            future.set_exception(error)
        call.tries += 1
        call.futures.append(future)
        future.add_done_callback(lambda done: self._finished.put((call, done)))
        return True

    def _refuse(self, reason: str) -> None:
        """Send nothing any more; once what is on its way has come, say so."""
        self._refused = InputError(
            f"the executor takes no more work ({reason}); what has come is kept; "
            "repeat the command with a new executor, or without one"
        )
        self._waiting.clear()
        self._suspects.clear()

    def _come(self) -> Iterator[list[Any]]:
        """Wait for a call, and yield what comes of it; look for late ones where none comes."""
        try:
            call, future = self._finished.get(timeout=_LOOK)
        except Empty:
            yield from self._late()
            return
        if call.over:  # the other one of two came first
            return
        try:
            made = future.result()
        except Exception as error:  # of sending it, or a worker that died
            call.futures.remove(future)
            if not call.futures:
                yield from self._failed(call, error)
            return
        self._close(call)
        self._heard = time.monotonic()
        self._longest = max(self._longest, self._heard - call.since)
        yield made

    def _close(self, call: _Call) -> None:
        call.over = True
        self._calls.pop(id(call), None)
        _cancel(call)

    def _failed(self, call: _Call, error: BaseException) -> Iterator[list[Any]]:
        """Have the items of a call sent again, or yield what stands for one that was sent often enough."""
        self._close(call)
        failure = Failure.of(error)
        log.warning("a batch of %d did not come back: %s", len(call.batch), failure.reason)
        shared = isinstance(error, BrokenExecutor)  # by a worker that died of another batch, perhaps
        if shared and not call.alone:
            self._suspects.extend((item, 0, failure) for item in call.batch)
        elif call.sent >= _SENT or (shared and call.sent > 1):
            for item in call.batch:
                yield self._lost(item, failure)
        elif shared:
            self._suspects.append((call.batch[0], call.sent, failure))
        else:
            self._waiting.extend(([item], call.sent) for item in call.batch)

    def _late(self) -> Iterator[list[Any]]:
        """Send calls that are late to another worker as well, and give up those that nobody answers."""
        now = time.monotonic()
        for call in list(self._calls.values()):
            silent = now - max(call.since, self._heard)  # minus infinity until something has come: it may be queueing
            if silent > self._limit * len(call.batch) + _SOON:
                if call.sent >= _SENT:  # of a queue that stands still, perhaps: no candidate has failed
                    self._refuse(f"no answer in {silent:.0f} s")
                    self._close(call)
                else:
                    yield from self._failed(call, TimeoutError(f"no answer in {silent:.0f} s"))
            elif (
                call.tries == 1
                and self._longest > 0
                and now - call.since > max(_SOON, _LATE * self._longest)
                and not (self._waiting or self._suspects or self._refused)
            ):
                log.warning("a batch of %d is late and is sent again", len(call.batch))
                self._sent(call)


def _cancel(call: _Call) -> None:
    for future in call.futures:
        future.cancel()


def _in_worker(
    work: Work,
    batch: Sequence[Any],
    resources: Any,
    lost: Lost,
    limit: float,
    cores: int,
    nth: tuple[int, int],
) -> list[Any]:
    """Return what comes of a batch, computed with the resources that this process has loaded already.

    nth: how often it was sent. Executors that keep results by what they were asked for would return the same failure
    again; nothing else that is sent differs when a run is repeated, so that they return what they have.
    """
    if cores > 1:
        parts = batches_of(batch, Machine(workers=cores, batch_size=max(1, math.ceil(len(batch) / cores))))
        return [row for rows in run_apart(cores, work, parts, resources, lost, limit) for row in rows]
    with _turn, one_thread():
        return [row for _, rows in guarded(work, batch, kept_resources(resources), lost, limit) for row in rows]
