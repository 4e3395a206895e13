"""Work is spread over local processes or any executor; what dies or fails is a row, and costs no other."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from chggen.errors import InputError
from chggen.execution.batches import batches_of
from chggen.execution.executor import Workers
from chggen.execution.failure import Failure, at_stage
from chggen.execution.machine import Machine

pytestmark = pytest.mark.reliability  # faults put in by hand: processes start, die and are ended


@dataclass(frozen=True)
class Nothing:
    """Resources of work that needs none."""

    def unloaded(self) -> Nothing:
        return self


def _work(batch: Sequence[Any], resources: Nothing) -> list[Any]:
    return [_made(item) for item in batch]


def _work_in_parts(batch: Sequence[Any], resources: Nothing) -> Iterator[tuple[list[int], list[Any]]]:
    for place, item in enumerate(batch):
        with at_stage("second half" if place else "first"):
            made = _made(item)
        yield [place], [made]


def _made(item: Any) -> tuple[Any, int, int]:
    """What is made of an item; some are bad ones."""
    if item == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "leaves":
        os._exit(0)
    if item == "exits":
        raise SystemExit(0)
    if item == "interrupts":
        raise KeyboardInterrupt
    if item == "hangs":
        time.sleep(600)
    if item == "fails":
        raise MemoryError("no room\nat all")
    if item == "cannot be sent":
        return item, lambda: 0, 0  # type: ignore[return-value]
    return item, os.getpid(), torch.get_num_threads()


def _lost(item: Any, failure: Failure) -> list[Any]:
    return [(item, "lost", failure.reason, failure.stage)]


def _run(
    workers: Workers, batches: Sequence[Sequence[Any]], seconds: float = 1e9, work: Any = _work
) -> dict[Any, tuple[Any, ...]]:
    rows = [row for made in workers.run(work, batches, Nothing(), _lost, seconds) for row in made]
    assert len(rows) == len({row[0] for row in rows})
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("work", [_work, _work_in_parts])
def test_an_item_that_fails_costs_no_other_in_this_process(work: Any) -> None:
    found = _run(Workers(Machine(workers=1)), [[1, "fails", 2], [3], ["exits", 4, 5, "interrupts"]], work=work)
    assert set(found) == {1, 2, 3, 4, 5, "fails", "exits", "interrupts"}
    assert found["fails"][:2] == ("lost", "MemoryError: no room at all")
    assert found["exits"][:2] == ("lost", "SystemExit: 0")
    assert found["interrupts"][:2] == ("lost", "KeyboardInterrupt")
    assert {found[k][0] for k in range(1, 6)} == {os.getpid()}


def test_ctrl_c_ends_the_work_of_this_process_and_is_no_failure() -> None:
    def work(batch: Sequence[Any], resources: Nothing) -> list[Any]:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(20)
        return list(batch)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(Workers(Machine(workers=1)).run(work, [[1, 2]], Nothing(), _lost))
    assert time.monotonic() - began < 5


def test_parts_that_have_come_are_kept_and_the_stage_of_a_failure_is_told() -> None:
    computed = []

    def work(batch: Sequence[Any], resources: Nothing) -> Iterator[tuple[list[int], list[Any]]]:
        for place, item in enumerate(batch):
            with at_stage("outer"), at_stage("inner"):
                computed.append(item)
                made = _made(item)
            yield [place], [made]

    found = _run(Workers(Machine(workers=1)), [[1, "fails", 2]], work=work)
    assert found["fails"] == ("lost", "MemoryError: no room at all", "inner")
    assert computed.count(1) == 1
    assert computed.count("fails") == 2


def test_what_takes_too_long_is_lost_here_and_in_workers() -> None:
    for count in (1, 2):
        began = time.monotonic()
        found = _run(Workers(Machine(workers=count, time_limit=1.0)), [[1, "hangs", 2], [3]], work=_work_in_parts)
        assert set(found) == {1, 2, 3, "hangs"}
        assert "took longer than 1 s" in found["hangs"][1]
        assert found["hangs"][2] == "first"
        assert time.monotonic() - began < 60
        assert {found[k][0] == os.getpid() for k in (1, 2, 3)} == {count == 1}


@pytest.mark.parametrize("work", [_work, _work_in_parts])
def test_a_worker_that_dies_costs_one_item_and_the_others_come(work: Any) -> None:
    workers = Workers(Machine(workers=2))
    bad = ("dies", "leaves", "exits", "interrupts", "fails", "cannot be sent")
    batches = [[1, 2], [3, "dies", 4], [5, 6, "leaves"], ["fails", 7, "exits"], ["interrupts"], ["cannot be sent"]]
    found = _run(workers, batches, work=work)
    assert set(found) == {1, 2, 3, 4, 5, 6, 7, *bad}
    assert {found[name][0] for name in bad} == {"lost"}
    assert found["dies"][1].startswith("its process was ended by SIGKILL")
    assert found["leaves"][1] == "its process ended with exit code 0"
    if work is _work_in_parts:
        assert found["dies"][2] == "first"  # alone, it is the first of its batch
    others = {row[0] for name, row in found.items() if name not in bad}
    assert os.getpid() not in others
    assert "lost" not in others
    assert {found[k][1] for k in range(1, 8)} == {1}  # one thread each


def test_a_program_that_a_worker_started_ends_with_it(tmp_path: Path) -> None:
    found = _run(Workers(Machine(workers=2, time_limit=2.0)), [[tmp_path / "pid"], [1]], work=_start_and_hang)
    assert found[tmp_path / "pid"][0] == "lost"
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while _is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_alive(pid)


def _start_and_hang(batch: Sequence[Any], resources: Nothing) -> list[Any]:
    if isinstance(batch[0], Path):
        process = subprocess.Popen(["sleep", "600"])
        batch[0].write_text(str(process.pid))
        with at_stage("relax"):
            time.sleep(600)
    return [(item, 0, 0) for item in batch]


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


_OWNER = """
import sys, time
from tests_of_executor import Nothing, _lost, _work
from chggen.execution import Machine, Workers
if __name__ == "__main__":
    rows = Workers(Machine(workers=2)).run(_work, [[1], ["hangs"], ["hangs"]], Nothing(), _lost)
    print(next(rows)[0][1], flush=True)
    next(rows)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_its_owner(tmp_path: Path, how: int) -> None:
    (tmp_path / "tests_of_executor.py").write_text(Path(__file__).read_text())
    (tmp_path / "owner.py").write_text(_OWNER)
    owner = subprocess.Popen(
        [sys.executable, "owner.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert owner.stdout is not None
    worker = int(owner.stdout.readline())
    assert _is_alive(worker)
    owner.send_signal(how)
    began = time.monotonic()
    owner.wait(20)
    assert time.monotonic() - began < 5
    while _is_alive(worker) and time.monotonic() < began + 15:
        time.sleep(0.05)
    assert not _is_alive(worker)
    owner.stdout.close()


def test_what_a_killed_process_was_at_is_computed_apart_by_the_next(tmp_path: Path) -> None:
    note = tmp_path / "note"
    during = []

    def work(batch: Sequence[Any], resources: Nothing) -> list[Any]:
        during.append((list(batch), json.loads(note.read_text())))
        return [(item, os.getpid(), 1) for item in batch]

    found = _run(Workers(Machine(workers=1), note=note), [["a", "b"], ["c"]], work=work)
    assert during == [(["a", "b"], ["a", "b"]), (["c"], ["c"])]
    assert not note.exists()
    assert {row[0] for row in found.values()} == {os.getpid()}
    note.write_text('["leaves", "b"]')  # as a run leaves it that the system, or the item itself, has ended
    found = _run(Workers(Machine(workers=1), note=note), [["a", "leaves"], ["b"], ["c"]])
    assert found["leaves"][:2] == ("lost", "its process ended with exit code 0")
    assert found["a"][0] != os.getpid() != found["b"][0]
    assert found["c"][0] == os.getpid()
    assert not note.exists()
    note.write_text('["leaves"]')
    assert _run(Workers(Machine(workers=1), note=note), [["a"], ["leaves"]])["leaves"][0] == "lost"
    assert not note.exists()  # though the last batch was computed apart
    note.write_text('["later", "never"]')  # some of it is only asked for after other work
    workers = Workers(Machine(workers=1), note=note)
    assert _run(workers, [["a"]])["a"][0] == os.getpid()
    assert json.loads(note.read_text()) == ["later", "never"]
    assert _run(workers, [["later"]])["later"][0] != os.getpid()
    assert json.loads(note.read_text()) == ["never"]
    workers.finish()
    assert not note.exists()
    note.write_text("[1")  # cut off
    assert _run(Workers(Machine(workers=1), note=note), [["a"]])["a"][0] == os.getpid()


def test_unknown_code_is_kept_out_of_this_process_where_that_is_asked_for() -> None:
    machine = Machine(workers=1, isolate=True)
    assert _run(Workers(machine), [["leaves", 1]], seconds=math.inf)[1][0] != os.getpid()
    assert _run(Workers(machine), [[1]], seconds=1e9)[1][0] == os.getpid()


def _run_two() -> list[int]:
    return sorted(_run(Workers(Machine(workers=2)), [[1], [2]]))


def test_a_process_of_multiprocessing_can_leave_though_it_keeps_workers() -> None:
    child = multiprocessing.get_context("spawn").Process(target=_run_two)
    child.start()
    child.join(60)
    ended = child.exitcode
    child.kill()
    assert ended == 0


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
        found = _run(Workers(Machine(executor=executor)), [[1, 2], ["fails", 3], [4]])
    assert set(found) == {1, 2, 3, 4, "fails"}
    assert found["fails"] == ("lost", "MemoryError: no room at all", None)
    assert {row[0] for name, row in found.items() if name != "fails"} == {os.getpid()}


def test_what_comes_is_handed_over_as_it_comes() -> None:
    began = time.monotonic()
    release = threading.Event()

    def work(batch: Sequence[Any], resources: Nothing) -> list[Any]:
        if batch[0] == "slow":
            release.wait(20)
        return list(batch)

    with ThreadPoolExecutor(2) as executor:
        coming = Workers(Machine(executor=executor)).run(work, [["quick"], ["slow"]], Nothing(), _lost)
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


def test_what_takes_long_is_spread_over_the_workers() -> None:
    machine = Machine(workers=2, batch_size=8)
    seconds = [9.0, 9.0, 1.0, 1.0, 1.0, 1.0]
    assert batches_of(range(6), machine, seconds=seconds.__getitem__) == [[0, 2, 4], [1, 3, 5]]
    assert batches_of(range(6), machine, made=lambda k: k == 2, seconds=seconds.__getitem__) == [[0, 4], [1, 3, 5]]
    assert batches_of(range(3), machine, seconds=[9.0, 1.0, 1.0].__getitem__) == [[0], [1, 2]]


def test_what_takes_long_is_cut_to_smaller_batches() -> None:
    machine = Machine(workers=1, batch_size=8)
    assert batches_of(range(8), machine, seconds=lambda k: 10.0) == [list(range(8))]
    assert batches_of(range(8), machine, seconds=lambda k: 30.0) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert batches_of(range(3), machine, seconds=lambda k: 500.0) == [[0], [1], [2]]


@pytest.mark.parametrize(
    "wrong", [{"workers": -1}, {"workers": True}, {"batch_size": 0}, {"device": "abacus"}, {"time_limit": 0.0}]
)
def test_a_machine_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected"):
        Machine(**wrong)


def test_nothing_to_do_asks_no_process_for_anything() -> None:
    def cannot_be_sent(batch: Sequence[Any], resources: Nothing) -> list[Any]:
        raise AssertionError("there is nothing to compute")

    workers = Workers(Machine(workers=2, isolate=True))
    assert not list(workers.run(cannot_be_sent, [], Nothing(), _lost))
    assert not list(workers.run(cannot_be_sent, [[]], Nothing(), _lost))


@pytest.mark.parametrize("count", [1, 2])
def test_more_batches_are_asked_for_until_there_are_none(count: int) -> None:
    further = [[3, 4], [5]]
    rows = Workers(Machine(workers=count)).run(
        _work, [[1], [2]], Nothing(), _lost, more=lambda: further.pop(0) if further else []
    )
    assert {row[0] for made in rows for row in made} == {1, 2, 3, 4, 5}
    late = [[6]]
    rows = Workers(Machine(workers=count)).run(_work, [], Nothing(), _lost, more=lambda: late.pop(0) if late else [])
    assert [row[0] for made in rows for row in made] == [6]
