"""The CIF files of a candidate: one that states its symmetry, and a twin with every atom."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chggen.io import cif_text, write_text
from chggen.results.candidate import Candidate
from chggen.symmetry import Conventional, conventional

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
_SYMPREC: Final = 0.1  # Å


def write_cifs(candidate: Candidate, folder: Path) -> None:
    """Write ID.cif, in the symmetry found at 0.1 Å, and ID-P1.cif, where they are missing or not up to date.

    The twin is written last: one that is as it should be tells that both are.

    Args:
        candidate: A candidate with a structure.
        folder: The folder to write to.
    """
    structure = candidate.structure
    assert structure is not None
    note = f"chggen candidate {candidate.id}\n"
    if candidate.refined_symprec is not None:
        note += (
            f"relaxed, then symmetrised at {candidate.refined_symprec:g} Å, which moved atoms by "
            f"{candidate.refined_rms:.4f} Å (rms), {candidate.refined_max:.4f} Å at most\n"
        )
    path, twin = folder / f"{candidate.id}.cif", folder / f"{candidate.id}-P1.cif"
    every_atom = cif_text(structure, None, note + "P1, every atom")
    if path.exists() and twin.exists() and twin.read_bytes() == every_atom.encode():
        return
    try:
        text = _symmetric_text(structure, note)
    except Exception as error:  # spglib can fail where the twin in P1 still serves
        log.warning("%s: no symmetrised CIF: %s", candidate.id, error)
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
