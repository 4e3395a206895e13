"""What structures are like inside: `analyze`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chggen.analysis import StructureAnalysis, analyze_structures, write_analysis
from chggen.api.arguments import Files
from chggen.errors import InputError
from chggen.io import as_structure, named_structures
from chggen.results import Candidate, read_candidates

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure


def analyze(
    structures: Candidate | Structure | Atoms | Files | Iterable[Candidate | Structure | Atoms | Files], *,
    against: Candidate | Structure | Atoms | Files | Iterable[Candidate | Structure | Atoms | Files] | None = None,
    cutoff: float = 8.0, raw: bool = False, out: Files | None = None,
) -> StructureAnalysis:  # fmt: skip
    """Look at what structures are like inside: distances, environments, angles, and how far order reaches.

    Args:
        structures: A structure, candidate, file, folder of files or results folder, or several of them. Of a results
            folder the good distinct candidates are taken.
        against: Others to compare with.
        cutoff: Longest distance of the radial distribution functions, Å.
        raw: Whether candidates are taken as they were sampled, before relaxation, all that were.
        out: Folder for `analysis.json`; `chggen.report.save_analysis_figures` draws figures of the analysis.

    Returns:
        The analysis: `.pairs`, `.environments`, `.order`, tables by `.pair_rows()` and `.environment_rows()`, and with
        `against` the other analysis as `.against`.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> chggen.analyze("runs/lips", against="known/").environments["P"].numbers  # doctest: +SKIP
    """
    others = None if against is None else _structures(against, raw)
    one = analyze_structures(_structures(structures, raw), others, cutoff)
    if out is not None:
        write_analysis(one, Path(out))
    return one


def _structures(given: Any, raw: bool) -> list[Structure]:
    """Return all structures of what was given."""
    from ase import Atoms
    from pymatgen.core import IStructure

    alone = isinstance(given, (str, os.PathLike, Candidate, IStructure, Atoms)) or not isinstance(given, Iterable)
    found: list[Structure] = []
    candidates: list[Candidate] = []
    for one in [given] if alone else given:
        if isinstance(one, (str, os.PathLike)):
            path = Path(one)
            results = (path / "candidates.db").is_file()
            found += _of_candidates(read_candidates(path), raw) if results else named_structures([path]).values()
        elif isinstance(one, Candidate):
            candidates.append(one)
        else:
            found.append(as_structure(one))
    return found + _of_candidates(candidates, raw) if candidates else found


def _of_candidates(candidates: Iterable[Candidate], raw: bool) -> list[Structure]:
    """Return the structures of candidates that have one, as they are or as they were sampled."""
    if raw:
        found = [c.raw for c in candidates if c.raw is not None]
    else:
        good = [c for c in candidates if c.status == "ok" and c.duplicate_of is None]
        found = [c.structure for c in good if c.structure is not None]
    if not found:
        raise InputError(f"no candidate has a {'raw ' if raw else ''}structure; expected a run that made at least one")
    return found
