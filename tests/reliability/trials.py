"""What a trial is, and the bench that gives commands and looks at how they end.

A command ends well with exit code 0, or with 2 and one sentence, in which case it has written nothing. Accepted
commands are stopped before they compute.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.reliability.processes import ACCEPTED, ended, kill_group, start

LONGEST_MESSAGE: Final = 300  # characters of a sentence, without "chggen: "
_PREFIX: Final = "chggen: "
_WARNING: Final = re.compile(r"\S+\.py:\d+: \w*Warning: .*")


@dataclass(frozen=True)
class Trial:
    """One thing that was tried.

    Attributes:
        name: What was tried, so that it can be tried again.
        outcome: How it ended: done, accepted, refused, usage, exit N, crash or hang; or a word of the part's own.
        faults: What is wrong with that; empty where nothing is.
        seconds: How long it took.
        said: The last line that it said on stderr.
    """

    name: str
    outcome: str
    faults: tuple[str, ...] = ()
    seconds: float = 0.0
    said: str = ""


@dataclass
class Bench:
    """Gives commands in children of this process and looks at what they leave.

    Args:
        work: Folder for everything that is written.
        limit: Seconds after which a command hangs.
        memory: Most address space of a command in GiB, far below what hostile input asks for.

    Attributes:
        box: The working folder of the commands. Next to `out` nothing may appear in it, nor in the folders above.
        out: The results folder that commands are to be given.
    """

    work: Path
    limit: float = 60.0
    memory: int = 12
    box: Path = field(init=False)
    out: Path = field(init=False)

    def __post_init__(self) -> None:
        self.work = self.work.resolve()
        shutil.rmtree(self.work, ignore_errors=True)
        self.box = self.work / "a" / "b" / "box"
        self.box.mkdir(parents=True)
        self.out = self.box / "out"
        (self.work / "tmp").mkdir()
        self._log = self.work / "command.log"

    def call(
        self,
        arguments: Sequence[str],
        name: str = "",
        *,
        expected: Sequence[str] = ("done", "accepted", "refused", "usage"),
        check: Callable[[], str] | None = None,
        fresh: bool = True,
    ) -> Trial:
        """Give a command.

        Args:
            arguments: Its arguments.
            name: Name of the trial; the arguments where it is empty.
            expected: Outcomes that are right.
            check: Called afterwards; returns what else is wrong, or an empty text.
            fresh: Whether `out` is removed first, and must not be there after a refusal.

        Returns:
            The trial.
        """
        if fresh:
            shutil.rmtree(self.out, ignore_errors=True)
        for log in (self._log, self._log.with_suffix(".err")):
            log.write_bytes(b"")
        before, began = self._listing(), time.monotonic()
        pid = start(arguments, self._log, self.box, self._confine, self.memory)
        code = ended(pid, self.limit)
        if code is None:
            kill_group(pid)
        seconds = time.monotonic() - began
        told = self._log.with_suffix(".err").read_text(errors="replace")
        outcome = _outcome(code, told)
        faults = [] if outcome in expected else [f"{outcome}, expected {' or '.join(expected)}: {_end(told)}"]
        faults += _about_message(outcome, told)
        if outcome in ("refused", "usage") and fresh and self.out.exists():
            faults.append(f"refused, but wrote {sorted(p.name for p in self.out.iterdir())[:5]}")
        if strange := sorted(self._listing() - before - {self.out}):
            faults.append(f"written elsewhere: {[str(p.relative_to(self.work)) for p in strange][:5]}")
            faults += [f"its traceback: {_end(p.read_text(errors='replace'))}" for p in strange if p.suffix == ".log"][
                :1
            ]
            for path in strange:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        if check is not None and (more := check()):
            faults.append(more)
        return Trial(
            name or " ".join(arguments)[:400], outcome, tuple(faults), seconds, _end(told.rstrip().rsplit("\n", 1)[-1])
        )

    def _confine(self) -> None:
        os.environ["TMPDIR"] = str(self.work / "tmp")
        import tempfile

        tempfile.tempdir = None

    def _listing(self) -> set[Path]:
        """What is in the working folder, the folders above it and the temporary folder, `out` not entered."""
        folders = (self.work / "tmp", self.work, self.work / "a", self.work / "a" / "b", self.box)
        return {path for folder in folders for path in folder.iterdir()}


def _outcome(code: int | None, told: str) -> str:
    """The word for how a command ended."""
    if code is None:
        return "hang"
    if code < 0:
        return f"crash of signal {-code}"
    if code == 2:
        return "refused" if told.rsplit("\n", 2)[-2:][0].startswith(_PREFIX) else "usage"
    return {0: "done", ACCEPTED: "accepted"}.get(code, f"exit {code}")


def _about_message(outcome: str, told: str) -> list[str]:
    """What is wrong with the text on stderr: notes on what was read may stand there, and at the end one sentence."""
    faults = []
    if "Traceback (most recent call last)" in told:
        faults.append(f"traceback: {_end(told)}")
    if warning := _WARNING.search(told):
        faults.append(f"a library's warning: {warning[0][-200:]!r}")
    if outcome == "usage" and "Usage:" not in told and "Error" not in told:
        faults.append(f"exit code 2 without a sentence: {_end(told)}")
    if outcome != "usage" and (long := [x for x in told.split("\n") if len(x) > LONGEST_MESSAGE + len(_PREFIX)]):
        faults.append(f"a message of {len(long[0])} characters: {long[0][:100]!r}")
    return faults


def _end(text: str) -> str:
    return repr(text.strip()[-250:])
