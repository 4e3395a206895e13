"""Runs that are killed at random or aimed moments go on from there, and end as runs that nobody killed."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.reliability.folders import differences, leftovers, rows
from tests.reliability.processes import ended, kill_group, left_of_group, start
from tests.reliability.trials import Trial

_LOGGED: Final = re.compile(r"INFO (\S+) (?:ok|failed)\b")
_SOON: Final = 5.0  # s from a signal to the end, of which a command promises 2; the rest is for a busy machine
_FOREVER: Final = 600.0
AIMS: Final = (
    "candidates.db", "candidates.db-journal", "candidates.db-wal", "config.toml", "summary.csv", "structures/*",
    "*.part*", "report.html", ".*.part*", "log.txt",
)  # fmt: skip


class Case:
    """A small run, how it ends when nobody kills it, and how long that takes.

    Args:
        name: `predict`, `inpaint` or `relax`.
        inputs: Folder of `make_inputs`.
        work: Folder for what is written.
    """

    def __init__(self, name: str, inputs: Path, work: Path) -> None:
        few = ["-n", "2", "--quality", "fast", "--workers", "1"]
        self.name = name
        self.work = work.resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.arguments = {
            "predict": ["predict", "LiF", "--formula-units", "1,2", "--per-framework", "1", *few],
            "inpaint": ["inpaint", str(inputs / "host.cif"), "--guest", "Li=2", *few],
            "relax": ["relax", str(inputs / "salts"), "--workers", "1"],
        }[name]
        self.reference = self.work / f"{name}-whole"
        shutil.rmtree(self.reference, ignore_errors=True)
        began = time.monotonic()
        code = ended(self.start(self.reference, self.work / f"{name}-whole.log"), _FOREVER)
        self.seconds = time.monotonic() - began
        if code != 0:
            raise RuntimeError(f"the whole run of {name} ended with {code}: {self.work / f'{name}-whole.err'}")

    def start(self, folder: Path, log: Path) -> int:
        """Start the run in a folder; returns the process id."""
        return start([*self.arguments, "-o", str(folder)], log, self.work)


def kill_trial(case: Case, sent: str, kills: int, aim: str, rng: random.Random, name: str) -> tuple[Trial, int]:
    """Kill a run, let it go on, and compare with the whole run.

    Args:
        case: The run.
        sent: The signal: KILL, TERM or INT.
        kills: How often it is killed at random moments.
        aim: Kill once, the moment a file that matches this pattern appears; empty for random moments.
        rng: Random numbers.
        name: Name of the trial.

    Returns:
        The trial, and how often the run was killed.
    """
    folder, log = case.work / name, case.work / f"{name}.log"
    shutil.rmtree(folder, ignore_errors=True)
    began, faults, done = time.monotonic(), [], 0
    for _ in range(1 if aim else kills):
        pid = case.start(folder, log)
        moment = _FOREVER if aim else rng.uniform(0.01, case.seconds)
        if ended(pid, moment, (lambda: any(folder.glob(aim))) if aim else None) is not None:
            break
        done += 1
        faults += _after_signal(pid, sent, folder)
    code = ended(case.start(folder, log), _FOREVER)
    if code != 0:
        faults.append(f"going on ended with {code}: {log.with_suffix('.err').read_text()[-300:]!r}")
    faults += differences(case.reference, folder) if folder.exists() else ["no folder"]
    faults += [f"left {path}" for path in leftovers(folder)]
    if "Traceback (most recent call last)" in log.with_suffix(".err").read_text(errors="replace"):
        faults.append("traceback on stderr")
    if not faults:
        shutil.rmtree(folder)
        for file in (log, log.with_suffix(".err")):
            file.unlink()
    return Trial(name, f"{done} kills", tuple(faults), time.monotonic() - began), done


def _after_signal(pid: int, sent: str, folder: Path) -> list[str]:
    """Send the signal, and return what is wrong with how the run ends and with what it leaves."""
    faults, at, number = [], time.monotonic(), getattr(signal, f"SIG{sent}")
    os.kill(pid, number)
    code = ended(pid, 60)
    if code is None:
        kill_group(pid)
        faults.append(f"did not end within 60 s of SIG{sent}")
    elif sent != "KILL" and time.monotonic() - at > _SOON:
        faults.append(f"ended {time.monotonic() - at:.0f} s after SIG{sent}")
    finished = code == 0 and (folder / "report.html").exists()  # just before the signal came
    if code not in (-number, 128 + number, None) and not finished:
        faults.append(f"exit code {code} after SIG{sent}")
    if orphans := left_of_group(pid):
        faults.append(f"orphans {orphans} 10 s after the end")
        kill_group(pid)
    if folder.exists():
        try:
            there = set(rows(folder))
        except Exception as error:
            return [*faults, f"after the kill: {type(error).__name__} {error}"]
        log = folder / "log.txt"
        told = set(_LOGGED.findall(log.read_text(errors="replace"))) if log.exists() else set()
        if lost := told - there:
            faults.append(f"logged but not in the database: {sorted(lost)}")
    return faults


def kill_and_resume(inputs: Path, work: Path, seed: int, kills: int) -> Iterator[Trial]:
    """Kill runs of the three commands, by three signals, until enough have been killed.

    Args:
        inputs: Folder of `make_inputs`.
        work: Folder for what is written.
        seed: Seed of the moments.
        kills: How many kills.

    Yields:
        The trials.
    """
    cases: dict[str, Case] = {}
    total = number = 0
    while total < kills:
        name = ("predict", "inpaint", "relax")[number % 3]
        if name not in cases:
            cases[name] = Case(name, inputs, work)
        case = cases[name]
        rng = random.Random(f"kills-{seed}-{number}")
        sent = ("KILL", "TERM", "KILL", "INT")[number // 3 % 4]
        aim = rng.choice(AIMS) if rng.random() < 0.4 else ""
        told = f"{name}-{sent}-{seed}-{number}" + ("-aimed" if aim else "")
        trial, done = kill_trial(case, sent, 2, aim, rng, told)
        total, number = total + done, number + 1
        yield Trial(f"{told} {aim}".strip(), trial.outcome, trial.faults, trial.seconds)
        if number > 20 * kills:
            return


def killed_workers(inputs: Path, work: Path, seed: int, trials: int) -> Iterator[Trial]:
    """Kill real processes of a run with two workers: the main one, a worker, or the whole group; then go on.

    Args:
        inputs: Folder of `make_inputs`.
        work: Folder for what is written.
        seed: Seed of the moments.
        trials: How many trials.

    Yields:
        The trials.
    """
    case = Case("relax", inputs, work)
    command = [sys.executable, "-m", "chggen.cli.app", "relax", str(inputs / "salts"), "--workers", "2"]
    environment: dict[str, Any] = os.environ | {"OMP_NUM_THREADS": "1"}
    for number in range(trials):
        rng = random.Random(f"workers-{seed}-{number}")
        target = ("worker", "main", "group")[number % 3]
        folder, log = work / f"workers-{number}", work / f"workers-{number}.log"
        shutil.rmtree(folder, ignore_errors=True)
        began, faults = time.monotonic(), []
        with log.open("w") as handle:
            run = subprocess.Popen(
                [*command, "-o", str(folder)], stdout=handle, stderr=handle, env=environment, start_new_session=True
            )
            _wait_for_workers(run)
            time.sleep(rng.uniform(0, 6))
            _kill_target(run, target, rng)
            code: int | None = run.wait(_FOREVER)
        if target == "worker" and code != 0:
            faults.append(f"exit code {code} after a worker was killed: {log.read_text()[-300:]!r}")
        if orphans := left_of_group(run.pid):
            faults.append(f"orphans {orphans} 10 s after the end")
        if target != "worker":
            code = ended(case.start(folder, log), _FOREVER)
            faults += [f"going on ended with {code}: {log.read_text()[-300:]!r}"] if code else []
        faults += differences(case.reference, folder)
        yield Trial(f"{target} killed, {number}", f"exit {code}", tuple(faults), time.monotonic() - began)


def _children(pid: int) -> list[int]:
    """The worker processes of a run, which are Python's spawned ones."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            try:
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
            except OSError:
                continue
    return found


