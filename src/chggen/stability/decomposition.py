"""Where a composition and an energy stand against the hull of the reference entries."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, TypeVar

import numpy as np

from chggen.crystals import parse_formula, reduced
from chggen.errors import InputError
from chggen.stability.references import ReferenceEntry, References, references_of

CAVEAT: Final = "CHGNet errs by about 0.03 eV/atom, and by more, towards too low, where E_d is high"
_Key = TypeVar("_Key")
_TRACE: Final = 1e-9  # atom fraction; less is rounding of the solver


@dataclass(frozen=True, kw_only=True)
class HullPosition:
    """An energy against the hull of all reference entries at its level of theory; energies in eV/atom.

    e_decomposition is signed: below zero where the hull is broken, None where there is no number, and then reason
    says why. products are the phases of the hull at this composition by mole fraction of their reduced formulas
    ("0.50 ZnS + 0.50 P2S5"), product_ids and product_fractions the same in order. static_products are those of the ids
    whose structures were not relaxed with the potential, marked "(static)" among the products; their energies are too
    high by static_excess or so (eV/atom, median over the references; None when unknown).
    """

    formula: str
    level: str
    energy_per_atom: float
    e_decomposition: float | None = None
    products: str = ""
    product_ids: tuple[str, ...] = ()
    product_fractions: tuple[float, ...] = ()
    static_products: tuple[str, ...] = ()
    static_excess: float | None = None
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
    references: References | str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
) -> HullPosition:
    """Decomposition energy of a formula with an energy (eV/atom), relative to the hull of the reference entries.

    The candidate itself is never added, so a known stable phase found again comes out near zero; `without` leaves
    reference ids out, which gives the decomposition enthalpy of one of them. references: a table, files of them (and
    `shipped`), or None for the shipped one. Energy and references must share the level of theory. Raises InputError for
    an unreadable formula, an unknown level and an unknown id in `without`; missing references and an energy that is no
    number are recorded as the reason.
    """
    species = parse_formula(formula)
    table = references if isinstance(references, References) else _table(references)
    table.column(level)
    left_out = frozenset([without] if isinstance(without, str) else without)
    unknown = table.unknown_ids(sorted(left_out))
    if unknown:
        raise InputError(f"no reference entry with id {', '.join(unknown)} to leave out of the hull; check the ids")
    if not isinstance(energy_per_atom, (int, float, np.number)) or not math.isfinite(energy_per_atom):
        blank = HullPosition(formula=formula, level=level, energy_per_atom=math.nan)
        return replace(blank, reason=f"the energy per atom is {energy_per_atom}, not a number")
    blank = HullPosition(formula=formula, level=level, energy_per_atom=float(energy_per_atom))
    system, reason = _cached_system(table, tuple(sorted(species)), level, left_out)
    if system is None:
        return replace(blank, reason=reason)
    placed = _placed(blank, system, species)
    excess = float(table.drops[table.column(level)])
    return replace(placed, static_excess=excess if placed.static_products and math.isfinite(excess) else None)


def _table(names: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None) -> References:
    if names is None:
        return References.load()
    several = [names] if isinstance(names, (str, os.PathLike)) else names
    return references_of([os.fspath(name) for name in several])


@dataclass(frozen=True, kw_only=True, eq=False)
class _System:
    """The phases of a chemical system that can lie on its hull: of each formula the one of the lowest energy.

    fractions (elements, phases) of atoms, energies (phases) in eV/atom.
    """

    elements: tuple[str, ...]
    phases: tuple[ReferenceEntry, ...]
    fractions: np.ndarray
    energies: np.ndarray

    def lowest(self, species: Mapping[str, int]) -> tuple[np.ndarray, float]:
        """Atom fraction of each phase in the mixture of lowest energy with this composition, and its eV/atom.

        The hull of the energies at a composition is the least energy of a mixture, a linear programme: it takes
        milliseconds where the whole hull of eight elements takes many seconds. A basic solution has no more phases
        than there are elements.
        """
        from scipy.optimize import linprog

        if len(self.elements) == 1:
            return np.ones(1), float(self.energies[0])
        counts = np.array([species.get(symbol, 0) for symbol in self.elements], float)
        answer = linprog(self.energies, A_eq=self.fractions, b_eq=counts / counts.sum(), method="highs-ds")
        if not answer.success:
            raise RuntimeError(f"no hull energy of {dict(species)}: {answer.message}")
        return np.where(answer.x > _TRACE, answer.x, 0.0), float(answer.fun)


@lru_cache(maxsize=64)
def _cached_system(
    table: References, elements: tuple[str, ...], level: str, without: frozenset[str]
) -> tuple[_System | None, str | None]:
    return _system(table, elements, level, without)


def _system(
    table: References, elements: tuple[str, ...], level: str, without: frozenset[str]
) -> tuple[_System | None, str | None]:
    """The system's phases, or None and the reason there is no hull."""
    if table.reason is not None:
        return None, table.reason
    if not np.isfinite(table.energies[:, table.column(level)]).any():
        others = " and ".join(x for k, x in enumerate(table.levels) if np.isfinite(table.energies[:, k]).any())
        return None, f"no {level} reference energies, only {others} ones, and different levels cannot be compared"
    lowest = lowest_of_each(entry for entry in table.system(elements, level) if entry.id not in without)
    missing = [symbol for symbol in elements if ((symbol, 1),) not in lowest]
    if missing:
        return None, f"no {level} reference energy for the element{'s' * (len(missing) > 1)} {', '.join(missing)}"
    counts = np.array([[dict(formula).get(symbol, 0) for formula in lowest] for symbol in elements], float)
    phases = tuple(lowest.values())
    energies = np.array([entry.energy_per_atom for entry in phases])
    return _System(elements=elements, phases=phases, fractions=counts / counts.sum(axis=0), energies=energies), None


