"""Processes that die, cannot be started or cannot be told what to do; models that change while processes are kept."""

from __future__ import annotations

import importlib
import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from chggen.campaign import Resources
from chggen.errors import InputError
from chggen.execution import Failure, Machine, Workers
from chggen.execution.executor import Sendable
from chggen.execution.local_processes import LocalProcesses
from chggen.generation import SamplerOptions

pytestmark = pytest.mark.reliability  # faults put in by hand: processes start, die and are ended


class Nothing:
    """Resources of work that needs none."""

    def unloaded(self) -> Nothing:
        return self


class Unsendable:
    """An item that cannot be pickled, or that cannot be read again."""

    def __init__(self, by_whom: str) -> None:
        self.by_whom = by_whom

    def __reduce__(self) -> Any:
        if self.by_whom == "sender":
            raise TypeError("this cannot be packed")
        return _unreadable, ()


def _unreadable() -> None:
    raise ValueError("this cannot be read")


def _work(batch: Sequence[Any], resources: Any) -> list[Any]:
    for item in batch:
        if item == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "hangs":
            time.sleep(600)
        if isinstance(item, Path):
            _die_before_a_child(item)
    return [(item, os.getpid()) for item in batch]


def _die_before_a_child(note: Path) -> None:
    """End this process while a child of it, in a session of its own, goes on and holds what was open."""
    if os.fork() == 0:
        os.setsid()
        note.write_text(str(os.getpid()))
        time.sleep(60)
        os._exit(0)
    while not note.exists() or not note.read_text():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


def _lost(item: Any, failure: Failure) -> list[Any]:
    return [(item, f"lost: {failure.reason}")]


def _rows(workers: Workers, batches: Sequence[Sequence[Any]]) -> list[tuple[Any, Any]]:
    return [row for made in workers.run(_work, batches, Nothing(), _lost, 1e9) for row in made]


