"""Where the results of a run go, and what is saved beside them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chggen.campaign import SHIPPED, RunOptions
from chggen.errors import InputError
from chggen.execution import Machine
from chggen.generation import FILE
from chggen.io import digest_of_folder
from chggen.potential import refining_levels
from chggen.results import MemoryResults, Results, Store, check_address, is_address, shown_address
from chggen.score import digest_of_model

if TYPE_CHECKING:
    from pymatgen.core import Structure


def results_of(
    out: Path | str | Results | None,
    options: RunOptions,
    structures: Mapping[str, Structure] | None = None,
    notes: Sequence[str] = (),
    machine: Machine | None = None,
    database: str | None = None,
) -> Results:
    """Return where the results of a run go, not opened yet.

    Args:
        out: A folder, an object of the protocol `Results`, or None for memory.
        options: The options of the run, which are saved in the folder with digests of the files that they name.
        structures: Name to structure that the run was given, which are saved in the folder.
        notes: What was said when they were read, which is logged in the folder.
        machine: Where files are made when the run ends; None: by one process for each core.
        database: Address of a database that many runs share, for the candidates beside the folder.

    Raises:
        InputError: When `out` is none of these, or a file that the options name cannot be read.
    """
    if database is not None:
        check_address(database)
        if not isinstance(out, (str, os.PathLike)):
            raise InputError("database goes with a results folder, which a run is resumed from; give out, too")
    if out is None:
        return MemoryResults()
    if not isinstance(out, (str, os.PathLike)):
        if isinstance(out, Results):
            return out
        raise InputError(f"out must be the path of a folder, or None to write nothing; got {out!r}")
    if is_address(str(out)):
        shown = shown_address(str(out))
        raise InputError(f"out: expected a folder, got the address '{shown}'; give it as database, beside a folder")
    return Store(
        Path(out),
        partial(_saved, options),
        levels=refining_levels(),
        structures=structures or {},
        notes=notes,
        machine=machine,
        database=database,
    )


def _saved(options: RunOptions) -> dict[str, Any]:
    """Return what is saved of the options: themselves, and digests of the files that they name."""
    references = [digest_of_folder(Path(name)) for name in options.references if name != SHIPPED]
    given = [name.removeprefix(FILE) for name in getattr(options, "cells_from", ()) if name.startswith(FILE)]
    return options.resolved() | {
        "references_content": references or None,
        "model_content": digest_of_model(options.sampler.model),
        "cells_content": [digest_of_folder(Path(name)) for name in given] or None,
    }


def check_place(results: Results) -> None:
    """Refuse a results folder that was made with other options, before anything is computed or written.

    Args:
        results: Where the results of a run go, not opened yet.

    Raises:
        InputError: The folder was.
    """
    if isinstance(results, Store):
        results.check()
