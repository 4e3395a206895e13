"""Work is spread over local processes or any executor; what dies or fails is a row, and costs no other."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from chggen.errors import InputError
from chggen.execution.executor import Workers, batches_of
from chggen.execution.machine import Machine


@dataclass(frozen=True)
class Nothing:
    """Resources of work that needs none."""

    def unloaded(self) -> Nothing:
        return self


def _work(batch: Sequence[Any], resources: Nothing) -> list[Any]:
    made = []
    for item in batch:
        if item == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "fails":
            raise MemoryError("no room")
        made.append((item, os.getpid(), torch.get_num_threads()))
    return made


def _lost(item: Any, reason: str) -> list[Any]:
    return [(item, "lost", reason)]


def _run(workers: Workers, batches: Sequence[Sequence[Any]], seconds: float = 1e9) -> dict[Any, tuple[Any, ...]]:
    rows = [row for made in workers.run(_work, batches, Nothing(), _lost, seconds) for row in made]
    assert len(rows) == len({row[0] for row in rows})
    return {row[0]: row[1:] for row in rows}


def test_an_item_that_fails_costs_no_other_in_this_process() -> None:
    found = _run(Workers(Machine(workers=1)), [[1, "fails", 2], [3]])
    assert set(found) == {1, 2, 3, "fails"}
    assert found["fails"] == ("lost", "MemoryError: no room")
    assert found[1][0] == os.getpid()


def test_a_worker_that_dies_costs_one_item_and_the_pool_is_kept() -> None:
    workers = Workers(Machine(workers=2))
    found = _run(workers, [[1, 2], [3, "dies", 4], [5, 6], ["fails", 7], [8]])
    assert set(found) == {1, 2, 3, 4, 5, 6, 7, 8, "dies", "fails"}
    assert found["dies"][0] == "lost"
    assert found["fails"][0] == "lost"
    others = {row[0] for name, row in found.items() if name not in ("dies", "fails")}
    assert os.getpid() not in others
    assert "lost" not in others
    again = _run(workers, [[k] for k in range(4)])
    then = _run(workers, [[k] for k in range(4)])
    assert {row[0] for row in then.values()} <= {row[0] for row in again.values()} | {row[0] for row in then.values()}
    assert {row[1] for row in again.values()} == {1}  # one thread each


def test_workers_are_kept_between_calls() -> None:
    workers = Workers(Machine(workers=2))
    batches = [[k] for k in range(20)]
    first = {row[0] for row in _run(workers, batches).values()}
    second = {row[0] for row in _run(Workers(Machine(workers=2)), batches).values()}
    assert first & second
    assert len(first | second) <= 2


def test_small_work_is_done_here() -> None:
    found = _run(Workers(Machine(workers=3)), [[1], [2], [3]], seconds=1.0)
    assert {row[0] for row in found.values()} == {os.getpid()}


def test_any_executor_serves() -> None:
    with ThreadPoolExecutor(2) as executor:
        found = _run(Workers(Machine(), executor), [[1, 2], ["fails", 3], [4]])
    assert set(found) == {1, 2, 3, 4, "fails"}
    assert found["fails"] == ("lost", "MemoryError: no room")
    assert {row[0] for name, row in found.items() if name != "fails"} == {os.getpid()}


def test_what_comes_is_handed_over_as_it_comes() -> None:
    began = time.monotonic()
    release = threading.Event()

    def work(batch: Sequence[Any], resources: Nothing) -> list[Any]:
        if batch[0] == "slow":
            release.wait(20)
        return list(batch)

    with ThreadPoolExecutor(2) as executor:
        coming = Workers(Machine(), executor).run(work, [["slow"], ["quick"]], Nothing(), _lost)
        assert next(coming) == ["quick"]
        assert time.monotonic() - began < 15
        release.set()
        assert next(coming) == ["slow"]


def test_batches_are_cut_before_what_is_made_is_left_out() -> None:
    machine = Machine(workers=1, batch_size=3)
    assert batches_of(range(7), machine) == [[0, 1, 2], [3, 4, 5], [6]]
    assert batches_of(range(7), machine, made=lambda k: k in (0, 1, 2, 4)) == [[3, 5], [6]]
    assert batches_of([], machine) == []
    assert batches_of(range(4), Machine(workers=2, batch_size=8)) == [[0, 1], [2, 3]]


@pytest.mark.parametrize("wrong", [{"workers": -1}, {"workers": True}, {"batch_size": 0}, {"device": "abacus"}])
def test_a_machine_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected"):
        Machine(**wrong)
