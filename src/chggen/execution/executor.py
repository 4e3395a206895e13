"""Workers: batches of work spread over processes.

What a batch makes depends on nothing but the batch, so batches may be cut, spread and repeated in any way.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from chggen.execution.batches import most_workers
from chggen.execution.device import gpus_of
from chggen.execution.executors import cores_of, most_of
from chggen.execution.guard import Lost, More, Work, guarded, no_more
from chggen.execution.kept_processes import are_kept, run_apart
from chggen.execution.machine import Machine
from chggen.execution.spread import Spread
from chggen.execution.threads import one_thread
from chggen.execution.under_way import UnderWay

log = logging.getLogger(__name__)
_WORTH_STARTING: Final = 20.0  # s of work on one core below which starting workers takes longer than it saves
_WORTH_SENDING: Final = 2.0  # s of work below which it is done at once though workers are there


@runtime_checkable
class Sendable(Protocol):
    """What work needs besides its batch, such as models; each worker loads its own."""

    def unloaded(self) -> Any:
        """Return the same before anything is loaded: what is sent to workers.

        Workers are kept and load again what has another `repr`. It therefore tells files that are loaded by absolute
        path, size and time of change.
        """
        ...


class Workers:
    """Where the batches of a run are computed: in this process, in local processes, or in an executor of the user's.

    Local processes are begun when first needed and kept for later calls of the same process, since each has models to
    load. Work that is small, and all of it where one worker is asked for, is done in this process.

    Args:
        machine: Device, number of local processes and time limit; or an executor, opened (see `on_executor`).
        note: File that says what this process computes itself. Should it be killed by that, the next run computes it
            elsewhere. None where no file is written.
    """

    def __init__(self, machine: Machine, note: Path | None = None) -> None:
        self.machine = machine
        self._gpus = gpus_of(machine.device) if machine.executor is None else ()
        self._under_way = UnderWay(note)

    def run(
        self,
        work: Work,
        batches: Sequence[Sequence[Any]],
        resources: Sendable,
        lost: Lost,
        seconds: float = math.inf,
        name: Callable[[Any], str] = str,
        more: More = no_more,
    ) -> Iterator[list[Any]]:
        """Compute all batches.

        Whatever happens to a batch, what has come of it is kept, and the other items are tried again in parts, so that
        one bad item costs no other. An item whose worker dies is tried once more, alone; then it is lost. One that
        takes longer than the time limit is lost. In an executor, see `Spread`, the limit stops Python code alone.

        Args:
            work: A function of a module, called with a batch and the resources. It returns a list of all that it makes
                of the batch; or it yields parts as they finish, each the places of some items and a list.
            batches: The batches.
            resources: What work needs besides its batch.
            lost: Called with an item that cannot be computed and with the failure; returns what stands for it.
            seconds: What the work is expected to take on one core, s. Infinite where nobody knows what is called.
            name: Gives the name of an item.
            more: Asked for a further batch whenever there is nothing to do for a process that could do something. All
                is done once nothing is under way and there are no more.

        Yields:
            What comes of a batch or of a part of it, in no fixed order.

        Raises:
            InputError: No local process can be started, or the executor takes no more calls.
        """
        executor = self.machine.executor
        if executor is not None:
            assert not isinstance(executor, str), "it is opened by on_executor"
            limit, cores, most = self.machine.time_limit, cores_of(executor), most_of(executor)
            yield from Spread(executor, work, resources.unloaded(), lost, limit, cores, most).run(batches, more)
            return
        batches = [batch for batch in batches if batch] or [batch for batch in (more(),) if batch]
        if not batches:  # as in a run that is done: no process is asked for anything
            return
        suspects = self._under_way.suspects()
        common = (resources.unloaded(), lost, self.machine.time_limit)
        if not self._here(len(batches), seconds):
            yield from run_apart(self._count(), work, batches, *common, more, self._gpus)
            if suspects:
                self._under_way.settled(name(item) for batch in batches for item in batch)
            return

        def suspected(batch: Sequence[Any]) -> bool:
            return any(name(item) in suspects for item in batch)

        waiting = deque(sorted(batches, key=suspected, reverse=True))
        while batch := waiting.popleft() if waiting else more():
            if suspected(batch):
                yield from run_apart(self._count(), work, [batch], *common, gpus=self._gpus)
                self._under_way.settled(map(name, batch))
            else:
                yield from self._run_here(work, batch, resources, lost, name)

    def finish(self) -> None:
        """Say that a run has come to its end, so that nothing is suspected any more."""
        self._under_way.settled()

    def _run_here(
        self, work: Work, batch: Sequence[Any], resources: Any, lost: Lost, name: Callable[[Any], str]
    ) -> Iterator[list[Any]]:
        with self._under_way.noted(map(name, batch)), one_thread(self.machine.device == "cpu"):
            for _, made in guarded(work, batch, resources, lost, self.machine.time_limit):
                yield made

    def _here(self, n_batches: int, seconds: float) -> bool:
        if self.machine.isolate and math.isinf(seconds):
            return False
        if self._count() == 1 or n_batches == 1:
            return True
        return seconds < (_WORTH_SENDING if are_kept(self._count(), self._gpus) else _WORTH_STARTING)

    def _count(self) -> int:
        return most_workers(self.machine)
