"""How a command ends: exit codes, one sentence for what went wrong, and signals that end it soon, nothing lost."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from chggen.cli import ending
from chggen.errors import InputError
from chggen.results.database import read_candidates

pytestmark = pytest.mark.reliability  # faults put in by hand: processes start, die and are ended

_SLOW = """
import time
from ase.calculators.emt import EMT

class Slow(EMT):
    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        time.sleep(0.15)

def make():
    return Slow()
"""


def _running(tmp_path: Path, *options: str) -> subprocess.Popen[str]:
    (tmp_path / "slow_emt.py").write_text(_SLOW)
    script = Path(sys.executable).with_name("chggen")
    line = "generate Cu -n 6 --levels 4 --best-of 1 --potential ase:slow_emt:make --max-steps 4 --fmax 1e-9 -o run"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        [script, *line.split(), *options], cwd=tmp_path, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def test_a_signal_ends_a_run_soon_and_keeps_what_is_finished(tmp_path: Path) -> None:
    run = _running(tmp_path, "--workers", "1")
    log, deadline = tmp_path / "run" / "log.txt", time.monotonic() + 120
    while run.poll() is None and time.monotonic() < deadline and not (log.exists() and "Cu-z1-0001" in log.read_text()):
        time.sleep(0.02)
    children = _children(run.pid)
    assert children
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=30)
    assert time.monotonic() - began < 5  # of which two are the program's, on a machine that has nothing else to do
    assert run.returncode == 130
    assert told.strip().splitlines()[-1] == "chggen: stopped; repeat the command to go on from here"
    assert "Traceback" not in told
    kept = {c.id for c in read_candidates(tmp_path / "run")}
    assert {"Cu-z1-0000", "Cu-z1-0001"} <= kept < {f"Cu-z1-000{k}" for k in range(6)}  # as they came, not by rounds
    while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < began + 15:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_every_signal_that_asks_for_an_end_is_one(tmp_path: Path, how: int, code: int) -> None:
    script = """
import sys, time
from pathlib import Path
from chggen.cli import ending
def app(standalone_mode):
    ending.writes_to(Path(sys.argv[1]))
    print("begun", flush=True)
    time.sleep(60)
sys.exit(ending.run(app))
"""
    command = [sys.executable, "-c", script, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "begun\n"
        began = time.monotonic()
        run.send_signal(how)
        assert run.communicate(timeout=30)[1] == "chggen: stopped; repeat the command to go on from here\n"
    assert time.monotonic() - began < 5
    assert run.returncode == code


def test_native_code_that_does_not_hear_of_a_signal_is_ended(tmp_path: Path) -> None:
    script = """
import sys, torch
from chggen.cli.ending import run
torch.set_num_threads(1)
matrix = torch.rand(6000, 6000)
def app(standalone_mode):
    print("begun", flush=True)
    torch.linalg.svd(matrix)
sys.exit(run(app))
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    assert time.monotonic() - began < 5
    process.stdout.close()


def _raising(error: BaseException) -> Any:
    def app(standalone_mode: bool) -> None:
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (InputError("no file"), 2, "no file"),
        (OSError(errno.ENOSPC, "No space left on device", "run/a.cif"), 2, "no space is left for run/a.cif"),
        (OSError(errno.EROFS, "Read-only file system", "run/a.cif"), 2, "change its permissions"),
        (PermissionError(errno.EACCES, "Permission denied", "run/.lock"), 2, "run/.lock cannot be used"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "run/x"), 2, "is not there, or no longer"),
        (OSError("the CIF files cannot be written"), 2, "the CIF files cannot be written"),
        (sqlite3.OperationalError("database or disk is full"), 2, "make room and repeat"),
        (sqlite3.OperationalError("attempt to write a readonly database"), 2, "permissions"),
        (sqlite3.OperationalError("unable to open database file"), 2, "no longer"),
        (MemoryError(), 1, "too little memory"),
        (SystemExit(0), 1, "ended the program"),
        (ending.Stopped(signal.SIGTERM), 143, "stopped"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, ""),
    ],
)
def test_what_ends_a_command_is_one_sentence(
    error: BaseException, code: int, told: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "_hush", lambda: None)
    assert ending.run(_raising(error)) == code
    shown = capfd.readouterr()
    assert shown.out == ""
    assert told in shown.err
    assert shown.err.count("\n") == (1 if told else 0)
    assert shown.err.startswith("chggen: ") == bool(told)
    assert len(shown.err) <= 301


def test_a_fault_names_the_file_of_its_traceback(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def app(standalone_mode: bool) -> None:
        ending.writes_to(tmp_path)
        raise ValueError("not\nexpected " + "x" * 500)

    assert ending.run(app) == 1
    told = capfd.readouterr().err
    assert "ValueError: not expected" in told
    assert str(tmp_path / "log.txt") in told
    assert len(told) <= 301
    assert "Traceback (most recent call last)" in (tmp_path / "log.txt").read_text()
    assert ending.run(_raising(ValueError("elsewhere"))) == 1
    path = Path(capfd.readouterr().err.split(" is in ")[1].strip())
    assert "ValueError: elsewhere" in path.read_text()
    path.unlink()


def test_closed_streams_are_no_fault(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("chggen")
    for closed in ("1>&-", "2>&-", "0<&- 1>&- 2>&-"):
        line = f"'{script}' hull --formula NaCl --energy -3.3 -o {tmp_path} {closed}"
        assert subprocess.run(["sh", "-c", line], capture_output=True).returncode == 0
        assert (tmp_path / "hull.txt").read_text().startswith("NaCl: E -3.3000 eV/atom, E_d")
    reader = f"'{script}' references show Li-O | true"
    assert subprocess.run(["bash", "-c", reader], capture_output=True, text=True).stderr == ""
