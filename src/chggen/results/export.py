"""Export of the survivors of a results folder as files for other programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chggen.errors import InputError
from chggen.io import inside, whole, writable_folder
from chggen.results.ase_atoms import atoms_of
from chggen.results.candidate import Candidate
from chggen.results.cif_files import cif_names, write_cifs
from chggen.results.database import read_candidates
from chggen.results.likeliest import answers
from chggen.results.ranking import ranked
from chggen.results.summary import further_levels, is_answer, summary_row

if TYPE_CHECKING:
    from pymatgen.core import Structure


def export_survivors(
    folder: Path, to: str, max_e_d: float | None, out: Path | None, inputs: str | None = None
) -> tuple[int, Path]:
    """Write the distinct good candidates of a results folder as files for another program.

    Files of candidates that an earlier export chose and this one does not are deleted. Inputs of VASP stay: a
    calculation may have run there.

    Args:
        folder: The results folder.
        to: The target: `vasp`, `atomate2`, `cif` or `extxyz`.
        max_e_d: The highest decomposition energy to take, eV/atom, at the level that candidates are judged by. None
            takes all, those without one too.
        out: The folder to write a folder of the target's name into. None stands for DIR/export.
        inputs: Set of inputs of the targets `vasp` and `atomate2`, see `write_vasp`. None stands for `mp-scan`.

    Returns:
        How many candidates were written, and the folder that holds them.

    Raises:
        InputError: For an unknown target, and when no candidate is left.
    """
    if to not in _WRITERS:
        raise InputError(f"unknown target '{to}'; expected one of {', '.join(_WRITERS)}")
    if inputs is not None and to not in _CHECKED:
        raise InputError(f"an input set is of use for {' and '.join(_CHECKED)} only, not for {to}; leave it out")
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
        if max_e_d is None:
            raise InputError(f"{folder} holds no good candidate")
        if all(c.deciding_e_d is None for c in everyone if c.status == "ok"):
            raise InputError(
                f"in {folder} no candidate has an E_d; leave --max-e-d out (relax places nothing on a hull, "
                "`chggen hull` does)"
            )
        raise InputError(f"{folder} holds no good candidate with E_d up to {max_e_d} eV/atom; raise --max-e-d")
    if to in _CHECKED:  # before there is a folder
        from chggen.results.vasp import check_inputs

        check_inputs(map(_structure, chosen), flows=to == "atomate2", inputs=inputs)
    target = writable_folder((out or folder / "export") / to)
    _WRITERS[to](chosen, target, inputs)
    for name in {c.id for c in everyone} - {c.id for c in chosen}:
        for file in (*cif_names(name), f"{name}.json"):
            (target / file).unlink(missing_ok=True)
    return len(chosen), target


def _write_cifs(chosen: Sequence[Candidate], target: Path, inputs: str | None) -> None:
    write_cifs(chosen, target)


def _write_extxyz(chosen: Sequence[Candidate], target: Path, inputs: str | None) -> None:
    """Write one extxyz file of all, with what the potential says of them and their rows of summary.csv."""
    from ase.io import write

    levels, likeliest = further_levels(chosen), answers(chosen)
    frames = []
    for candidate in chosen:
        frame = atoms_of(candidate)
        row = summary_row(candidate, levels, is_answer(candidate, likeliest))
        frame.info.update({key: value for key, value in row.items() if value is not None})
        frames.append(frame)
    with whole(target / "candidates.extxyz") as temporary:
        write(temporary, frames, format="extxyz")


def _write_flows(chosen: Sequence[Candidate], target: Path, inputs: str | None) -> None:
    from chggen.results.input_sets import DEFAULT_SET
    from chggen.results.vasp import write_flow

    for candidate in chosen:
        path = inside(target, candidate.id, ".json")
        write_flow(_structure(candidate), path, candidate.magnetic_moments, inputs or DEFAULT_SET)


def _write_vasp(chosen: Sequence[Candidate], target: Path, inputs: str | None) -> None:
    from chggen.results.input_sets import DEFAULT_SET
    from chggen.results.vasp import write_vasp

    for candidate in chosen:
        folder = inside(target, candidate.id)
        if not (folder / "README").exists():  # a calculation may have run in it
            write_vasp(_structure(candidate), folder, candidate.magnetic_moments, inputs or DEFAULT_SET)


def _structure(candidate: Candidate) -> Structure:
    assert candidate.structure is not None
    return candidate.structure


_WRITERS: Final[dict[str, Callable[[Sequence[Candidate], Path, str | None], None]]] = {
    "vasp": _write_vasp,
    "atomate2": _write_flows,
    "cif": _write_cifs,
    "extxyz": _write_extxyz,
}
_CHECKED: Final = ("vasp", "atomate2")
