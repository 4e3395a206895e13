"""Watching a run: its page is written as results come, and what is said of it is right."""

from __future__ import annotations

import io
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure
from rich.console import Console

from chggen.cli.watch import Watching, told_lines, watch
from chggen.errors import InputError
from chggen.execution import NotedProgress, StageNote, read_note, silent
from chggen.results import Candidate, Store
from chggen.results.candidate import failed

_CELL = Structure(Lattice.cubic(3), ["Cu"], [[0, 0, 0]])


def _good(name: str, energy: float) -> Candidate:
    return Candidate(
        id=name, stage="generate", formula="Cu", seed=0, structure=_CELL, raw=_CELL, level="pbe",
        energies={"pbe": -4.0 + energy}, decomposition_energies={"pbe": energy}, space_group_loose=221,
    )  # fmt: skip


def _bad(name: str, reason: str) -> Candidate:
    return failed(replace(_good(name, 0.0), energies={}, decomposition_energies={}), "relax", reason)


def test_what_is_said_of_a_run() -> None:
    found = [_good("best", 0.01), _good("other", 0.2), _bad("a", "far"), _bad("b", "far"), _bad("c", "lost")]
    note = StageNote(stage="generate", done=7, total=20, failed=3, done_before=2, began=100.0, noted=160.0)
    assert list(told_lines(found, note, running=True)) == [
        "generate: 7 of 20 done, 5 a minute, about 3 min left; 5 candidates, 2 good, 3 failed",
        "best so far: best, Cu, E_d 0.010 eV/atom (pbe), Pm-3m (221)",
        "2 failed at relax: far",
        "1 failed at relax: lost",
    ]
    assert next(told_lines([], note, running=False)).startswith("stopped in generate: 7 of 20 done")
    assert list(told_lines([], None, running=False)) == ["ended; 0 candidates, 0 good, 0 failed"]


def test_progress_is_noted_until_the_end(tmp_path: Path) -> None:
    told = NotedProgress(silent, tmp_path)
    told("generate", 2, 4, 0)
    told("generate", 4, 4, 1)
    note = read_note(tmp_path)
    assert note is not None
    assert (note.stage, note.done, note.total, note.failed, note.done_before) == ("generate", 4, 4, 1, 2)
    assert (note.rate() or 0) > 0
    told("pbe", 0, 3, 0)
    note = read_note(tmp_path)
    assert note is not None
    assert (note.stage, note.rate()) == ("pbe", None)
    told.close()
    assert read_note(tmp_path) is None
    (tmp_path / ".progress").write_text("{")
    assert read_note(tmp_path) is None


def test_the_page_is_written_anew_where_there_is_something_new(tmp_path: Path) -> None:
    with Store(tmp_path, {}) as store:
        watching = Watching(tmp_path, every=10.0)
        watching.look(0.0)
        assert watching.page is None  # nothing has come
        store.put([_good("a", 0.1)])
        watching.look(1.0)
        assert watching.page == tmp_path / "report.html"
        assert not (tmp_path / "summary.csv").exists()  # which the run writes
        store.put([_good("b", 0.05)])
        watching.look(2.0)
        assert [c.id for c in watching.candidates] == ["a"]  # too soon
        watching.look(10_000.0)
        assert watching.candidates[0].id == "b"
        assert watching.versions == 2
        watching.look(90_000.0)
        assert watching.versions == 2  # nothing new
    with pytest.raises(InputError, match=r"no folder .* to watch"):
        Watching(tmp_path / "other")


def test_watching_ends_with_the_run(tmp_path: Path) -> None:
    begun = threading.Event()

    def run() -> None:
        with Store(tmp_path, {}) as store:
            begun.set()
            store.put([_good("a", 0.1)])
            NotedProgress(silent, tmp_path)("generate", 1, 2, 0)
            time.sleep(1.5)
            store.put([_good("b", 0.0)])
            (tmp_path / ".progress").unlink()

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait()
    console = Console(file=io.StringIO(), width=80)
    watch(tmp_path, every=0.1, console=console)
    thread.join()
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines[-3:] == [
        "ended; 2 candidates, 2 good, 0 failed",
        "best so far: b, Cu, E_d 0.000 eV/atom (pbe), Pm-3m (221)",
        f"report in {tmp_path / 'report.html'}",
    ]
    assert "b" in (tmp_path / "report.html").read_text()
