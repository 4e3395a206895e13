"""What `chggen references show` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chggen.cli.output import Line
from chggen.crystals import plain_formula, system_elements
from chggen.errors import InputError
from chggen.io import writable_folder, write_text

if TYPE_CHECKING:
    from chggen.stability import ReferenceEntry


def reference_lines(
    system: str, level: str, references: Sequence[str], diagram: Path | None, out: Path | None
) -> list[str]:
    """List the known phases of a system, and draw its phase diagram.

    Args:
        system: Elements such as Zn-P-S.
        level: Level of theory.
        references: Files of known phases; none: the shipped ones.
        diagram: File for the phase diagram; None: none is drawn.
        out: Folder for SYSTEM.txt; None: nothing is written.

    Returns:
        A line for each phase, by energy above the hull, the disordered ones last.

    Raises:
        InputError: For something that is no system, an unknown level, and a diagram that cannot be drawn.
    """
    from chggen.report import picture, save
    from chggen.stability import hull, references_of

    elements = system_elements(system)
    table = references_of(references)
    entries = table.system(elements, level)
    disordered: list[str] = [
        _disordered_line(phase.id, plain_formula(phase.structure.composition))
        for phase in table.disordered
        if phase.elements.issubset(elements)
    ]
    if not entries:
        missing = f"no {level} reference energies for {system}" + (f": {table.reason}" if table.reason else "")
        return [missing, *disordered]
    placed = [(hull(e.formula, e.energy_per_atom, level=level, references=table).e_hull, e) for e in entries]
    placed.sort(key=lambda one: (one[0] is None, one[0], one[1].formula, one[1].id))
    lines = [*(_phase_line(e, above) for above, e in placed), *disordered]
    reason = hull("".join(elements), 0.0, level=level, references=table).reason
    if reason is not None:  # an element without an energy
        lines.append(f"no hull of {system}: {reason}")
    if diagram is not None:
        drawn = picture(elements, level, references=table)
        if drawn is None:
            raise InputError(f"no phase diagram of {system}; expected two to four elements with reference energies")
        save(drawn, diagram)
        lines.append(f"phase diagram in {diagram}")
    if out is not None:
        write_text(writable_folder(out) / f"{system}.txt", "\n".join(lines) + "\n")
    return lines


def _phase_line(entry: ReferenceEntry, above: float | None) -> Line:
    """Return the line of a reference entry, whose energy above the hull is given in eV/atom."""
    e = entry
    return Line(
        f"{e.id:14} {e.formula:16} {e.energy_per_atom:10.4f} eV/atom  "
        f"E_hull {'?' if above is None else f'{above:.4f}':6}  "
        f"space group {e.space_group or '?':>3}  {'relaxed' if e.relaxed else 'static'}",
        id=e.id, formula=e.formula, energy_per_atom=e.energy_per_atom, level=e.level, e_hull=above,
        space_group=e.space_group or None, relaxed=e.relaxed,
    )  # fmt: skip


def _disordered_line(name: str, formula: str) -> Line:
    why = "disordered: in no hull"
    return Line(f"{name:14} {formula:16} {why}", id=name, formula=formula, reason=why)
