"""Batches through an executor: what dies, hangs or comes late is sent again, at most twice, and costs no other."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from chggen.errors import InputError
from chggen.execution import spread
from chggen.execution.failure import Failure
from chggen.execution.spread import Spread
from chggen.execution.watch import TookTooLongError, watched


def _work(batch: Sequence[Any], resources: Any) -> list[Any]:
    return [(item, "made") for item in batch]


def _lost(item: Any, failure: Failure) -> list[Any]:
    return [(item, failure.reason)]


class Faulty(Executor):
    """Threads that ask, before they compute a batch, what happens to it the k-th time that it is sent."""

    def __init__(self, happens: Callable[[Sequence[Any], int], None], workers: int = 2) -> None:
        self.happens = happens
        self.sent: list[tuple[Any, ...]] = []
        self._threads = ThreadPoolExecutor(workers)

    def submit(self, function: Any, /, work: Any, batch: Any, *rest: Any) -> Future[Any]:  # type: ignore[override]
        self.sent.append(tuple(batch))
        nth = self.sent.count(tuple(batch))

        def computed() -> Any:
            self.happens(batch, nth)
            return function(work, batch, *rest)

        return self._threads.submit(computed)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "_SOON", 0.3)
    monkeypatch.setattr(spread, "_LOOK", 0.02)


def _rows(executor: Executor, batches: Sequence[Sequence[Any]], **values: Any) -> dict[Any, str]:
    made = [row for rows in Spread(executor, _work, None, _lost, **values).run(batches) for row in rows]
    assert max(Counter(item for item, _ in made).values()) == 1  # nothing comes twice
    return dict(made)


def test_an_item_that_kills_its_worker_is_sent_three_times_and_costs_no_other() -> None:
    def happens(batch: Sequence[Any], nth: int) -> None:
        if "kills" in batch:
            raise OSError("the worker is gone")

    executor = Faulty(happens)
    made = _rows(executor, [[1, 2], [3, "kills", 4], [5]])
    assert made == {**dict.fromkeys([1, 2, 3, 4, 5], "made"), "kills": "OSError: the worker is gone"}
    assert sum("kills" in batch for batch in executor.sent) == 3
    assert sum(3 in batch for batch in executor.sent) == 2


def test_a_batch_whose_worker_is_preempted_comes_from_another() -> None:
    def happens(batch: Sequence[Any], nth: int) -> None:
        if len(batch) > 1:
            raise ConnectionError("preempted")

    assert _rows(Faulty(happens), [[1, 2], [3, 4]]) == dict.fromkeys([1, 2, 3, 4], "made")


def test_an_executor_that_breaks_and_goes_on_costs_none_but_the_item_at_fault() -> None:
    def happens(batch: Sequence[Any], nth: int) -> None:
        if len(batch) > 1 or "kills" in batch:  # the whole pool breaks while it computes the first ones
            raise BrokenExecutor("a worker died")

    executor = Faulty(happens)
    made = _rows(executor, [[1, 2], ["kills", 3], [4, 5]])
    assert made == {**dict.fromkeys([1, 2, 3, 4, 5], "made"), "kills": "BrokenExecutor: a worker died"}
    assert executor.sent.count(("kills",)) == 2


def test_a_late_batch_is_sent_to_another_worker_too_and_what_comes_first_counts() -> None:
    release = threading.Event()

    def happens(batch: Sequence[Any], nth: int) -> None:
        if "slow" in batch and nth == 1:
            release.wait(30)

    executor, began = Faulty(happens), time.monotonic()
    assert _rows(executor, [["slow"], [1], [2]]) == dict.fromkeys(["slow", 1, 2], "made")
    assert time.monotonic() - began < 15
    assert executor.sent.count(("slow",)) == 2
    release.set()


def test_nothing_is_late_while_nothing_has_come_or_much_is_left() -> None:
    def happens(batch: Sequence[Any], nth: int) -> None:
        time.sleep(0.5)

    executor = Faulty(happens, workers=1)
    assert set(_rows(executor, [[1], [2]])) == {1, 2}
    assert executor.sent == [(1,), (2,)]


def test_a_batch_that_nobody_answers_is_sent_again_and_in_the_end_the_executor_counts_as_gone() -> None:
    class Silent(Executor):
        def __init__(self) -> None:
            self.sent: list[Any] = []

        def submit(self, function: Any, /, work: Any, batch: Any, *rest: Any) -> Future[Any]:  # type: ignore[override]
            self.sent.append(tuple(batch))
            future: Future[Any] = Future()
            if "silent" not in batch:
                future.set_result(function(work, batch, *rest))
            return future

    executor = Silent()
    run = Spread(executor, _work, None, _lost, limit=0.2).run([["silent"], [1]])
    assert next(run) == [(1, "made")]
    with pytest.raises(InputError, match=r"the executor takes no more work \(no answer in"):  # no candidate has failed
        next(run)
    assert 3 <= executor.sent.count(("silent",)) <= 6  # a late call is sent twice at a time


def test_what_is_on_its_way_is_called_off_when_the_run_is_left() -> None:
    waiting: list[Future[Any]] = []

    class Queue(Executor):
        def submit(self, function: Any, /, work: Any, batch: Any, *rest: Any) -> Future[Any]:  # type: ignore[override]
            future: Future[Any] = Future()
            if not waiting:
                future.set_result(function(work, batch, *rest))
            waiting.append(future)
            return future

    run = Spread(Queue(), _work, None, _lost).run([[1], [2], [3]])
    assert next(run) == [(1, "made")]
    run.close()  # type: ignore[attr-defined]
    assert [future.cancelled() for future in waiting] == [False, True, True]


def test_further_batches_are_asked_for_as_results_come() -> None:
    asked: Iterator[list[int]] = iter([[], [2], [], [3], []])
    executor = Faulty(lambda batch, nth: None)
    made = [row for rows in Spread(executor, _work, None, _lost).run([[1]], lambda: next(asked, [])) for row in rows]
    assert [item for item, _ in made] == [1, 2, 3]


def test_a_thread_that_is_traced_goes_on_after_a_time_limit() -> None:
    """As by coverage or a debugger: Python 3.11 stands still there once a stop is taken back."""
    done: list[int] = []

    def computes() -> None:
        sys.settrace(lambda *_: None)
        with watched(60.0):
            done.append(1)
        done.extend([k for k in (2, 3)])  # noqa: C416  # a frame of its own

    thread = threading.Thread(target=computes, daemon=True)
    thread.start()
    thread.join(30)
    assert done == [1, 2, 3]


def test_one_that_is_late_stops_once_and_no_more() -> None:
    came: list[str] = []

    def computes() -> None:
        for k in range(20):
            try:
                with watched(0.005):
                    time.sleep(0.004 + 0.0001 * k)
            except TookTooLongError as error:
                came.append(str(error))
        time.sleep(0.05)
        came.append("done")

    thread = threading.Thread(target=computes)
    thread.start()
    thread.join()
    assert came[-1] == "done"


def test_the_time_limit_holds_in_threads() -> None:
    def work(batch: Sequence[Any], resources: Any) -> list[Any]:
        while batch == ["hangs"]:
            time.sleep(0.01)
        return _work(batch, resources)

    with ThreadPoolExecutor(2) as executor:
        made = dict(row for rows in Spread(executor, work, None, _lost, 0.5).run([["hangs"], [1]]) for row in rows)
    assert made == {"hangs": "it took longer than 0.5 s; raise the time limit", 1: "made"}
