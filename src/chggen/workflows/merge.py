"""Results folders joined to one: candidates of several runs, machines or seeds in one table."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from chggen.campaign import Shard, StructureComparison, promising, survivors, with_duplicates, write_down
from chggen.errors import InputError
from chggen.io import digest, distinct_names
from chggen.potential import refining_levels
from chggen.results import (
    INPUTS,
    Candidate,
    Store,
    ranked,
    read_candidates,
    read_options,
    read_shared,
    shown_address,
)
from chggen.stability import without_levels

log = logging.getLogger(__name__)
_OWN: Final = ("shard", "chggen_version", "chggen_format")  # keys of config.toml in which the parts of a run may differ


def merge_folders(folders: Sequence[Path], out: Path) -> list[Candidate]:
    """Merge results folders: all their candidates in one folder, duplicates looked for among all of them.

    The parts of a run (`--shard`) become the folder of the run itself, which the command goes on with where parts are
    missing or unfinished. Other folders are joined as they are.

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
    options = {path: read_options(folder) for path, folder in paths.items()}
    whole = _whole(options)
    found = {path: read_candidates(folder, or_none=whole is not None) for path, folder in paths.items()}
    _check_levels({path.name: candidates for path, candidates in found.items()})
    references = _common("references", options)
    given = whole or {
        "command": "merge",
        "folders": [str(path) for path in paths],
        "references": references,
        "references_content": _common("references_content", options),
    }
    candidates = list(_joined(found).values())
    there = read_options(out) if whole is not None and (out / "candidates.db").is_file() else {}
    if isinstance(more := there.get("n"), int) and more > given.get("n", more):
        given["n"] = more  # the merged run has gone on with more candidates than its parts
    with Store(out, given, levels=refining_levels()) as store:
        if whole is not None:
            candidates = _as_in_one_piece(_gone_on(candidates, store.candidates()), given)
            for inputs in (path / INPUTS for path in paths):
                if inputs.is_dir():
                    shutil.copytree(inputs, store.folder / INPUTS, dirs_exist_ok=True)
        write_down(store.folder, given, digests={str(path): digest(path / "candidates.db") for path in paths})
        return _stored(candidates, store)


def collect(address: str, system: str, out: Path) -> list[Candidate]:
    """Collect the candidates of a system, and of all systems within it, from a database that many runs share.

    Duplicates are looked for among all of them. Collecting once more brings the folder up to date.

    Args:
        address: Address of the database.
        system: Element symbols such as Li-Si.
        out: Results folder for them.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: The database cannot be used, it holds none of the system, their energies are at different levels of
            theory, or `out` holds other results.
    """
    found = {Path(run): own for run, own in read_shared(address, system).items()}
    _check_levels({path.name: own for path, own in found.items()})
    given = {"command": "report", "database": shown_address(address), "system": system}
    with Store(out, given, levels=refining_levels()) as store:
        return _stored(list(_joined(found).values()), store)


def _stored(candidates: Sequence[Candidate], store: Store) -> list[Candidate]:
    """Write candidates of several runs, duplicates looked for among all of them, and return them, best first."""
    before = store.candidates()
    final = with_duplicates(ranked(candidates), StructureComparison())
    store.put(c for c in final if c != before.get(c.id))
    store.export(final)
    return final


def _whole(options: Mapping[Path, Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the options of the run that folders are parts of; None where they are not the parts of one run.

    Raises InputError where two folders are the same part.
    """
    shards = {path: Shard.of(kept["shard"]) for path, kept in options.items() if kept.get("shard")}
    alike = [{key: value for key, value in kept.items() if key not in _OWN} for kept in options.values()]
    counts = {shard.count for shard in shards.values()}
    if len(shards) < len(options) or len(counts) > 1 or any(kept != alike[0] for kept in alike):
        return None
    found: dict[int, str] = {}
    for path, shard in shards.items():
        if shard.index in found:
            raise InputError(
                f"{found[shard.index]} and {path.name} are both part {shard} of the run; expected each part once, so "
                "leave one of them out"
            )
        found[shard.index] = path.name
    missing = [f"{k}" for k in range(1, counts.pop() + 1) if k not in found]
    if missing:
        told = ", ".join(missing)
        log.warning("missing parts of the run: %s; repeat its command with --shard 1/1 and this folder", told)
    return {**alike[0], "shard": "1/1"}


def _gone_on(candidates: Sequence[Candidate], before: Mapping[str, Candidate]) -> list[Candidate]:
    """Return the candidates of parts, and those that the merged run has made since, or taken to further levels."""
    kept = {c.id: _ungrouped(c) for c in before.values()}
    joined = {c.id: c for c in candidates}
    for name, own in kept.items():
        if name not in joined or len(own.energies) > len(joined[name].energies):
            joined[name] = own
    return list(joined.values())


def _as_in_one_piece(candidates: Sequence[Candidate], options: Mapping[str, Any]) -> list[Candidate]:
    """Return candidates without the further energies that only the survivors of a part have, but not those of all."""
    if options.get("judge_by"):
        chosen = promising(candidates, options["judge_within"])
    elif (below := options.get("second_level_below")) is not None:
        chosen = survivors(candidates, below)
    else:
        return list(candidates)
    left = {c.id for c in chosen}
    return [c if c.id in left else _at_level_of_run(c) for c in candidates]


def _at_level_of_run(candidate: Candidate) -> Candidate:
    """Return a candidate without its further levels, and without what they made doubtful."""
    further = [level for level in candidate.energies if level != candidate.level]
    return replace(candidate.at_level_of_run(), hull_warning=without_levels(candidate.hull_warning, further))


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
    return replace(candidate, duplicate_of=None, n_found=None, found_by=None, prototype_log_odds=None, probability=None)
