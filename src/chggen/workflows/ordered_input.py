"""Partially occupied structures as input of other commands: the lowest ordered structure takes the place of each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chggen.campaign import OrderOptions
from chggen.errors import InputError, counted
from chggen.execution import Machine, Progress, silent
from chggen.io import HELD, fingerprint, held_atoms, inside, say
from chggen.results import Candidate, Results, has_tables, ranked
from chggen.workflows.order import run_order
from chggen.workflows.results import results_of

if TYPE_CHECKING:
    from pymatgen.core import Structure

ORDERED: Final = "ordered"
"""Subfolder of a results folder that keeps the results of ordering what the run was given."""
_N: Final = 4  # orderings, of which the lowest is taken


def ordered_host(
    host: Structure,
    given: Mapping[str, Any],
    machine: Machine,
    out: Path | str | Results | None = None,
    progress: Progress = silent,
) -> Structure:
    """Return the lowest ordered structure of a partially occupied host. An ordered host is returned as it is.

    The orderings are kept in the subfolder `ordered` of a results folder. A repeated call goes on with what is there,
    and takes the result of one that has ended. What was chosen is said in a note.

    Args:
        host: The host.
        given: Keywords of the command, flat. Those that ordering takes as well are handed on to it, but for `n`.
        machine: Where to compute.
        out: Where the results of the command go.
        progress: Told how far ordering is.

    Raises:
        InputError: The host cannot be ordered, every ordering failed, or the subfolder was made with other options.
    """
    if host.is_ordered:
        return host
    place = Path(out) if isinstance(out, (str, os.PathLike)) else getattr(out, "folder", None)
    folder = None if place is None else Path(place) / ORDERED
    return _lowest(host, "the host", given, machine, folder, progress)


def ordered_structures(
    structures: Mapping[str, Structure],
    given: Mapping[str, Any],
    machine: Machine,
    out: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Structure]:
    """Return structures with the lowest ordered structure in the place of each partially occupied one.

    The orderings of each are kept in the subfolder `ordered/NAME` of a folder, as those of `ordered_host` are.

    Args:
        structures: The structures by name.
        given: Keywords of the command, flat. Those that ordering takes as well are handed on to it, but for `n`.
        machine: Where to compute.
        out: The command's folder; None: the orderings are not kept.
        progress: Told how far ordering is; the stage ends with the name of the structure.

    Raises:
        InputError: A structure cannot be ordered, every ordering of it failed, or its subfolder was made with other
            options.
    """
    found = dict(structures)
    for name, structure in structures.items():
        if structure.is_ordered:
            continue

        def told(stage: str, done: int, total: int, failures: int, name: str = name) -> None:
            progress(f"{stage} {name}", done, total, failures)

        folder = None if out is None else inside(out / ORDERED, name)
        found[name] = _lowest(structure, name, given, machine, folder, told)
    return found


def _lowest(
    structure: Structure,
    name: str,
    given: Mapping[str, Any],
    machine: Machine,
    folder: Path | None,
    progress: Progress,
) -> Structure:
    """Return the lowest ordered structure of a partially occupied one, and say which one it is."""
    held = held_atoms(structure) is not None
    if held:  # of sites, of which each may become an atom or none
        structure = structure.copy()
        structure.remove_site_property(HELD)
    known = OrderOptions.keywords()
    own = {key: value for key, value in given.items() if key in known}
    options = OrderOptions.of_keywords(own | {"n": _N, "structure": fingerprint(structure)})
    results = results_of(folder, options, {"structure": structure}, machine=machine)
    if folder is not None and has_tables(folder):  # has ended, so that nothing is searched again
        with results:
            found = ranked(results.candidates().values())
    else:
        found = run_order(structure, options, machine, results, progress)
    best = next((c for c in found if c.status == "ok"), None)
    if best is None or best.structure is None:
        raise InputError(f"{name} cannot be ordered: {_failures(found)}; order it by itself with `chggen order`")
    say([_note(name, best, found, folder) + ("; atoms held in place are free in it" if held else "")])
    ordered = best.structure.copy()
    for mark in ordered.site_properties:  # what was a guest when it was ordered is none of the run that goes on
        ordered.remove_site_property(mark)
    return ordered


def _note(name: str, best: Candidate, found: list[Candidate], folder: Path | None) -> str:
    """Return what is said of the ordered structure that was chosen."""
    energy = "" if best.energy_per_atom is None else f", {best.energy_per_atom:.4f} eV/atom"
    kept = "" if folder is None else f"; all are in {folder}"
    return (
        f"{name}: ordered as {best.formula} in a cell of {counted(best.n_atoms or 0, 'atom')}, {best.id}{energy}, the "
        f"lowest of {counted(len(found), 'candidate')}{kept}"
    )


def _failures(found: list[Candidate]) -> str:
    """Return why no candidate is good."""
    if not found:
        return "no ordering was found"
    return f"{counted(len(found), 'ordering')} failed, the first at {found[0].failed_at} ({found[0].reason})"
