"""The CIF files of a candidate: one that states its symmetry, and a twin with every atom."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chggen.execution import Failure, Machine, Workers
from chggen.io import cif_text, write_text
from chggen.results.candidate import Candidate
from chggen.symmetry import Conventional, conventional

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
_SYMPREC: Final = 0.1  # Å
_BATCH: Final = 50  # candidates that a process writes at once
_SECONDS_EACH: Final = 0.005  # that the files of a candidate take, roughly


@dataclass(frozen=True)
class _Files:
    """The CIF files of a candidate as plain data, which is sent to a worker much quicker than a structure."""

    name: str
    note: str
    without_symmetry: bool
    lattice: np.ndarray
    species: tuple[Any, ...]  # elements, with oxidation states where the structure has any
    frac_coords: np.ndarray

    @classmethod
    def of(cls, candidate: Candidate) -> _Files:
        """Return the files of a candidate with a structure."""
        structure = candidate.structure
        assert structure is not None
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
        )


@dataclass(frozen=True)
class _Folder:
    """What workers need to write CIF files: the folder."""

    path: Path

    def unloaded(self) -> _Folder:
        """Return itself, since there is nothing to load."""
        return self


def write_cifs(candidates: Iterable[Candidate], folder: Path) -> None:
    """Write ID.cif, in the symmetry found at 0.1 Å, and ID-P1.cif, where they are missing or not up to date.

    Thousands are written by several processes.

    Args:
        candidates: Candidates; those without a structure have no files.
        folder: The folder to write to.

    Raises:
        OSError: A file cannot be written.
    """
    files = [_Files.of(c) for c in candidates if c.structure is not None]
    missing = sum(not (folder / f"{one.name}-P1.cif").exists() for one in files)
    batches = [files[k : k + _BATCH] for k in range(0, len(files), _BATCH)]
    written = Workers(Machine()).run(_write_batch, batches, _Folder(folder), _not_written, _SECONDS_EACH * missing)
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
    from pymatgen.core import Structure

    structure, note = Structure(files.lattice, files.species, files.frac_coords), files.note
    path, twin = folder / f"{files.name}.cif", folder / f"{files.name}-P1.cif"
    every_atom = cif_text(structure, None, note + "P1, every atom")
    if path.exists() and twin.exists() and twin.read_bytes() == every_atom.encode():
        return
    if files.without_symmetry:
        write_text(path, every_atom.replace("P1, every atom", f"P1: no symmetry at symprec {_SYMPREC} Å"))
        write_text(twin, every_atom)
        return
    try:
        text = _symmetric_text(structure, note)
    except Exception as error:  # spglib can fail where the twin in P1 still serves
        log.warning("%s: no symmetrised CIF: %s", files.name, error)
        text = cif_text(structure, None, note + "symmetry not found, written in P1")
    write_text(path, text)
    write_text(twin, every_atom)


def _symmetric_text(structure: Structure, note: str) -> str:
    """Return the CIF of a structure that names one atom of each orbit and the operations that make the others."""
    from pymatgen.io.cif import CifWriter

    cell = conventional(structure, _SYMPREC)
    if cell is None:
        raise ValueError(f"spglib finds no space group at {_SYMPREC} Å")
    sites = _first_of_orbits(cell)
    multiplicities = Counter(cell.orbits.tolist())
    writer = CifWriter(cell.structure.from_sites([cell.structure[k] for k in sites]))
    (block,) = writer.cif_file.data.values()
    whole = cell.structure.composition.element_composition
    block.header = whole.reduced_formula
    block.data |= {
        "_symmetry_space_group_name_H-M": cell.symbol,
        "_symmetry_Int_Tables_number": cell.number,
        "_chemical_formula_structural": whole.reduced_formula,
        "_chemical_formula_sum": whole.formula,
        "_cell_formula_units_Z": str(int(whole.get_reduced_composition_and_factor()[1])),
        "_symmetry_equiv_pos_site_id": [str(k + 1) for k in range(len(cell.operations))],
        "_symmetry_equiv_pos_as_xyz": list(cell.operations),
        "_atom_site_symmetry_multiplicity": [str(multiplicities[cell.orbits[k]]) for k in sites],
    }
    head = "".join(f"# {line}\n" for line in f"{note}symmetrised with symprec {_SYMPREC} Å".splitlines())
    return head + str(writer)


def _first_of_orbits(cell: Conventional) -> list[int]:
    """Return the atoms that stand for their orbits: those nearest to the origin, in an order that does not vary."""
    first: dict[int, int] = {}
    coordinates = cell.structure.frac_coords.tolist()
    for k in sorted(range(len(coordinates)), key=lambda k: coordinates[k]):
        first.setdefault(int(cell.orbits[k]), k)
    return sorted(first.values(), key=lambda k: (cell.structure[k].species.average_electroneg, coordinates[k]))
