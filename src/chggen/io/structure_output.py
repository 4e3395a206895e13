"""Writing structures as CIF and extxyz."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chggen.io.ase_atoms import atoms_of_structure
from chggen.io.atomic_write import whole
from chggen.io.plain_structures import OXIDATION_STATES

if TYPE_CHECKING:
    from pymatgen.core import Structure


def cif_text(structure: Structure, symprec: float | None, comment: str = "") -> str:
    """Return a structure as the text of a CIF file.

    Args:
        structure: The structure.
        symprec: Tolerance in Å at which the symmetry is found; the CIF then holds the refined structure with its
            symmetry operations. None writes every atom, in P1.
        comment: Text for the head of the file. Each of its lines is written after `# `.

    Returns:
        The CIF text, comment included.
    """
    from pymatgen.io.cif import CifWriter

    head = "".join(f"# {line}\n" for line in comment.splitlines())
    if symprec is None:  # ions of one element lower the symmetry that pymatgen would find
        structure = _with_ions(structure)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return head + str(CifWriter(structure, symprec=symprec, refine_struct=symprec is not None))


def _with_ions(structure: Structure) -> Structure:
    """Return a structure whose species have their oxidation states, where all are known; else the structure itself."""
    states = structure.site_properties.get(OXIDATION_STATES)
    if states is None or None in states or not structure.is_ordered:
        return structure
    decorated = structure.copy()
    decorated.add_oxidation_state_by_site(list(states))
    return decorated


def write_extxyz(structures: Sequence[Structure], path: Path, about: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write structures as the frames of one extxyz file, which appears whole or not at all.

    Args:
        structures: The structures, one frame each.
        path: The file to write.
        about: For each structure the key-value pairs to write into the comment line of its frame. Pairs whose value
            is None are left out. Structures beyond the end of this list get none.
    """
    from ase.io import write

    described = [*about, *({} for _ in structures[len(about) :])]
    frames = [atoms_of_structure(s, info) for s, info in zip(structures, described, strict=True)]
    with whole(path) as temporary:
        write(temporary, frames, format="extxyz")
