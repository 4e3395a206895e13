"""`chggen watch`: how far a run is, and its page brought up to date as results come."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from chggen.api import open as read_folder
from chggen.errors import InputError
from chggen.execution import StageNote, read_note
from chggen.io import is_locked
from chggen.report import write_report
from chggen.results import Candidate, Candidates, answer, reasons_of_failure, space_group_text

_MOST_REASONS: Final = 5
_SHARE: Final = 4.0  # the page is left alone for so many times as long as it took to write
_A_LOOK: Final = 1.0  # s between two looks at how far the run is


class Watching:
    """A results folder that is watched.

    Args:
        folder: The results folder.
        out: Folder that `report.html` is written into; None: the results folder.
        every: Least time between two versions of the page, s.

    Raises:
        InputError: There is no such folder.
    """

    def __init__(self, folder: Path, out: Path | None = None, every: float = 10.0) -> None:
        if not folder.is_dir():
            raise InputError(f"no folder {folder} to watch; expected the results folder of a run that has begun")
        self.folder = folder
        self.candidates = Candidates()
        self.page: Path | None = None
        self._out = out or folder  # given, so that tables are left to the run
        self._every = every
        self.versions = 0
        self._seen = 0
        self._next = 0.0

    def look(self, now: float, last: bool = False) -> None:
        """Read the candidates and write the page, where there are new ones and it is time.

        Args:
            now: Seconds of a clock that never goes back.
            last: Whether the run has ended, so that it is time in any case.
        """
        database = self.folder / "candidates.db"
        changed = database.stat().st_mtime_ns if database.exists() else 0
        if changed == self._seen or (now < self._next and not last):
            return
        began = time.monotonic()
        try:
            self.candidates = read_folder(self.folder)
        except InputError:
            if last or self.candidates:
                raise
            return  # there are none yet
        self.page = write_report(self.folder, self._out)
        self.versions += 1
        self._seen = changed
        self._next = now + max(self._every, _SHARE * (time.monotonic() - began))


def watch(folder: Path, out: Path | None = None, every: float = 10.0, console: Console | None = None) -> None:
    """Show how far a run is until it ends, and keep its page up to date.

    Args:
        folder: The results folder.
        out: Folder that `report.html` is written into; None: the results folder.
        every: Least time between two versions of the page, s.
        console: Where; None: stdout. What is no terminal gets lines only when the page is new.

    Raises:
        InputError: There is no such folder, or it holds no results though no run writes to it.
    """
    watching, console = Watching(folder, out, every), console or Console()
    shown = 0
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while running := is_locked(folder):
            watching.look(time.monotonic())
            told = list(told_lines(watching.candidates, read_note(folder), running))
            if console.is_terminal:
                live.update(Text("\n".join(told)), refresh=True)
            elif watching.versions > shown:
                console.print(told[0], markup=False, highlight=False, soft_wrap=True)
            shown = watching.versions
            time.sleep(_A_LOOK)
    watching.look(time.monotonic(), last=True)
    for line in told_lines(watching.candidates, read_note(folder), running=False):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"report in {watching.page}", markup=False, highlight=False, soft_wrap=True)


def told_lines(candidates: Sequence[Candidate], note: StageNote | None, running: bool) -> Iterator[str]:
    """Yield the lines that say how far a run is.

    Args:
        candidates: Its candidates by now, best first.
        note: How far its stage is, where that is noted.
        running: Whether it goes on.
    """
    good = [c for c in candidates if c.status == "ok"]
    bad = [c for c in candidates if c.status == "failed"]
    counts = f"{len(candidates)} candidates, {len(good)} good, {len(bad)} failed"
    if running:
        yield f"{_stage(note)}; {counts}" if note is not None else f"begins; {counts}"
    else:
        ended = "ended" if note is None else f"stopped in {_stage(note)}; repeat its command to go on"
        yield f"{ended}; {counts}"
    best = answer(candidates) or next(iter(good), None)
    if best is not None:
        energy = best.deciding_e_d
        shown = "" if energy is None else f", E_d {round(energy, 3) + 0.0:.3f} eV/atom ({best.deciding_level})"
        if energy is None and best.energy_per_atom is not None:
            shown = f", E {best.energy_per_atom:.3f} eV/atom"
        group = space_group_text(best)
        yield f"best so far: {best.id}, {best.formula}{shown}{', ' if group else ''}{group}"
    for reason, count in reasons_of_failure(bad)[:_MOST_REASONS]:
        yield f"{count} failed at {reason}"


def _stage(note: StageNote) -> str:
    """Return what a note says: stage, counts, rate, time left."""
    text = f"{note.stage}: {note.done}{f' of {note.total}' if note.total else ''} done"
    rate = note.rate()
    if rate is None:
        return text
    left = max(note.total - note.done, 0) / rate
    return f"{text}, {60 * rate:.3g} a minute" + (f", about {_duration(left)} left" if left else "")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