def lowest_of_each(entries: Iterable[ReferenceEntry]) -> dict[tuple[tuple[str, int], ...], ReferenceEntry]:
    """Reduced formula → its entry of lowest energy, of equals the first."""
    written: dict[str, ReferenceEntry] = {}  # by formula as written: reading thousands of formulas is what takes time
    for entry in entries:
        _keep_lower(written, entry.formula, entry)
    lowest: dict[tuple[tuple[str, int], ...], ReferenceEntry] = {}
    for text, entry in written.items():
        _keep_lower(lowest, tuple(sorted(reduced(parse_formula(text)).items())), entry)
    return lowest


def _keep_lower(found: dict[_Key, ReferenceEntry], key: _Key, entry: ReferenceEntry) -> None:
    if key not in found or entry.energy_per_atom < found[key].energy_per_atom:
        found[key] = entry


def _placed(blank: HullPosition, system: _System, species: dict[str, int]) -> HullPosition:
    amounts, energy = system.lowest(species)
    moles = []
    for k in np.flatnonzero(amounts):
        counts = reduced(parse_formula(system.phases[k].formula))
        moles.append((float(amounts[k]) / sum(counts.values()), system.phases[k], counts))
    total = sum(amount for amount, *_ in moles)
    moles = sorted(
        ((amount / total, phase, counts) for amount, phase, counts in moles),
        key=lambda one: (-round(one[0], 6), one[1].id),
    )
    return replace(
        blank,
        e_decomposition=round(float(blank.energy_per_atom - energy), 9) + 0.0,  # no -0
        products=" + ".join(
            f"{amount:.2f} {phase_label(counts)}{'' if phase.relaxed else ' (static)'}"
            for amount, phase, counts in moles
        ),
        product_ids=tuple(phase.id for _, phase, _ in moles),
        product_fractions=tuple(amount for amount, *_ in moles),
        static_products=tuple(phase.id for _, phase, _ in moles if not phase.relaxed),
    )


def phase_label(counts: Mapping[str, int]) -> str:
    """Reduced formula of a phase as chemists write it; of an element its symbol, as amounts count atoms."""
    if len(counts) == 1:
        return next(iter(counts))
    from pymatgen.core.composition import Composition

    return str(Composition(counts).reduced_formula)
