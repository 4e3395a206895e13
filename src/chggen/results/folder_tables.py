"""The files of a results folder that are made from its database when a run ends: summary.csv and structures/."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from chggen.execution import Machine
from chggen.io import writable_folder, write_text
from chggen.results.candidate import Candidate
from chggen.results.cif_files import write_cifs
from chggen.results.database import FILE
from chggen.results.summary import plain_cell, summary_text

STRUCTURES: Final = "structures"
"""Folder of the candidates' CIF files."""
SUMMARY: Final = "summary.csv"
"""Table of the candidates."""


def write_tables(
    folder: Path, candidates: Sequence[Candidate], levels: Sequence[str] = (), machine: Machine | None = None
) -> None:
    """Write summary.csv of a results folder, and the files of structures/ that are not up to date.

    Args:
        folder: A results folder.
        candidates: All candidates, in the order of the table's rows.
        levels: Further levels that have columns even where no candidate reached them.
        machine: Where the files are made; None: by one process for each core.
    """
    write_text(folder / SUMMARY, summary_text(candidates, levels))
    write_cifs(candidates, writable_folder(folder / STRUCTURES), machine)


def has_tables(folder: Path) -> bool:
    """Return whether summary.csv and structures/ of a results folder are there, and no older than its database.

    They are written when a run ends well, so those of a run that was stopped are missing, or of the run before it.

    Args:
        folder: A results folder.
    """
    summary = folder / SUMMARY
    if not summary.is_file() or not (folder / STRUCTURES).is_dir():
        return False
    return summary.stat().st_mtime_ns >= (folder / FILE).stat().st_mtime_ns


def summary_order(folder: Path) -> dict[str, int]:
    """Return the place of each candidate in summary.csv, by its id.

    Args:
        folder: A results folder that has one (`has_tables`).
    """
    with (folder / SUMMARY).open(encoding="utf-8", newline="") as file:
        return {plain_cell(row.get("id") or ""): k for k, row in enumerate(csv.DictReader(file))}
