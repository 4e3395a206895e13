"""Export of the survivors of a results folder as files for other programs."""

from __future__ import annotations

from pathlib import Path

from chggen.errors import InputError
from chggen.io import writable_folder, write_extxyz
from chggen.results.cif_files import write_cifs
from chggen.results.database import read_candidates
from chggen.results.ranking import ranked
from chggen.results.summary import further_levels, summary_row


def export_survivors(folder: Path, to: str, max_e_d: float | None, out: Path | None) -> tuple[int, Path]:
    """Write the distinct good candidates of a results folder as files for another program.

    Files of candidates that an earlier export chose and this one does not are deleted. Inputs of VASP stay: a
    calculation may have run there.

    Args:
        folder: The results folder.
        to: The target: `vasp`, `atomate2`, `cif` or `extxyz`.
        max_e_d: The highest decomposition energy to take, eV/atom, at the level that candidates are judged by. None
            takes all, those without one too.
        out: The folder to write a folder of the target's name into. None stands for DIR/export.

    Returns:
        How many candidates were written, and the folder that holds them.

    Raises:
        InputError: For an unknown target, and when no candidate is left.
    """
    if to not in ("vasp", "atomate2", "cif", "extxyz"):
        raise InputError(f"unknown target '{to}'; expected vasp, atomate2, cif or extxyz")
    everyone = ranked(read_candidates(folder))
    chosen = [
        c
        for c in everyone
        if c.status == "ok"
        and c.structure is not None
        and c.duplicate_of is None
        and (max_e_d is None or (c.deciding_e_d is not None and c.deciding_e_d <= max_e_d))
    ]
    if not chosen:
        limit = "" if max_e_d is None else f" with E_d up to {max_e_d} eV/atom; raise --max-e-d"
        raise InputError(f"{folder} holds no good candidate{limit}")
    target = writable_folder((out or folder / "export") / to)
    structures = [c.structure for c in chosen if c.structure is not None]
    if to == "extxyz":
        levels = further_levels(chosen)
        write_extxyz(structures, target / "candidates.extxyz", [summary_row(c, levels) for c in chosen])
    elif to == "cif":
        write_cifs(chosen, target)
    elif to == "atomate2":
        from chggen.results.vasp import write_flow

        for candidate, structure in zip(chosen, structures, strict=True):
            write_flow(structure, target / f"{candidate.id}.json")
    else:
        from chggen.results.vasp import write_vasp

        for candidate, structure in zip(chosen, structures, strict=True):
            if not (target / candidate.id / "README").exists():  # a calculation may have run in it
                write_vasp(structure, target / candidate.id)
    for name in {c.id for c in everyone} - {c.id for c in chosen}:
        for file in (f"{name}.cif", f"{name}-P1.cif", f"{name}.json"):
            (target / file).unlink(missing_ok=True)
    return len(chosen), target
