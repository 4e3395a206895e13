"""Where a composition and an energy stand against the hull of the reference entries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from chggen.composition import parse_formula, reduced
from chggen.config import InputError
from chggen.references import References, level_index


@dataclass(frozen=True, kw_only=True)
class Position:
    """An energy against the hull of all reference entries at its level of theory; energies in eV/atom.

    e_decomposition is signed: below zero where the hull is broken, None where there is no number, and then reason
    says why. products are the phases of the hull at this composition by mole fraction of their reduced formulas
    ("0.50 ZnS + 0.50 P2S5"), product_ids and product_fractions the same in order.
    """

    formula: str
    level: str
    energy_per_atom: float
    e_decomposition: float | None = None
    products: str = ""
    product_ids: tuple[str, ...] = ()
    product_fractions: tuple[float, ...] = ()
    reason: str | None = None

    @property
    def e_hull(self) -> float | None:
        """Energy above hull, ≥ 0, eV/atom."""
        return None if self.e_decomposition is None else max(0.0, self.e_decomposition)


def hull(
    formula: str,
    energy_per_atom: float,
    *,
    level: str = "pbe",
    without: Sequence[str] = (),
    references: References | None = None,
) -> Position:
    """Decomposition energy of a formula with an energy (eV/atom), relative to the hull of the reference entries.

    The candidate itself is never added, so a known stable phase found again comes out near zero; `without` leaves
    reference ids out, which gives the decomposition enthalpy of one of them. Energy and references must share the
    level of theory. Raises InputError for an unreadable formula, an unknown level and an unknown id in `without`;
    missing references and an energy that is not finite are recorded as the reason.
    """
    species = parse_formula(formula)
    level_index(level)
    table = References.load() if references is None else references
    left_out = frozenset([without] if isinstance(without, str) else without)
    unknown = table.unknown_ids(sorted(left_out))
    if unknown:
        raise InputError(f"no reference entry with id {', '.join(unknown)} to leave out of the hull; check the ids")
    blank = Position(formula=formula, level=level, energy_per_atom=energy_per_atom)
    if not math.isfinite(energy_per_atom):
        return replace(blank, reason=f"the energy per atom is {energy_per_atom}, not a number")
    diagram, reason = _diagram(table, tuple(sorted(species)), level, left_out)
    if diagram is None:
        return replace(blank, reason=reason)
    return _placed(blank, diagram, species)


def known_ids(formula: str, level: str = "pbe", references: References | None = None) -> list[str]:
    """Ids of the reference entries of the same reduced formula at a level, lowest energy first.

    Raises InputError for an unreadable formula or an unknown level.
    """
    table = References.load() if references is None else references
    return [entry.id for entry in table.same_formula(formula, level)]


@lru_cache(maxsize=64)
def _diagram(
    table: References, elements: tuple[str, ...], level: str, without: frozenset[str]
) -> tuple[Any, str | None]:
    """pymatgen's phase diagram of the system, or None and the reason there is none."""
    if table.reason is not None:
        return None, table.reason
    entries = [entry for entry in table.system(elements, level) if entry.id not in without]
    species = [parse_formula(entry.formula) for entry in entries]
    missing = [symbol for symbol in elements if not any(set(counts) == {symbol} for counts in species)]
    if missing:
        return None, f"no {level} reference energy for the element{'s' * (len(missing) > 1)} {', '.join(missing)}"

    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core.composition import Composition

    phases = [
        PDEntry(Composition(counts), entry.energy_per_atom * sum(counts.values()), name=entry.id)
        for entry, counts in zip(entries, species, strict=True)
    ]
    return PhaseDiagram(phases), None


def _placed(blank: Position, diagram: Any, species: dict[str, int]) -> Position:
    from pymatgen.core.composition import Composition

    decomposition, energy = diagram.get_decomp_and_hull_energy_per_atom(Composition(species))
    moles = []
    for phase, atom_fraction in decomposition.items():
        counts = reduced({str(element): round(n) for element, n in phase.composition.items()})
        moles.append((atom_fraction / sum(counts.values()), phase))
    total = sum(amount for amount, _ in moles)
    moles = sorted(
        ((amount / total, phase) for amount, phase in moles), key=lambda pair: (-round(pair[0], 6), pair[1].name)
    )
    return replace(
        blank,
        e_decomposition=float(blank.energy_per_atom - energy),
        products=" + ".join(f"{amount:.2f} {_label(phase.composition)}" for amount, phase in moles),
        product_ids=tuple(str(phase.name) for _, phase in moles),
        product_fractions=tuple(float(amount) for amount, _ in moles),
    )


def _label(composition: Any) -> str:
    """Reduced formula of a phase; of an element its symbol, as amounts count atoms (pymatgen writes Cl2)."""
    return str(composition.elements[0]) if composition.is_element else str(composition.reduced_formula)
