"""Rows of a benchmark that are written as they end, so that a run that was stopped goes on."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class KeptRows:
    """The rows of a file, one JSON object a line.

    Args:
        path: The file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.rows: list[Row] = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def add(self, rows: Iterable[Row]) -> None:
        """Keep rows."""
        added = list(rows)
        self.rows += added
        with self._path.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in added)

    def compute(
        self,
        work: Callable[..., Row | list[Row]],
        todo: Sequence[tuple[Any, ...]],
        workers: int,
        tasks: int | None = None,
    ) -> None:
        """Compute and keep the row, or the rows, of each case in processes of their own.

        Args:
            work: A function of a module, called with the values of a case.
            todo: The values of each case.
            workers: Number of processes; None: one for each core.
            tasks: Cases after which a process is replaced by a new one; None: never.
        """
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, max_tasks_per_child=tasks) as pool:
            for future in as_completed([pool.submit(work, *case) for case in todo]):
                made = future.result()
                self.add(made if isinstance(made, list) else [made])
