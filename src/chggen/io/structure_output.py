"""Structures as CIF and extxyz files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chggen.io.atomic_write import whole

if TYPE_CHECKING:
    from pymatgen.core import Structure


def cif_text(structure: Structure, symprec: float | None, comment: str = "") -> str:
    """CIF of a structure, with the symmetry found at symprec (Å) or, for None, in P1; comment lines start with #."""
    from pymatgen.io.cif import CifWriter

    head = "".join(f"# {line}\n" for line in comment.splitlines())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return head + str(CifWriter(structure, symprec=symprec, refine_struct=symprec is not None))


def write_extxyz(structures: Sequence[Structure], path: Path, about: Sequence[Mapping[str, Any]] = ()) -> None:
    """Structures as one extxyz file, with what is told about each, None left out, in the comment line of its frame."""
    from ase.io import write
    from pymatgen.io.ase import AseAtomsAdaptor

    frames = [AseAtomsAdaptor.get_atoms(s, msonable=False) for s in structures]
    for frame, told in zip(frames, about, strict=False):
        frame.info.update({key: value for key, value in told.items() if value is not None})
    with whole(path) as temporary:
        write(temporary, frames, format="extxyz")
