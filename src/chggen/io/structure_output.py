"""Writing structures as CIF and extxyz."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chggen.io.atomic_write import whole

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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return head + str(CifWriter(structure, symprec=symprec, refine_struct=symprec is not None))


def write_extxyz(structures: Sequence[Structure], path: Path, about: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write structures as the frames of one extxyz file, which appears whole or not at all.

    Args:
        structures: The structures, one frame each.
        path: The file to write.
        about: For each structure the key-value pairs to write into the comment line of its frame. Pairs whose value
            is None are left out. Structures beyond the end of this list get none.
    """
    from ase.io import write
    from pymatgen.io.ase import AseAtomsAdaptor

    frames = [AseAtomsAdaptor.get_atoms(s, msonable=False) for s in structures]
    for frame, described in zip(frames, about, strict=False):
        frame.info.update({key: value for key, value in described.items() if value is not None})
    with whole(path) as temporary:
        write(temporary, frames, format="extxyz")
