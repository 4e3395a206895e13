"""The CIF files of a candidate."""

from __future__ import annotations

import logging
from pathlib import Path

from chggen.io import cif_text, write_text
from chggen.results.candidate import Candidate

log = logging.getLogger(__name__)


def write_cifs(candidate: Candidate, folder: Path) -> None:
    """ID.cif in the symmetry found at 0.1 Å, stated in a comment, and its twin ID-P1.cif with every atom."""
    assert candidate.structure is not None
    symprec = 0.1
    note = f"chggen candidate {candidate.id}\n"
    if candidate.refined_symprec is not None:
        note += (
            f"relaxed, then symmetrised at {candidate.refined_symprec:g} Å, which moved atoms by "
            f"{candidate.refined_rms:.4f} Å (rms), {candidate.refined_max:.4f} Å at most\n"
        )
    try:
        text = cif_text(candidate.structure, symprec, note + f"symmetrised with symprec {symprec} Å")
    except Exception as error:  # spglib can fail where the twin in P1 still serves
        log.warning("%s: no symmetrised CIF: %s", candidate.id, error)
        text = cif_text(candidate.structure, None, note + "symmetry not found, written in P1")
    write_text(folder / f"{candidate.id}.cif", text)
    write_text(folder / f"{candidate.id}-P1.cif", cif_text(candidate.structure, None, note + "P1, every atom"))
