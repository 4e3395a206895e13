"""Results folders joined to one: candidates of several runs, machines or seeds in one table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chggen.campaign import StructureComparison, with_duplicates, write_down
from chggen.errors import InputError
from chggen.io import digest, distinct_names
from chggen.potential import refining_levels
from chggen.results import Candidate, Store, ranked, read_candidates, read_options


def merge_folders(folders: Sequence[Path], out: Path) -> list[Candidate]:
    """Merge results folders: all their candidates in one folder, duplicates looked for among all of them.

    A candidate keeps its id, unless a folder named before has a different one of that id: then it gets the name of its
    own folder in front. Candidates that are the same in several folders are kept once. Merging the same folders once
    more, such as after one of them has grown, brings the merged folder up to date.

    Args:
        folders: Results folders of chggen, which stay as they are.
        out: The folder of the merged results.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: Fewer than two folders are given, one of them holds no results, they do not belong together since
            their energies are at different levels of theory or were placed on different hulls, or `out` is one of them
            or holds other results.
    """
    paths = {Path(os.path.realpath(folder)): folder for folder in folders}
    if len(paths) < 2:
        raise InputError(f"merge expects two results folders or more, got {len(paths)} different ones; name another")
    if Path(os.path.realpath(out)) in paths:
        raise InputError(f"{out} is one of the folders to merge; expected another one; choose another --out")
    found = {path: read_candidates(folder) for path, folder in paths.items()}
    _check_levels({path.name: candidates for path, candidates in found.items()})
    options = {path: read_options(folder) for path, folder in paths.items()}
    references = _common("references", options)
    given = {
        "command": "merge",
        "folders": [str(path) for path in paths],
        "references": references,
        "references_content": _common("references_content", options),
    }
    candidates = list(_joined(found).values())
    with Store(out, given, levels=refining_levels()) as store:
        write_down(store.folder, given, digests={str(path): digest(path / "candidates.db") for path in paths})
        before = store.candidates()
        final = with_duplicates(ranked(candidates), StructureComparison())
        store.put(c for c in final if c != before.get(c.id))
        store.export(final)
    return final


def _check_levels(found: Mapping[str, Sequence[Candidate]]) -> None:
    """Raise InputError where candidates of different folders have energies of different levels of theory."""
    of_level = {c.level: name for name, candidates in found.items() for c in candidates if c.level is not None}
    if len(of_level) > 1:
        told = ", ".join(f"{level} in {name}" for level, name in of_level.items())
        raise InputError(f"energies of different levels do not compare ({told}); merge folders of one level")


def _common(key: str, options: Mapping[Path, Mapping[str, Any]]) -> Any:
    """Return an option that the folders that have it share. Raises InputError where they differ."""
    values = {path: kept[key] for path, kept in options.items() if kept.get(key) is not None}
    first = next(iter(values), None)
    for path, value in values.items():
        if first is not None and value != values[first]:
            raise InputError(
                f"{first.name} and {path.name} were placed on different known phases ({key} differs); merge folders of "
                "the same --references"
            )
    return None if first is None else values[first]


def _joined(found: Mapping[Path, Sequence[Candidate]]) -> dict[str, Candidate]:
    """Return the candidates of all folders by ids that are distinct."""
    joined: dict[str, Candidate] = {}
    for (path, candidates), label in zip(found.items(), distinct_names(list(found)), strict=True):
        own = {c.id: _ungrouped(c) for c in candidates}
        names = {name: name if joined.get(name, c) == c else f"{label}-{name}" for name, c in own.items()}
        for name, candidate in own.items():
            parent = candidate.parent
            renamed = replace(candidate, id=names[name], parent=None if parent is None else names.get(parent, parent))
            if joined.setdefault(renamed.id, renamed) != renamed:
                raise InputError(f"two candidates would be called {renamed.id}; rename the folder {path.name}")
    return joined


def _ungrouped(candidate: Candidate) -> Candidate:
    """Return a candidate without what was said of it as one of a group of duplicates."""
    return replace(candidate, duplicate_of=None, n_found=None, found_by=None, prototype_log_odds=None)
