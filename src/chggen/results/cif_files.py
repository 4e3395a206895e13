"""The CIF files of a candidate: one that states its symmetry, and a twin with every atom."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chggen.execution import Failure, Machine, Workers
from chggen.io import check_name, write_text
from chggen.results.candidate import Candidate
from chggen.results.cif_content import every_atom, symmetric
from chggen.symmetry import space_group

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
_SYMPREC: Final = 0.1  # Å
_TIGHTER: Final = (0.001, 0.01, 0.03)  # Å; tolerances that are preferred where they find the same group
_EVERY_ATOM: Final = "P1, every atom"
_LIKE_A_TWIN: Final = re.compile(r"-P1_*$")
_AT_ONCE: Final = 5_000  # candidates whose files are held in memory
_BATCH: Final = 50  # candidates that a process writes at once
_SECONDS_EACH: Final = 0.005  # that the files of a candidate take, roughly, also where they turn out to be up to date


@dataclass(frozen=True)
class _Files:
    """The CIF files of a candidate as plain data, which is sent to a worker much quicker than a structure."""

    name: str
    note: str
    without_symmetry: bool
    lattice: np.ndarray
    species: tuple[Any, ...]  # elements, with oxidation states where the structure has any
    frac_coords: np.ndarray
    labels: tuple[str | None, ...]
    properties: dict[str, Any]

    @classmethod
    def of(cls, candidate: Candidate) -> _Files | None:
        """Return the files of a candidate; None where it has no structure."""
        structure = candidate.structure
        if structure is None:
            return None
        check_name(candidate.id)
        note = f"chggen candidate {candidate.id}\n"
        if candidate.refined_symprec is not None:
            note += (
                f"relaxed, then symmetrised at {candidate.refined_symprec:g} Å, which moved atoms by "
                f"{candidate.refined_rms:.4f} Å (rms), {candidate.refined_max:.4f} Å at most\n"
            )
        return cls(
            name=candidate.id,
            note=note,
            without_symmetry=candidate.space_group_loose == 1,  # found at this very tolerance
            lattice=structure.lattice.matrix,
            species=tuple(site.specie for site in structure),
            frac_coords=structure.frac_coords,
            labels=tuple(structure.labels),
            properties=structure.site_properties,
        )

    def structure(self) -> Structure:
        """Return the structure."""
        from pymatgen.core import Structure

        return Structure(
            self.lattice, self.species, self.frac_coords, labels=self.labels, site_properties=self.properties
        )


@dataclass(frozen=True)
class _Folder:
    """What workers need to write CIF files: the folder."""

    path: Path

    def unloaded(self) -> _Folder:
        """Return itself, since there is nothing to load."""
        return self


def cif_names(name: str) -> tuple[str, str]:
    """Return the names of the files of a candidate: of the one with symmetry, and of its twin in P1.

    Candidates named `a` and `a-P1` would share a file. The files of the latter are `a-P1_.cif` and `a-P1_-P1.cif`.

    Args:
        name: Id of the candidate.

    Returns:
        Two names that no other candidate's files have.

    Raises:
        InputError: The id is no name of a file.
    """
    check_name(name)
    stem = f"{name}_" if _LIKE_A_TWIN.search(name) else name
    return f"{stem}.cif", f"{stem}-P1.cif"


def write_cif(structure: Structure, folder: Path, name: str, symprec: float, note: str) -> None:
    """Write the files of a structure: one that states its symmetry, and a twin with every atom.

    Args:
        structure: An ordered structure.
        folder: The folder to write to.
        name: What the files are named after, see `cif_names`.
        symprec: Tolerance at which the symmetry is found, Å.
        note: Text for the heads of the files, which ends in a line break.

    Raises:
        InputError: The name is no name of a file.
        OSError: A file cannot be written.
    """
    path, twin = (folder / one for one in cif_names(name))
    try:
        text = symmetric(structure, symprec, note)
    except Exception as error:  # spglib can fail where the twin in P1 still serves
        log.warning("%s: no symmetrised CIF: %s", name, error)
        text = every_atom(structure, note + "symmetry not found, written in P1")
    write_text(path, text)
    write_text(twin, every_atom(structure, note + _EVERY_ATOM))


def write_cifs(candidates: Iterable[Candidate], folder: Path, machine: Machine | None = None) -> None:
    """Write ID.cif, in the space group found at 0.1 Å, and ID-P1.cif, where they are missing or not up to date.

    Thousands are written by several processes.

    Args:
        candidates: Candidates; those without a structure have no files.
        folder: The folder to write to.
        machine: Where to compute; None: one process for each core.

    Raises:
        InputError: The id of a candidate is no name of a file.
        OSError: A file cannot be written.
    """
    workers, left = Workers((machine or Machine()).here), iter(candidates)
    while files := [_Files.of(candidate) for candidate in islice(left, _AT_ONCE)]:
        present = [own for own in files if own is not None]
        batches = [present[k : k + _BATCH] for k in range(0, len(present), _BATCH)]
        seconds = _SECONDS_EACH * len(present)
        written = workers.run(_write_batch, batches, _Folder(folder), _not_written, seconds, name=lambda own: own.name)
        for reason in (reason for reasons in written for reason in reasons):
            raise OSError(reason)


def _write_batch(files: Sequence[_Files], folder: _Folder) -> list[str]:
    for one in files:
        _write(one, folder.path)
    return []


def _not_written(files: _Files, failure: Failure) -> list[str]:
    return [f"the CIF files of {files.name} cannot be written: {failure.reason}"]


def _write(files: _Files, folder: Path) -> None:
    """Write the files of a candidate. The twin comes last: one that is as it should be tells that both are."""
    structure = files.structure()
    path, twin = (folder / name for name in cif_names(files.name))
    plain = every_atom(structure, files.note + _EVERY_ATOM)
    if path.is_file() and twin.is_file() and twin.read_bytes() == plain.encode():
        return
    if files.without_symmetry:
        write_text(path, plain.replace(_EVERY_ATOM, f"P1: no symmetry at symprec {_SYMPREC} Å", 1))
        write_text(twin, plain)
    else:
        write_cif(structure, folder, files.name, _tightest(structure), files.note)


def _tightest(structure: Structure) -> float:
    """Return the least tolerance, Å, that finds the space group found at 0.1 Å, so that atoms move as little as can be.

    At a loose tolerance spglib may take atoms for lying on an inversion centre near them, and move them there.
    """
    group = space_group(structure, _SYMPREC)
    return next((symprec for symprec in _TIGHTER if space_group(structure, symprec) == group), _SYMPREC)
