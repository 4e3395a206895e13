"""What `chggen hull` and `chggen references show` print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from chggen.crystals import system_elements
from chggen.errors import InputError
from chggen.io import named_structures, writable_folder, write_text
from chggen.potential import POTENTIAL_OF

_MAX_STEPS: Final = 1000  # of a structure to be placed, as references have


def level_of(level: str | None, potential: str | None) -> str:
    """The level of theory asked for, by its name or by the potential of it. Raises InputError where they differ."""
    by_potential = {name: level for level, name in POTENTIAL_OF.items()}
    if potential is not None and potential not in by_potential:
        raise InputError(f"no references are at the level of '{potential}'; expected {' or '.join(by_potential)}")
    found = level or by_potential.get(potential or "", "pbe")
    if potential is not None and by_potential[potential] != found:
        raise InputError(f"potential {potential} gives energies at level {by_potential[potential]}, not at '{found}'")
    return found


def hull_lines(
    paths: Sequence[Path],
    formula: str | None,
    energy: float | None,
    level: str,
    without: Sequence[str],
    references: Sequence[str],
    fmax: float,
    device: str,
    out: Path | None,
) -> list[str]:
    """One line a structure (relaxed first) or for the formula with its energy: E_d, E_hull and products."""
    from chggen.stability import hull, references_of

    if bool(paths) == (formula is not None or energy is not None):
        raise InputError("hull takes structures, or --formula with --energy; give one of the two")
    table = references_of(references)
    table.column(level)
    lines = []
    if paths:
        from chggen.execution import Machine
        from chggen.relaxation import relax
        from chggen.symmetry import space_group

        Machine(device=device)
        if level not in POTENTIAL_OF:
            raise InputError(
                f"structures get their energies from CHGNet at the level {' or '.join(POTENTIAL_OF)}, which cannot be "
                f"compared with '{level}'; give an energy of that level with --formula and --energy"
            )
        structures = named_structures(paths)
        done = relax(
            list(structures.values()), potential=POTENTIAL_OF[level], fmax=fmax, max_steps=_MAX_STEPS, device=device
        )
        for (name, s), r in zip(structures.items(), done, strict=True):
            if r.energy_per_atom is None or not r.converged:
                lines.append(f"{name}: not placed, its relaxation came to no end ({r.reason or 'not converged'})")
                continue
            made = s.composition.formula.replace(" ", "")
            known = table.known_as(made, r.energy_per_atom, level, space_group(r.structure, 0.1))
            position = hull(made, r.energy_per_atom, level=level, without=without, references=table)
            lines.append(_position_line(name, position) + (f"; known as {known}" if known else ""))
    else:
        if formula is None or energy is None:
            raise InputError("hull needs both --formula and --energy (eV/atom)")
        if not math.isfinite(energy):
            raise InputError(f"--energy must be a number in eV/atom, got {energy}")
        position = hull(formula, energy, level=level, without=without, references=table)
        lines.append(_position_line(formula, position))
    if out is not None:
        writable_folder(out)
        write_text(out / "hull.txt", "\n".join(lines) + "\n")
    return lines


def reference_lines(
    system: str, level: str, references: Sequence[str], diagram: Path | None, out: Path | None
) -> list[str]:
    """The known phases of a system such as Zn-P-S at a level, by energy above the hull; its phase diagram in a file."""
    from chggen.report import picture, save
    from chggen.stability import hull, references_of

    elements = system_elements(system)
    table = references_of(references)
    entries = table.system(elements, level)
    if not entries:
        return [f"no {level} reference energies for {system}" + (f": {table.reason}" if table.reason else "")]
    placed = [(hull(e.formula, e.energy_per_atom, level=level, references=table).e_hull, e) for e in entries]
    placed.sort(key=lambda one: (one[0] is None, one[0], one[1].formula, one[1].id))
    lines = [
        f"{e.id:14} {e.formula:16} {e.energy_per_atom:10.4f} eV/atom  "
        f"E_hull {'?' if above is None else f'{above:.4f}':6}  "
        f"space group {e.space_group or '?':>3}  {'relaxed' if e.relaxed else 'static'}"
        for above, e in placed
    ]
    reason = hull("".join(elements), 0.0, level=level, references=table).reason
    if reason is not None:  # an element without an energy
        lines.append(f"no hull of {system}: {reason}")
    if diagram is not None:
        drawn = picture(elements, level, references=table)
        if drawn is None:
            raise InputError(f"no phase diagram of {system}; expected two or three elements with reference energies")
        save(drawn, diagram)
        lines.append(f"phase diagram in {diagram}")
    if out is not None:
        write_text(writable_folder(out) / f"{system}.txt", "\n".join(lines) + "\n")
    return lines


def _position_line(name: str, position: Any) -> str:
    if position.e_decomposition is None:
        return f"{name}: no decomposition energy ({position.reason})"
    caveat = "; CHGNet errs by about 0.03, high ones are too low" if position.level in POTENTIAL_OF else ""
    line = (
        f"{name}: E_d {round(position.e_decomposition, 4) + 0.0:+.4f} eV/atom, "
        f"E_hull {position.e_hull:.4f} eV/atom ({position.level}{caveat}), products {position.products}"
    )
    if position.static_excess is not None:
        line += f"; static: not relaxed with CHGNet, typically {position.static_excess:.3f} eV/atom too high"
    return line
