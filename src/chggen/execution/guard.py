"""A batch computed so that what fails costs no other item: what is finished is kept, the rest is tried in parts."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from chggen.execution.failure import Failure
from chggen.execution.watch import TookTooLongError, watched

log = logging.getLogger(__name__)
Part = tuple[Sequence[int], list[Any]]
"""The places of some items in their batch, and what came of these items together."""
Work = Callable[[Sequence[Any], Any], Iterable[Any]]
"""A function of a module: (batch, resources) → a list of all that it makes of the batch, or parts as they finish."""
Lost = Callable[[Any, Failure], list[Any]]
"""(item, failure) → what stands for an item that cannot be computed."""
More = Callable[[], Sequence[Any]]
"""() → a further batch, as what has come so far asks for; empty where there is none now."""


def no_more() -> Sequence[Any]:
    """Return no further batch."""
    return ()


def guarded(work: Work, batch: Sequence[Any], resources: Any, lost: Lost, seconds: float = math.inf) -> Iterator[Part]:
    """Compute a batch in this process.

    Whatever is raised, even by a calculator that exits or interrupts, what has come is kept and the other items are
    tried again, in halves until the one at fault is found.

    Args:
        work: What is computed.
        batch: The items.
        resources: What work needs besides them.
        lost: What stands for an item that fails alone.
        seconds: The time that may pass until the next part comes, s.

    Yields:
        Parts as they finish; each item is in one of them.
    """
    left = list(range(len(batch)))
    failure = None
    parts = _parts(work, batch, resources)
    while True:
        try:
            with watched(seconds) as interrupted:
                part = next(parts, None)
        except BaseException as error:
            own = isinstance(error, (Exception, SystemExit, TookTooLongError))
            if not own and not (isinstance(error, KeyboardInterrupt) and not interrupted()):
                raise
            log.warning("a batch of %d failed", len(batch), exc_info=True)
            failure = Failure.of(error)
            break
        if part is None:
            return
        left = [k for k in left if k not in part[0]]
        yield part
    # outside of the except clause: what the exception holds, such as tensors, is gone before anything is tried again
    if len(batch) == 1:
        if left:
            yield left, lost(batch[0], failure)
        return
    half = math.ceil(len(left) / 2)
    for again in (left[:half], left[half:]):
        for places, made in guarded(work, [batch[k] for k in again], resources, lost, seconds) if again else ():
            yield [again[place] for place in places], made


def _parts(work: Work, batch: Sequence[Any], resources: Any) -> Iterator[Part]:
    """Yield what work makes of a batch as parts: a list is one part, of all items."""
    made = work(batch, resources)
    if isinstance(made, list):
        yield range(len(batch)), made
    else:
        yield from made
