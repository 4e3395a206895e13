"""The phases of a chemical system that can lie on its hull, and the lowest mixture of them at a composition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, TypeVar

import numpy as np

from chggen.crystals import parse_formula, reduced
from chggen.stability.reference_entry import ReferenceEntry
from chggen.stability.references import References

_Key = TypeVar("_Key")
_TRACE: Final = 1e-9  # atom fraction; smaller amounts are rounding errors of the solver


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownSystem:
    """The phases of a chemical system that can lie on its hull: the lowest one of each formula.

    Attributes:
        elements: Symbols of the elements.
        phases: The reference entries.
        formulas: Their reduced formulas, element symbol to count.
        fractions: Atom fractions, of shape (elements, phases).
        energies: Energies, of shape (phases,), in eV/atom.
    """

    elements: tuple[str, ...]
    phases: tuple[ReferenceEntry, ...]
    formulas: tuple[dict[str, int], ...]
    fractions: np.ndarray
    energies: np.ndarray

    def holds(self, species: Mapping[str, int]) -> bool:
        """Return whether a phase has this composition.

        Args:
            species: Element symbol to count.
        """
        return reduced(species) in self.formulas

    @cached_property
    def compounds(self) -> tuple[frozenset[str], ...]:
        """The set of elements of each known composition."""
        return tuple(frozenset(counts) for counts in self.formulas)

    def lowest(self, species: Mapping[str, int]) -> tuple[np.ndarray, float]:
        """Return the mixture of phases with the lowest energy at a composition.

        The hull energy at a composition is the lowest energy of any mixture, which is a linear programme. It takes
        milliseconds, where building the whole hull of eight elements takes many seconds. A basic solution has no more
        phases than there are elements.

        Args:
            species: Element symbol to count.

        Returns:
            The atom fraction that is in each phase, of shape (phases,), and the energy in eV/atom.

        Raises:
            RuntimeError: The solver found no solution.
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
def known_system(
    table: References, elements: tuple[str, ...], level: str, without: frozenset[str]
) -> tuple[KnownSystem | None, str | None]:
    """Return the phases of a chemical system that can lie on its hull. Candidates of one run ask again and again.

    Args:
        table: The reference entries.
        elements: Symbols of the elements.
        level: Level of theory.
        without: Ids of entries to leave out.

    Returns:
        The phases and None, or None and the reason why there is no hull.
    """
    return _known_system(table, elements, level, without)


@lru_cache(maxsize=1024)
def lowest_mixture(system: KnownSystem, counts: tuple[tuple[str, int], ...]) -> tuple[np.ndarray, float]:
    """Return the same as `KnownSystem.lowest`. Candidates of one run ask for one composition again and again.

    Args:
        system: The phases.
        counts: Pairs of element symbol and count, in alphabetical order.
    """
    return system.lowest(dict(counts))


def _known_system(
    table: References, elements: tuple[str, ...], level: str, without: frozenset[str]
) -> tuple[KnownSystem | None, str | None]:
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
    formulas = tuple(dict(formula) for formula in lowest)
    fractions = counts / counts.sum(axis=0)
    return KnownSystem(
        elements=elements, phases=phases, formulas=formulas, fractions=fractions, energies=energies
    ), None


def lowest_of_each(entries: Iterable[ReferenceEntry]) -> dict[tuple[tuple[str, int], ...], ReferenceEntry]:
    """Return the entry of lowest energy of each formula.

    Args:
        entries: Reference entries of one level of theory.

    Returns:
        Reduced formula, as pairs of symbol and count in alphabetical order, to the entry of lowest energy. Of entries
        of equal energy it is the first.
    """
    # First by the formula as it is written: reading the formulas of thousands of entries is what takes time.
    written: dict[str, ReferenceEntry] = {}
    for entry in entries:
        _keep_lower(written, entry.formula, entry)
    lowest: dict[tuple[tuple[str, int], ...], ReferenceEntry] = {}
    for text, entry in written.items():
        _keep_lower(lowest, tuple(sorted(reduced(parse_formula(text)).items())), entry)
    return lowest


def _keep_lower(found: dict[_Key, ReferenceEntry], key: _Key, entry: ReferenceEntry) -> None:
    """Put the entry under the key, unless one of lower or equal energy is there."""
    if key not in found or entry.energy_per_atom < found[key].energy_per_atom:
        found[key] = entry
