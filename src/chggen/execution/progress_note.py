"""A note of how far a run is, in its results folder: for whoever watches it from another process."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from chggen.execution.progress import Progress
from chggen.io import own_text, write_text

_FILE: Final = ".progress"
_LEAST: Final = 0.5  # s between two notes of one stage


@dataclass(frozen=True, kw_only=True)
class StageNote:
    """How far a stage of a run is.

    Attributes:
        stage: Its name.
        done: Number of candidates that are done.
        total: Number of candidates in all; 0 where it is not known.
        failed: Number of those done that failed.
        done_before: How many were done when the stage began or went on.
        began: When that was, s since 1970.
        noted: When this was written, s since 1970.
    """

    stage: str
    done: int
    total: int
    failed: int
    done_before: int
    began: float
    noted: float

    def rate(self) -> float | None:
        """Return how many candidates are done in a second; None before the first."""
        seconds, done = self.noted - self.began, self.done - self.done_before
        return done / seconds if done > 0 and seconds > 0 else None


class NotedProgress:
    """A callback that hands on what it is told, and notes it in a results folder.

    Args:
        progress: What else is told.
        folder: The results folder; None: nothing is noted.
    """

    def __init__(self, progress: Progress, folder: Path | None) -> None:
        self._progress = progress
        self._path = None if folder is None else folder / _FILE
        self._last: StageNote | None = None

    def __call__(self, stage: str, done: int, total: int, failures: int) -> None:
        self._progress(stage, done, total, failures)
        last, now = self._last, time.time()
        same = last is not None and last.stage == stage
        if same and last is not None and now - last.noted < _LEAST and done < total:
            return
        before = (last.done_before, last.began) if same and last is not None else (done, now)
        self._last = StageNote(
            stage=stage, done=done, total=total, failed=failures, done_before=before[0], began=before[1], noted=now
        )
        if self._path is not None:
            with suppress(OSError):  # it costs no run
                write_text(self._path, json.dumps(asdict(self._last)))

    def close(self) -> None:
        """Remove the note of a run that has ended."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)


def read_note(folder: Path) -> StageNote | None:
    """Return how far the run is that writes to a folder; None where nothing is noted.

    Args:
        folder: A results folder.
    """
    try:
        return StageNote(**json.loads(own_text(folder / _FILE)))
    except (OSError, ValueError, TypeError):
        return None
