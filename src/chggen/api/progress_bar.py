"""The progress bar of a run: in a terminal or a notebook, and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from chggen.execution import Progress, silent
from chggen.results import in_notebook

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID


@contextmanager
def shown_progress(wanted: Progress | bool | None = True) -> Iterator[Progress]:
    """Show how far a run is, for the length of a block.

    Args:
        wanted: True for a bar in a terminal or a notebook, and nothing where output is piped; None or False for none;
            or a callback, which is used as it is.

    Yields:
        The callback to hand to the run.
    """
    if callable(wanted):
        yield wanted
    elif not wanted:
        yield silent
    elif in_notebook():
        yield _NotebookBars()
    else:
        with terminal_bars() as told:
            yield told


@contextmanager
def terminal_bars(console: Console | None = None) -> Iterator[Progress]:
    """Show a progress bar for each stage of a run, where that is a terminal.

    Args:
        console: Where; None: stderr.

    Yields:
        The callback to hand to the run.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TimeRemainingColumn(),
    )
    shown = console or Console(stderr=True)
    bars = Progress(*columns, console=shown, disable=not shown.is_terminal)
    tasks: dict[str, TaskID] = {}

    def told(stage: str, done: int, total: int, failures: int) -> None:
        bars.start()
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total or None, failed=failures)
        bars.update(tasks[stage], completed=done, total=total or None, failed=failures)

    try:
        yield told
    finally:
        if tasks:  # input refused at the start leaves stderr to its one sentence
            bars.stop()


class _NotebookBars:
    """A bar of HTML for each stage, which needs no widgets, and stays below the cell as the record of the run."""

    def __init__(self) -> None:
        self._stages: dict[str, tuple[int, int, int]] = {}
        self._update: Callable[[Any], None] | None = None

    def __call__(self, stage: str, done: int, total: int, failures: int) -> None:
        self._stages[stage] = done, total, failures
        display = sys.modules["IPython"].display
        shown = display.HTML("".join(_bar(name, *counts) for name, counts in self._stages.items()))
        if self._update is None:
            handle = display.display(shown, display_id=True)
            self._update = handle.update
        else:
            self._update(shown)


def _bar(stage: str, done: int, total: int, failures: int) -> str:
    known = f' value="{done}" max="{total}"' if total else ""
    of = f"{done} of {total}" if total else str(done)
    return f"<div><progress{known}></progress> {escape(stage)}: {of}, {failures} failed</div>"
