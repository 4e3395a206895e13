"""Finished DFT calculations of candidates: folders of VASP, and documents of atomate2."""

from __future__ import annotations

import json
import logging
import math
import re
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chggen.errors import InputError, one_line
from chggen.io import read_text, without_foreign_classes

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
_VASPRUN: Final = ("vasprun.xml", "vasprun.xml.gz", "vasprun.xml.bz2", "vasprun.xml.xz")
_DOCUMENTS: Final = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
_PRERELAXED: Final = "pbesol"


@dataclass(frozen=True, kw_only=True)
class Calculation:
    """What a DFT calculation says of a candidate.

    Attributes:
        candidate: Id of the candidate.
        place: Where it was read.
        functional: VASP's run type in small letters and digits, such as `r2scan`; empty where unknown.
        energy: Total energy of the last step, extrapolated to no smearing, eV; None where there is no result.
        structure: The structure of that step.
        reason: Why there is no result to be used; None where there is one.
        when: When it ended, where that is known.
    """

    candidate: str
    place: str
    functional: str = ""
    energy: float | None = None
    structure: Structure | None = None
    reason: str | None = None
    when: str = ""


def read_calculations(place: Path, names: Collection[str]) -> list[Calculation]:
    """Read the calculations of candidates: the last one of each.

    A folder holds a folder for each candidate, named by its id, with `vasprun.xml` in it or in the folder of the last
    step, as `chggen export --to vasp` lays them out. It may hold documents as well, and a file is one: JSON of an
    atomate2 `TaskDoc`, of a document of jobflow's store, of a list of these, or one a line. A document belongs to the
    candidate that its metadata name as `candidate`, as those of exported flows do, or else to the one that its file is
    named after. Where a candidate has several, PBEsol counts as a pre-relaxation, and of others the latest counts.

    Args:
        place: The folder or the file.
        names: Ids of the candidates.

    Returns:
        A calculation for each candidate that has any, in the order of their ids, also those without a result.

    Raises:
        InputError: There is nothing of these candidates, or a document cannot be read.
    """
    if not place.exists():
        raise InputError(f"no calculations at {place}; expected a folder of VASP runs, or documents of atomate2")
    found: dict[str, list[Calculation]] = {}
    for one in _all_of(place, set(names)):
        found.setdefault(one.candidate, []).append(one)
    if not found:
        raise InputError(
            f"{place} holds no calculation of a candidate; expected folders named by their ids with vasprun.xml, or "
            "JSON of atomate2"
        )
    return [max(found[name], key=_counts_more) for name in sorted(found)]


def _counts_more(one: Calculation) -> tuple[bool, bool, str, str]:
    return one.functional != _PRERELAXED, one.reason is None, one.when, one.place


def _all_of(place: Path, names: set[str]) -> Iterator[Calculation]:
    if place.is_file():
        yield from _documents(place, names)
        return
    for path in sorted(place.iterdir()):
        if path.is_dir() and path.name in names:
            yield from _folder(path)
        elif path.is_dir():
            log.warning("%s is left out: no candidate has this id", path)
        elif path.is_file() and path.name.endswith(_DOCUMENTS):
            try:
                yield from _documents(path, names)
            except InputError as error:  # of a file that is still being written; it keeps the others waiting no longer
                if (candidate := _stem(path)) in names:
                    yield Calculation(candidate=candidate, place=str(path), reason=one_line(str(error), 100))
                else:
                    log.warning("%s is left out: %s", path, error)


def _folder(folder: Path) -> Iterator[Calculation]:
    """Yield the calculations in the folder of a candidate, those of earlier steps first."""
    ran = False
    for step in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        file = next((step / name for name in _VASPRUN if (step / name).is_file()), None)
        if file is not None:
            ran = True
            yield _vasprun(folder.name, file)
    steps = [path for path in folder.iterdir() if path.is_dir() and (path / "INCAR").is_file()]
    if ran and steps and not any((max(steps) / name).is_file() for name in _VASPRUN):
        reason = f"its last step {max(steps).name} has not run"
        yield Calculation(candidate=folder.name, place=str(max(steps)), reason=reason)


def _vasprun(candidate: str, file: Path) -> Calculation:
    from pymatgen.io.vasp import Vasprun

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what has not converged, which is asked below
            run = Vasprun(file, parse_dos=False, parse_eigen=False, parse_potcar_file=False)
            converged, structure, energy = run.converged, run.final_structure, float(run.final_energy)
            functional = _plain(run.run_type)
        _check_finite(energy)
    except Exception as error:  # of XML that was cut off, and whatever pymatgen misses in it
        reason = f"it has not ended, or cannot be read ({one_line(str(error), 60)})"
        return Calculation(candidate=candidate, place=str(file), reason=reason)
    return Calculation(
        candidate=candidate,
        place=str(file),
        functional=functional,
        energy=energy,
        structure=structure,
        reason=None if converged else "it has not converged",
    )


def _documents(file: Path, names: set[str]) -> Iterator[Calculation]:
    """Yield the calculations of a file of documents that belong to candidates."""
    belonging = False
    for document in _parsed(file):
        given = document.get("metadata")
        name = given.get("candidate") if isinstance(given, dict) else None
        candidate = name if name in names else _stem(file)
        task = document["output"] if {"uuid", "index"} <= document.keys() else document
        if candidate in names and isinstance(task, dict) and "calcs_reversed" in task:
            belonging = True
            yield _task(candidate, task, str(file))
    if not belonging:
        log.warning("%s is left out: it holds no document of a candidate", file)


def _stem(file: Path) -> str:
    """Return the name of a file of documents without its endings."""
    return re.sub(r"\.jsonl?(\.gz)?$", "", file.name)


def _parsed(file: Path) -> list[dict[str, Any]]:
    text = read_text(file)
    try:
        try:
            found = json.loads(text)
        except ValueError:
            found = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        raise InputError(f"{file} is no JSON; expected documents of atomate2") from None
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)]


def _task(candidate: str, task: dict[str, Any], place: str) -> Calculation:
    """Return what a TaskDoc says, whose last calculation comes first."""
    from pymatgen.core import Structure

    try:
        last = task["calcs_reversed"][0]
        functional = _plain(str(task.get("run_type") or last.get("run_type") or ""))
        when = str(task.get("completed_at") or task.get("last_updated") or "")
        energy = float(task["output"]["energy"])
        given = task.get("structure") or task["output"]["structure"]
        structure = Structure.from_dict(without_foreign_classes(given))
        ended = last.get("has_vasp_completed") in (True, "success", "successful")
        ended = ended and task.get("state", "successful") == "successful"
        _check_finite(energy)
    except Exception as error:  # of a document that lacks something, or a structure that is none
        reason = f"its document cannot be read ({one_line(str(error), 60)})"
        return Calculation(candidate=candidate, place=place, reason=reason)
    return Calculation(
        candidate=candidate,
        place=place,
        functional=functional,
        energy=energy,
        structure=structure,
        reason=None if ended else "it has not converged",
        when=when,
    )


def _check_finite(energy: float) -> None:
    if not math.isfinite(energy):
        raise ValueError(f"its energy is {energy}")


def _plain(run_type: str) -> str:
    return re.sub(r"[^a-z0-9]", "", run_type.lower())