def test_a_process_that_dies_while_what_it_forked_goes_on_is_noticed(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    found: dict[Any, Any] = {}
    coming = threading.Thread(
        target=lambda: found.update(_rows(Workers(Machine(workers=2, time_limit=200.0)), [[note, 1], [2]])), daemon=True
    )
    coming.start()
    coming.join(60)
    if note.exists():
        os.kill(int(note.read_text()), signal.SIGKILL)
    assert not coming.is_alive()
    assert set(found) == {note, 1, 2}
    assert found[note].startswith("lost: its process was ended by SIGKILL")


@pytest.mark.parametrize(
    ("by_whom", "reason"), [("sender", "TypeError: this cannot be packed"), ("receiver", "ValueError: this cannot be")]
)
def test_an_item_that_cannot_be_sent_is_lost_alone(by_whom: str, reason: str) -> None:
    bad = Unsendable(by_whom)
    found = dict(_rows(Workers(Machine(workers=2)), [[1, bad, 2], [3], [bad]]))
    assert set(found) == {1, 2, 3, bad}
    assert found[bad].startswith(f"lost: {reason}")
    assert all(isinstance(found[k], int) for k in (1, 2, 3))


def _start_no_more_than(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system start so many processes, and no more."""
    left = [None] * most
    kind = get_context("spawn").Process
    start = kind.start

    def limited(process: Any) -> None:
        if not left:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        left.pop()
        start(process)

    monkeypatch.setattr(kind, "start", limited)


def test_fewer_processes_serve_where_no_more_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    _start_no_more_than(1, monkeypatch)
    processes = LocalProcesses(3)
    try:
        found = dict(row for made in processes.run(_work, [[1], [2], [3]], None, _lost) for row in made)
    finally:
        processes.stop()
    assert set(found) == {1, 2, 3}
    assert len(set(found.values())) == 1


def test_where_no_process_can_be_started_that_is_said_and_nothing_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    _start_no_more_than(0, monkeypatch)
    before = len(os.listdir("/proc/self/fd"))
    told = []  # keeps what was made alive, which would be closed otherwise
    for _ in range(3):
        with pytest.raises(InputError, match=r"cannot be started here \(.*unavailable\); use --workers 1") as raised:
            list(LocalProcesses(2).run(_work, [[1]], None, _lost))
        told.append(raised)
    assert len(os.listdir("/proc/self/fd")) == before


def _until_refused(executor: Executor, batches: Sequence[Sequence[Any]]) -> tuple[list[Any], str]:
    """Return the rows that come, and what is said when no more can."""
    rows: list[Any] = []
    try:
        for made in Workers(Machine(executor=executor)).run(_work, batches, Nothing(), _lost):
            rows += made
    except InputError as error:
        return rows, str(error)
    raise AssertionError("nothing was refused")


def test_an_executor_that_has_broken_is_said_to_be_and_costs_no_rows() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        rows, told = _until_refused(executor, [[1, 2], ["dies", 3], [4], [5]])
    assert "the executor takes no more work (BrokenProcessPool" in told
    assert told.endswith("repeat the command with a new executor, or without one")
    assert len(told) <= 300
    assert [item for item, _ in rows] == [1, 2]
    assert all(isinstance(by, int) for _, by in rows)


class _Refuses(Executor):
    """Computes at once, and refuses all calls after some."""

    def __init__(self, most: int, error: Exception) -> None:
        self.left, self.error = most, error

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        if not self.left:
            raise self.error
        self.left -= 1
        future: Future[Any] = Future()
        future.set_result(function(*args, **kwargs))
        return future


def test_what_an_executor_has_made_before_it_refuses_comes() -> None:
    executor = _Refuses(2, RuntimeError("cannot schedule new futures after shutdown"))
    rows, told = _until_refused(executor, [[1], [2], [3]])
    assert "after shutdown" in told
    assert {item for item, _ in rows} == {1, 2}
    found = dict(_rows(Workers(Machine(executor=_Refuses(1, TypeError("it cannot be packed")))), [[1], [2]]))
    assert found == {1: os.getpid(), 2: "lost: TypeError: it cannot be packed"}


def test_the_time_limit_holds_in_an_executor_of_processes() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        machine = Machine(time_limit=1.0, executor=executor)
        found = dict(_rows(Workers(machine), [["hangs", 1], [2]]))
    assert set(found) == {"hangs", 1, 2}
    assert "took longer than 1 s" in found["hangs"]


class _File:
    """Resources that say what is in a file, as it was when they were loaded."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.content: str | None = None

    def __repr__(self) -> str:
        return repr(self.resources)

    def unloaded(self) -> _File:
        return _File(self.resources.unloaded())


def _read(batch: Sequence[Any], file: _File) -> list[Any]:
    if file.content is None:
        assert file.resources.sampler.model is not None
        file.content = Path(file.resources.sampler.model).read_text()
    return [file.content for _ in batch]


def test_kept_processes_load_a_model_again_once_its_file_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, other = tmp_path / "model", tmp_path / "other" / "model"
    other.parent.mkdir()
    resources: Sendable = _File(Resources(sampler=SamplerOptions(model="model"), relax=None))
    workers = Workers(Machine(workers=1, isolate=True))

    def read() -> list[Any]:
        return [row for made in workers.run(_read, [[1]], resources, _lost) for row in made]

    monkeypatch.chdir(tmp_path)
    model.write_text("first")
    assert read() == ["first"]
    model.write_text("changed")
    assert read() == ["changed"]
    other.write_text("another")
    os.utime(other, ns=(model.stat().st_mtime_ns,) * 2)  # and as long: told by its folder alone
    monkeypatch.chdir(other.parent)
    assert read() == ["another"]


def _where(batch: Sequence[Any], resources: Nothing) -> list[Any]:
    return [os.getcwd() for _ in batch]


def test_kept_processes_take_paths_from_the_folder_where_their_owner_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        monkeypatch.chdir(folder)
        made = Workers(Machine(workers=1, isolate=True)).run(_where, [[1]], Nothing(), _lost)
        assert list(made) == [[str(folder)]]


def _imported(batch: Sequence[Any], resources: Nothing) -> list[Any]:
    return [importlib.import_module(name).VALUE for name in batch]


def test_kept_processes_find_modules_where_their_owner_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(Workers(Machine(workers=1, isolate=True)).run(_where, [[1]], Nothing(), _lost)) == [[os.getcwd()]]
    (tmp_path / "added_afterwards.py").write_text("VALUE = 7")
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Workers(Machine(workers=1, isolate=True)).run(_imported, [["added_afterwards"]], Nothing(), _lost)
    assert list(made) == [[7]]
