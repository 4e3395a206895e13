"""A calculator that misbehaves on one of three crystals: that one is a failed row, the others are as without it."""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.reliability.processes import ended, kill_group, start
from tests.reliability.trials import Trial

_MODULE: Final = '''
import os, signal, time
import numpy as np
from ase.calculators.calculator import all_changes
from ase.calculators.lj import LennardJones

class Bad(LennardJones):
    """It misbehaves on magnesium, in the way that BADNESS names."""
    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        kind = os.environ.get("BADNESS", "none")
        if 12 not in atoms.numbers or kind == "none":
            return
        r = self.results
        if kind == "raise": raise ValueError("no\\nsuch <b>thing</b>")
        if kind == "raise without a message": raise ValueError
        if kind == "energy of NaN": r["energy"] = float("nan")
        if kind == "forces of NaN": r["forces"] = r["forces"] * np.nan
        if kind == "infinite forces": r["forces"] = r["forces"] + np.inf
        if kind == "forces of one atom": r["forces"] = r["forces"][:1]
        if kind == "flat forces": r["forces"] = r["forces"].ravel()
        if kind == "no energy": r["energy"] = None
        if kind == "energy of text": r["energy"] = "x"
        if kind == "huge forces": r["forces"] = r["forces"] + 1e30
        if kind == "no memory": raise MemoryError("no memory")
        if kind == "recursion": raise RecursionError("deep")
        if kind == "system exit": raise SystemExit(7)
        if kind == "system exit of 0": raise SystemExit(0)
        if kind == "interrupt": raise KeyboardInterrupt
        if kind == "exit": os._exit(3)
        if kind == "exit of 0": os._exit(0)
        if kind == "segfault": os.kill(os.getpid(), signal.SIGSEGV)
        if kind == "hang": time.sleep(1e6)

def make():
    return Bad(sigma=2.0, epsilon=0.01, rc=5.0)
'''
KINDS: Final = (
    "raise", "raise without a message", "energy of NaN", "forces of NaN", "infinite forces", "forces of one atom",
    "flat forces", "no energy", "energy of text", "huge forces", "no memory", "recursion", "system exit",
    "system exit of 0", "interrupt", "exit", "exit of 0", "segfault", "hang",
)  # fmt: skip


def failing_calculators(inputs: Path, work: Path, every: int) -> Iterator[Trial]:
    """Relax three crystals with each kind of badness, with one and with two workers.

    Args:
        inputs: Folder of `make_inputs`.
        work: Folder for what is written.
        every: Try each so many-th kind.

    Yields:
        The trials.
    """
    work = work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    (work / "bad_calculator.py").write_text(_MODULE)
    sys.path.insert(0, str(work))  # for forked children; for spawned ones:
    os.environ["PYTHONPATH"] = os.pathsep.join([str(work), os.environ.get("PYTHONPATH", "")])
    good = _relaxed("none", 1, inputs, work)
    yield Trial("none", f"exit {good[0]}", () if good[0] == 0 and len(good[1]) == 3 else (f"{good}",))
    for number, kind in enumerate(KINDS[::every]):
        for workers in (1 + number % 2,) if every > 1 else (1, 2):
            began = time.monotonic()
            code, found, said = _relaxed(kind, workers, inputs, work)
            bad = found.get("mgo", {})
            faults = [] if code == 0 else [f"exit code {code}: {said!r}"]
            if any(found.get(name) != row for name, row in good[1].items() if name != "mgo"):
                faults.append(f"the others are not as without it: {sorted(found)}")
            if (bad.get("status"), bad.get("failed_at")) != ("failed", "relax"):
                faults.append(f"the bad one: {bad.get('status')} at {bad.get('failed_at')}: {bad.get('reason')}")
            outcome = f"exit {code}, {bad.get('reason', '')[:120]}"
            yield Trial(f"{kind}, {workers} workers", outcome, tuple(faults), time.monotonic() - began)


def _relaxed(kind: str, workers: int, inputs: Path, work: Path) -> tuple[int | None, dict[str, dict[str, str]], str]:
    """The exit code of the run, its rows by id, and the end of what it said."""
    os.environ["BADNESS"] = kind
    name = f"{kind.replace(' ', '-')}-{workers}"
    out, log = work / name, work / f"{name}.log"
    arguments = ["relax", str(inputs / "three"), "--fix-cell", "--max-steps", "3", "--workers", str(workers)]
    arguments += ["--potential", "ase:bad_calculator:make", "-o", str(out)]
    arguments += ["--time-limit", "10"] if kind == "hang" else []
    pid = start(arguments, log, work)
    code = ended(pid, 120)
    if code is None:
        kill_group(pid)
    rows = {}
    if (out / "summary.csv").exists():
        with (out / "summary.csv").open(newline="") as file:
            rows = {row["id"]: row for row in csv.DictReader(file)}
    return code, rows, log.with_suffix(".err").read_text(errors="replace")[-300:]
