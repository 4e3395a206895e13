"""Several programs at one results folder: colliding names, reports at once, a second run, a reader that stays."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.reliability.folders import differences, leftovers
from tests.reliability.kills import Case
from tests.reliability.processes import ended, kill_group, start
from tests.reliability.trials import Trial

_PAIRS: Final = (("1", "id 1"), ("True", "id True"), ("1e5", "id 1e5"), ("1", "1.0"), ("nan", "NaN"), ("a", "A"))
_FOREVER: Final = 300.0


def labels(work: Path) -> Iterator[Trial]:
    """Store pairs of candidates whose ids could be taken for one another: both are there.

    Args:
        work: Folder for what is written.

    Yields:
        A trial a pair.
    """
    from chggen.results import Candidate, Store

    for pair in _PAIRS:
        folder = work / "labels"
        shutil.rmtree(folder, ignore_errors=True)
        with Store(folder, {"x": 1}) as store:
            for name in pair:
                failed = Candidate(id=name, stage="relax", formula="NaCl", seed=0, status="failed", reason="x")
                store.put([failed])
        with Store(folder, {"x": 1}) as store:
            there = sorted(store.candidates())
        faults = [] if there == sorted(pair) else [f"stored {pair}, there are {there}"]
        yield Trial(f"ids {pair}", f"{len(there)} rows", tuple(faults))


def reports_at_once(inputs: Path, work: Path, repeats: int) -> Iterator[Trial]:
    """Write the report of a folder from three processes at once: each ends well, and the page is whole at any moment.

    Args:
        inputs: Folder of `make_inputs` with results.
        work: Folder for what is written.
        repeats: Reports of each process.

    Yields:
        One trial.
    """
    folder, log = work / "reports", work / "reports.log"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(inputs / "results", folder)
    began, failed, looks, half = time.monotonic(), 0, 0, 0
    for _ in range(repeats):
        running = {start(["report", str(folder)], log, work) for _ in range(3)}
        while running:
            text = (folder / "report.html").read_text()
            looks, half = looks + 1, half + (not text.endswith("</html>\n"))
            for pid in tuple(running):
                code = ended(pid, 0)
                if code is not None:
                    running.remove(pid)
                    failed += code != 0
            time.sleep(0.002)
    faults = [f"{failed} failed: {log.with_suffix('.err').read_text()[-200:]!r}"] if failed else []
    faults += [f"{half} of {looks} looks found half a page"] if half else []
    faults += [f"left {path}" for path in leftovers(folder)]
    yield Trial(f"3 x {repeats} reports at once", f"{looks} looks", tuple(faults), time.monotonic() - began)


def two_runs(inputs: Path, work: Path) -> Iterator[Trial]:
    """Start a second run in the folder of one that goes on, and reports meanwhile: the first is not disturbed.

    Args:
        inputs: Folder of `make_inputs`.
        work: Folder for what is written.

    Yields:
        A trial for the second run, one for the reports, one for the first run.
    """
    case, folder = Case("relax", inputs, work), work / "twice"
    shutil.rmtree(folder, ignore_errors=True)
    first = case.start(folder, work / "first.log")
    ended(first, _FOREVER, (folder / ".lock").exists)
    second = ended(case.start(folder, work / "second.log"), _FOREVER)
    said = (work / "second.err").read_text()
    fine = second == 2 and said.startswith("chggen: ") and said.count("\n") == 1
    yield Trial("a second run in one folder", f"exit {second}", () if fine else (f"exit {second}: {said[-200:]!r}",))
    reports, faults = 0, []
    code = None
    while code is None:
        number = ended(start(["report", str(folder)], work / "report.log", work), _FOREVER)
        reports += 1
        if number != 0 and "no candidates" not in (text := (work / "report.err").read_text()):
            faults.append(f"exit {number}: {text[-200:]!r}")
        code = ended(first, 0)
    yield Trial("reports during a run", f"{reports} reports", tuple(faults[:1]))
    faults = [] if code == 0 else [f"exit {code}: {(work / 'first.err').read_text()[-200:]!r}"]
    yield Trial("the first run", f"exit {code}", (*faults, *differences(case.reference, folder)))


def held_databases(inputs: Path, work: Path, short: bool) -> Iterator[Trial]:
    """Hold locks on the database meanwhile: a reader does not disturb a run, a locked folder is not called damaged.

    Args:
        inputs: Folder of `make_inputs` with results.
        work: Folder for what is written.
        short: Hold the locks for seconds only.

    Yields:
        A trial a lock.
    """
    case, folder = Case("relax", inputs, work), work / "held"
    shutil.rmtree(folder, ignore_errors=True)
    pid = case.start(folder, work / "held.log")
    ended(pid, _FOREVER, lambda: _has_rows(folder / "candidates.db"))
    holder = _hold(folder / "candidates.db", "DEFERRED")
    code = ended(pid, 5 if short else 30)
    while code is None and short:
        code = ended(pid, _FOREVER)
    held = "while a reader holds the database" + ("" if short else " for 30 s")
    kill_group(holder)
    code = ended(pid, _FOREVER) if code is None else code
    faults = [] if code == 0 else [f"exit {code}: {(work / 'held.err').read_text()[-200:]!r}"]
    yield Trial(f"a run {held}", f"exit {code}", (*faults, *differences(case.reference, folder)))
    if short:
        return
    holder = _hold(folder / "candidates.db", "EXCLUSIVE")
    for arguments in (["report", str(folder)], [*case.arguments, "-o", str(folder)]):
        code = ended(start(arguments, work / "locked.log", work), _FOREVER)
        said = (work / "locked.err").read_text()[-300:]
        fine = code in (0, 2) and not any(word in said for word in ("damaged", "delete", "remove", "Traceback"))
        told = f"{arguments[0]} while the database is locked"
        yield Trial(told, f"exit {code}", () if fine else (f"exit {code}: {said!r}",))
    kill_group(holder)
    code = ended(case.start(folder, work / "held.log"), _FOREVER)
    yield Trial("the run when the lock is gone", f"exit {code}", tuple(differences(case.reference, folder)))


def _has_rows(path: Path) -> bool:
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.1)
        try:
            return bool(connection.execute("SELECT count(*) FROM systems").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return False


def _hold(path: Path, how: str) -> int:
    """Hold a lock on a database in a process of its own; returns its id once it is held."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.setsid()
        connection = sqlite3.connect(path, isolation_level=None, timeout=60)
        connection.execute(f"BEGIN {how}")
        connection.execute("SELECT count(*) FROM systems").fetchall()
        os.write(writing, b"x")
        time.sleep(_FOREVER)
        os._exit(0)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    return pid
