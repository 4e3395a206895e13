"""What `chggen hull` prints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chggen.cli.output import Line
from chggen.errors import InputError
from chggen.io import ORDER_FIRST_OR_HERE, named_structures, writable_folder, write_text
from chggen.potential import DEFAULT_LEVEL, level_named, level_of, levels, potential_of, potentials

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from chggen.stability import HullPosition

_MAX_STEPS: Final = 1000  # of a structure to be placed, as references have


@dataclass(frozen=True, kw_only=True)
class Placing:
    """How structures are relaxed before they are placed. Without structures none of it has an effect.

    Attributes:
        potential: Name of the potential; None: that of the level.
        fmax: Largest force, eV/Å.
        max_steps: Most steps.
        fix_cell: Whether the cell is kept.
        order: Whether partially occupied structures are ordered first.
        device: `cpu` or `cuda`.
    """

    potential: str | None = None
    fmax: float = 0.1
    max_steps: int = _MAX_STEPS
    fix_cell: bool = False
    order: bool = False
    device: str = "cpu"

    @classmethod
    def of(cls, **values: Any) -> Placing:
        """Return what was given, defaults in the place of None.

        Args:
            **values: Fields and their values.
        """
        return cls(**{key: value for key, value in values.items() if value is not None})

    def check_unused(self) -> None:
        """Raise InputError for a value that was given though no structures are relaxed."""
        for field in fields(self):
            if field.name != "potential" and getattr(self, field.name) != field.default:
                raise InputError(
                    f"--{field.name.replace('_', '-')} has no effect with --formula, since nothing is relaxed; "
                    "leave it out or give structures"
                )


def hull_lines(
    paths: Sequence[Path],
    formula: str | None,
    energy: float | None,
    level: str | None,
    without: Sequence[str],
    references: Sequence[str],
    placing: Placing,
    out: Path | None,
) -> list[Line]:
    """Place structures, relaxed first, or a formula with its energy on the hull of the known phases.

    Args:
        paths: Files of structures; none with a formula.
        formula: A formula, with `energy`.
        energy: Its energy, eV/atom.
        level: Level of theory; None: that of the potential, or the default.
        without: Ids of reference entries to leave out.
        references: Files of known phases; none: the shipped ones.
        placing: How structures are relaxed.
        out: Folder for hull.txt; None: nothing is written.

    Returns:
        A line for each structure, or one for the formula: energy, decomposition energy, energy above hull, products
        as a balanced reaction of one formula unit, and what is doubtful about them.

    Raises:
        InputError: For both or neither of structures and formula, and for what cannot be placed at the level.
    """
    from chggen.stability import hull, references_of

    if bool(paths) == (formula is not None or energy is not None):
        raise InputError("hull takes structures, or --formula with --energy; give one of the two")
    asked = _level(level, placing.potential)
    table = references_of(references)
    table.column(asked)
    if paths:
        lines = _structure_lines(paths, asked, without, references, table, placing, out)
    else:
        if formula is None or energy is None:
            raise InputError("hull needs both --formula and --energy (eV/atom)")
        if not math.isfinite(energy):
            raise InputError(f"--energy must be a number in eV/atom, got {energy}")
        placing.check_unused()
        lines = [_position_line(formula, hull(formula, energy, level=asked, without=without, references=table))]
    if out is not None:
        writable_folder(out)
        write_text(out / "hull.txt", "\n".join(lines) + "\n")
    return lines


def _structure_lines(
    paths: Sequence[Path],
    level: str,
    without: Sequence[str],
    references: Sequence[str],
    table: Any,
    placing: Placing,
    out: Path | None,
) -> list[Line]:
    """Relax structures with the potential of a level and return a line for each."""
    from chggen.api import terminal_bars
    from chggen.execution import Machine
    from chggen.regions import no_bulk
    from chggen.relaxation import relax
    from chggen.stability import hull
    from chggen.symmetry import space_group
    from chggen.workflows import ordered_structures

    machine = Machine(device=placing.device)
    potential = placing.potential or potential_of(level)
    if potential is None:
        raise InputError(
            f"structures get their energies from potentials at the level {' or '.join(levels())}, which cannot be "
            f"compared with '{level}'; give an energy of that level with --formula and --energy"
        )
    structures = named_structures(paths, disordered=None if placing.order else ORDER_FIRST_OR_HERE)
    if placing.order:
        given = asdict(placing) | {"potential": potential, "references": references}
        with terminal_bars() as progress:
            structures = ordered_structures(structures, given, machine, out, progress)
    done = relax(
        list(structures.values()), potential=potential, fmax=placing.fmax, max_steps=placing.max_steps,
        fix_cell=placing.fix_cell, device=placing.device,
    )  # fmt: skip
    lines = []
    for (name, s), r in zip(structures.items(), done, strict=True):
        if r.energy_per_atom is None or not r.converged:
            why = f"its relaxation came to no end ({r.reason or 'not converged'})"
            lines.append(_not_placed(f"{name}: not placed, {why}", name, s, level, why))
            continue
        if (slab := no_bulk(r.structure)) is not None:
            lines.append(_not_placed(f"{name}: not placed: {slab}", name, s, level, slab))
            continue
        made = s.composition.formula.replace(" ", "")
        known = table.known_as(made, r.energy_per_atom, level, space_group(r.structure, 0.1), r.structure)
        position = hull(made, r.energy_per_atom, level=level, without=without, references=table)
        lines.append(_position_line(name, position, known))
    return lines


def _level(level: str | None, potential: str | None) -> str:
    """Return the level asked for, by its name or by its potential. Raise InputError where they differ."""
    if potential is None:
        return level or DEFAULT_LEVEL
    given = level_of(potential).name
    if potential_of(given) is None:
        raise InputError(f"no references are at the level of '{potential}'; expected {', '.join(potentials())}")
    if level is not None and given != level:
        raise InputError(f"potential {potential} gives energies at level {given}, not at '{level}'")
    return given


def _products(reaction: str) -> str:
    """Return what a line says of a reaction; a compound that is a phase of the hull itself falls apart into nothing."""
    from chggen.stability import ARROW, STATIC

    made, _, phases = reaction.partition(ARROW)
    same = phases.removesuffix(STATIC).strip() == made
    return f"on the hull: {phases}" if same else f"products {reaction} (formula units)"


def _not_placed(line: str, name: str, structure: Structure, level: str, reason: str) -> Line:
    return Line(line, name=name, formula=structure.composition.reduced_formula, level=level, reason=reason)


def _position_line(name: str, position: HullPosition, known: str | None = None) -> Line:
    """Return the line of a structure or formula: its energy, and where that stands against the hull."""
    row: dict[str, Any] = {
        "name": name, "formula": position.formula, "energy_per_atom": position.energy_per_atom, "level": position.level,
        "e_decomposition": position.e_decomposition, "e_hull": position.e_hull, "products": position.products or None,
        "static_excess": position.static_excess, "known_as": known, "warning": position.warning,
        "reason": position.reason,
    }  # fmt: skip
    energy = f"{name}: E {position.energy_per_atom:.4f} eV/atom"
    if position.e_decomposition is None:
        return Line(f"{energy}, no decomposition energy ({position.reason})", **row)
    level = level_named(position.level)
    caveat = "" if level.error is None else f"; errs by about {level.error:g}, high ones are too low"
    line = (
        f"{energy}, E_d {round(position.e_decomposition, 4) + 0.0:+.4f} eV/atom, "
        f"E_hull {position.e_hull:.4f} eV/atom ({position.level}{caveat}), "
        f"{_products(position.products)}"
    )
    if position.static_excess is not None:
        line += f"; static: not relaxed with the potential, typically {position.static_excess:.3f} eV/atom too high"
    if position.warning is not None:
        line += f"; doubtful: {position.warning}"
    return Line(line + (f"; known as {known}" if known else ""), **row)
