"""One call for several structures: a run for each, all candidates in one list."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chggen.api.progress_bar import shown_progress
from chggen.crystals import plain_formula
from chggen.errors import InputError
from chggen.execution import Progress
from chggen.io import as_structure, distinct_names
from chggen.results import Candidate, Candidates, ranked


def of_each(call: Callable[..., Sequence[Candidate]], which: str, given: Mapping[str, Any]) -> Candidates:
    """Call a function once for each of several structures.

    Args:
        call: The function.
        which: The argument that holds the structures.
        given: All its arguments by name. A folder `out` gets a subfolder for each structure.

    Returns:
        The candidates of all, best first, failed ones last. Their ids are NAME/ID: the name of the structure's file,
        or its formula, and what the id would be of a call of its own.

    Raises:
        InputError: There are no structures, or `out` is an object; and what a call raises.
    """
    structures, out = given[which], given["out"]
    if not structures:
        raise InputError(f"{which}: expected a structure or a list of them, got an empty list")
    if out is not None and not isinstance(out, (str, os.PathLike)):
        raise InputError(f"out must be a folder, or None, for a list of structures, got {out!r:.60}")
    names = _names(structures)
    found: list[Candidate] = []
    with shown_progress(given["progress"]) as told:
        for name, structure in zip(names, structures, strict=True):
            folder = None if out is None else Path(out) / name
            own = {**given, which: structure, "out": folder, "progress": _of(name, told)}
            found += with_names(call(**own), name)
    return Candidates(ranked(found))


def with_names(candidates: Sequence[Candidate], name: str) -> list[Candidate]:
    """Return candidates with a name in front of their ids.

    Args:
        candidates: The candidates of a run.
        name: What the run is of.
    """

    def named(other: str | None) -> str | None:
        return None if other is None else f"{name}/{other}"

    return [
        replace(c, id=f"{name}/{c.id}", parent=named(c.parent), duplicate_of=named(c.duplicate_of)) for c in candidates
    ]


def _names(structures: Sequence[Any]) -> list[str]:
    """Return a name for each structure: that of its file, or its formula."""
    paths = [
        Path(s) if isinstance(s, (str, os.PathLike)) else Path(plain_formula(as_structure(s).composition))
        for s in structures
    ]
    return distinct_names(paths)


def _of(name: str, told: Progress) -> Progress:
    return lambda stage, done, total, failures: told(f"{name} {stage}", done, total, failures)