def _wait_for_workers(run: subprocess.Popen[bytes]) -> None:
    while run.poll() is None and not _children(run.pid):
        time.sleep(0.1)


def _kill_target(run: subprocess.Popen[bytes], target: str, rng: random.Random) -> None:
    try:
        if target == "group":
            os.killpg(run.pid, signal.SIGKILL)
        else:
            workers = _children(run.pid)
            os.kill(rng.choice(workers) if target == "worker" and workers else run.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


class _Deadly(list[str]):
    """Statements of SQL, of which the process is killed before one."""

    def __init__(self, statements: list[str], fatal: int) -> None:
        super().__init__(statements)
        self._fatal = fatal

    def __iter__(self) -> Iterator[str]:
        for number in range(len(self)):
            if number == self._fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            yield self[number]


def killed_at_creation(inputs: Path, work: Path, every: int) -> Iterator[Trial]:
    """Kill a run between the statements that make its database, then give the same command again.

    Args:
        inputs: Folder of `make_inputs`.
        work: Folder for what is written.
        every: Try each so many-th moment.

    Yields:
        The trials.
    """
    import ase.db.sqlite as module

    work.mkdir(parents=True, exist_ok=True)
    made, indexed = list(module.init_statements), list(module.index_statements)
    for moment in range(0, len(made) + len(indexed), every):
        folder, log = work / f"moment-{moment}", work / f"moment-{moment}.log"
        shutil.rmtree(folder, ignore_errors=True)
        arguments = ["relax", str(inputs / "li2o.cif"), "--workers", "1", "-o", str(folder)]

        def arm(moment: int = moment) -> None:
            module.init_statements = _Deadly(made, moment)
            module.index_statements = _Deadly(indexed, moment - len(made))

        began = time.monotonic()
        first = ended(start(arguments, log, work, arm), _FOREVER)
        second = ended(start(arguments, log, work), _FOREVER)
        faults = [] if first == -signal.SIGKILL else [f"was not killed: {first}"]
        if second != 0 or len(rows(folder)) != 1:
            faults.append(f"the same command gave {second}: {log.with_suffix('.err').read_text()[-300:]!r}")
        faults += [f"left {path}" for path in leftovers(folder)]
        told = f"exit {first} then {second}"
        yield Trial(f"killed before statement {moment}", told, tuple(faults), time.monotonic() - began)
