"""Runs where something runs out or is taken away: no space, no rights, no folder. Each says so in a sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.reliability.folders import differences, leftovers
from tests.reliability.kills import Case
from tests.reliability.processes import ended, start
from tests.reliability.trials import Trial

_KIBIBYTES: Final = (24, 64, 160, 400, 1000, 4900)  # below the database, below the report, and between
_FOREVER: Final = 300.0
_LONGEST: Final = 320


def _sentence(code: int | None, said: str) -> list[str]:
    """What is wrong with how a command told that it cannot go on."""
    last = said.strip().rsplit("\n", 1)[-1]
    fine = code == 2 and last.startswith("chggen: ") and len(last) <= _LONGEST and "Traceback" not in said
    return [] if fine else [f"exit {code}: {said[-250:]!r}"]


def full_disk(inputs: Path, work: Path, short: bool) -> Iterator[Trial]:
    """Run where space runs out, at several moments; then make room and give the same command again.

    Args:
        inputs: Folder of `make_inputs`.
        work: Folder for what is written.
        short: Try two sizes only.

    Yields:
        A trial a size; one that is skipped where file systems cannot be mounted.
    """
    case, disk = Case("relax", inputs, work), work / "disk"
    disk.mkdir(exist_ok=True)
    for size in _KIBIBYTES[1::2] if short else _KIBIBYTES:
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(disk)], capture_output=True)
        if mount.returncode:
            yield Trial(f"room for {size} KiB", "skipped: mounting a file system needs root")
            return
        began, folder, log = time.monotonic(), disk / "run", work / "full.log"
        try:
            code = ended(case.start(folder, log), _FOREVER)
            faults = [] if code == 0 else _sentence(code, log.with_suffix(".err").read_text())
            subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
            again = ended(case.start(folder, log), _FOREVER)
            if again != 0:
                said = log.with_suffix(".err").read_text()[-250:]
                faults.append(f"with room made, exit {again}: {said!r}")
            faults += differences(case.reference, folder) + [f"left {path}" for path in leftovers(folder)]
        finally:
            subprocess.run(["umount", str(disk)], check=False)
        for file in (log, log.with_suffix(".err")):
            file.unlink()
        yield Trial(f"room for {size} KiB", f"exit {code}, then {again}", tuple(faults), time.monotonic() - began)


def removed_folder(inputs: Path, work: Path) -> Iterator[Trial]:
    """Remove the folder of a run that goes on, then give the same command again.

    Args:
        inputs: Folder of `make_inputs`.
        work: Folder for what is written.

    Yields:
        Two trials.
    """
    case, folder, log = Case("relax", inputs, work), work / "removed", work / "removed.log"
    shutil.rmtree(folder, ignore_errors=True)
    pid = case.start(folder, log)
    ended(pid, _FOREVER, (folder / "log.txt").exists)
    ended(pid, case.seconds / 3)
    shutil.rmtree(folder, ignore_errors=True)
    code = ended(pid, _FOREVER)
    yield Trial("a folder removed", f"exit {code}", tuple(_sentence(code, log.with_suffix(".err").read_text())))
    shutil.rmtree(folder, ignore_errors=True)
    code = ended(case.start(folder, log), _FOREVER)
    yield Trial("the same command again", f"exit {code}", tuple(differences(case.reference, folder)))


def forbidden(inputs: Path, work: Path) -> Iterator[Trial]:
    """Give commands at folders and files whose modes forbid it.

    Args:
        inputs: Folder of `make_inputs` with results.
        work: Folder for what is written.

    Yields:
        A trial a command; one that is skipped where root cannot give up its rights.
    """
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        yield Trial("modes that forbid", "skipped: root needs setpriv to be bound by modes of files")
        return
    oxide, three = str(inputs / "li2o.cif"), ["relax", str(inputs / "three"), "--workers", "1"]
    for name, where, commands in (
        (
            "a folder that is read only", ".",
            (["report", "OUT"], ["export", "OUT", "--to", "cif"], [*three, "-o", "OUT"], ["refine", oxide, "-o", "OUT"],
             ["references", "build", oxide, "-o", "OUT"], ["references", "show", "Li-O", "--diagram", "OUT/x.png"]),
        ),
        ("a lock of another user", ".lock", ([*three, "-o", "OUT"],)),
        ("a database that is read only", "candidates.db", ([*three, "-o", "OUT"],)),
        ("a database that cannot be read", "-candidates.db", (["report", "OUT"], [*three, "-o", "OUT"])),
        ("a configuration that cannot be read", "-config.toml", (["report", "OUT"], [*three, "-o", "OUT"])),
    ):  # fmt: skip
        for given in commands:
            folder = work / "forbidden"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(inputs / "results", folder)
            (folder / ".lock").touch()
            path = folder / where.lstrip("-")
            path.chmod(0o555 if path.is_dir() else 0o000 if where.startswith("-") else 0o444)
            if where == ".":
                for file in folder.rglob("*"):
                    file.chmod(0o555 if file.is_dir() else 0o444)
            arguments = [word.replace("OUT", str(folder)) for word in given]
            code, said = _bound_by_modes(arguments, work)
            told = f"{name}: {' '.join(arguments[:2]).replace(str(work), 'WORK')[:60]}"
            faults = [] if code == 0 and given[0] not in ("refine", "references") else _sentence(code, said)
            yield Trial(told, f"exit {code}", tuple(faults))


def _bound_by_modes(arguments: list[str], work: Path) -> tuple[int, str]:
    """Give a command as a user whom the modes of files bind, which root is once it has given up three rights."""
    rights = "-dac_override,-dac_read_search,-fowner"
    prefix = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"] if os.geteuid() == 0 else []
    command = [*prefix, sys.executable, "-m", "chggen.cli.app", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=work, timeout=_FOREVER, check=False)
    return done.returncode, done.stderr


def little_memory(inputs: Path, work: Path, short: bool) -> Iterator[Trial]:
    """Run with too little address space: it ends with a sentence, or well.

    Args:
        inputs: Folder of `make_inputs`.
        work: Folder for what is written.
        short: Try nothing.

    Yields:
        A trial a size.
    """
    work.mkdir(parents=True, exist_ok=True)
    for gibibytes in () if short else (1, 2, 4):
        log = work / f"memory-{gibibytes}.log"
        arguments = ["relax", str(inputs / "three"), "--workers", "1", "-o", str(work / f"memory-{gibibytes}")]
        code = ended(start(arguments, log, work, memory=gibibytes), _FOREVER)
        said = log.with_suffix(".err").read_text()
        fine = code in (0, 1, 2) and "Traceback" not in said
        told = f"exit {code}: {said[-200:]!r}"
        yield Trial(f"{gibibytes} GiB of address space", f"exit {code}", () if fine else (told,))
