"""The decomposition energy of a composition with an energy, against the hull of the reference entries."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chggen.crystals import parse_formula
from chggen.errors import InputError
from chggen.potential import DEFAULT_LEVEL
from chggen.stability.doubts import doubts
from chggen.stability.joined_references import references_of
from chggen.stability.known_system import KnownSystem, known_system, lowest_mixture
from chggen.stability.reaction import Product, phase_label, reaction_text
from chggen.stability.references import References


@dataclass(frozen=True, kw_only=True)
class HullPosition:
    """Where an energy stands against the hull of all reference entries at its level of theory.

    Attributes:
        formula: The formula as it was given.
        level: Level of theory of the energy and of the hull.
        energy_per_atom: The energy in eV/atom.
        e_decomposition: Decomposition energy in eV/atom. It is signed: below zero where the energy breaks the hull.
            None where it cannot be computed; `reason` then says why.
        products: The decomposition into phases of the hull, as a balanced reaction of one formula unit, such as
            `ZnP2S6 -> P2S5 + ZnS`. Amounts are formula units, elements count by the atom. Phases that were not relaxed
            with the potential are marked `(static)`.
        product_ids: Ids of the products, in the same order.
        product_fractions: Atom fractions of the products, in the same order: the share of all atoms that is in each of
            them. They add up to 1.
        static_products: Ids of those products whose structures were not relaxed with the potential. Their energies are
            too high.
        static_excess: How much too high a static energy typically is, in eV/atom: the median over the references. None
            where it is not known or no product is static.
        warning: What makes the decomposition energy doubtful, with the remedy. None where nothing does.
        reason: Why there is no decomposition energy.
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
    warning: str | None = None
    reason: str | None = None

    @property
    def e_hull(self) -> float | None:
        """Energy above the hull in eV/atom: the decomposition energy, or 0 where that is below zero."""
        return None if self.e_decomposition is None else max(0.0, self.e_decomposition)


def hull(
    formula: str,
    energy_per_atom: float,
    *,
    level: str = DEFAULT_LEVEL,
    without: Sequence[str] = (),
    references: References | str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
) -> HullPosition:
    """Return the decomposition energy of a formula with an energy, relative to the hull of the reference entries.

    The energy is never added to the hull. A known stable phase that is found again therefore comes out near zero. If it
    is left out by `without`, its decomposition enthalpy comes out.

    Args:
        formula: Chemical formula, such as `ZnP2S6`.
        energy_per_atom: Energy in eV/atom. It must have been computed at the same level of theory as the references.
        level: Level of theory, such as `pbe` or `r2scan`.
        without: Ids of reference entries to leave out of the hull.
        references: A table of reference entries, one or more files of them (`shipped` stands for the shipped table), or
            None for the shipped table.

    Returns:
        The decomposition energy and the phases of the hull. If the references do not reach, or the energy is not a
        finite number, the result has a `reason` instead.

    Raises:
        InputError: The formula cannot be read, the references have no such level, an id in `without` is unknown, or a
            file is not a table of references.

    Example:
        >>> position = hull("ZnP2S6", -4.61, level="pbe")
        >>> position.e_decomposition, position.products
    """
    species = parse_formula(formula)
    table = table_of(references)
    table.column(level)
    left_out = frozenset([without] if isinstance(without, str) else without)
    unknown = table.unknown_ids(sorted(left_out))
    if unknown:
        raise InputError(f"no reference entry with id {', '.join(unknown)} to leave out of the hull; check the ids")
    if not isinstance(energy_per_atom, (int, float, np.number)) or not math.isfinite(energy_per_atom):
        blank = HullPosition(formula=formula, level=level, energy_per_atom=math.nan)
        return replace(blank, reason=f"the energy per atom is {energy_per_atom}, not a number")
    blank = HullPosition(formula=formula, level=level, energy_per_atom=float(energy_per_atom))
    system, reason = known_system(table, tuple(sorted(species)), level, left_out)
    if system is None:
        return replace(blank, reason=reason)
    known = system.holds(species) or bool(left_out and table.same_formula(formula, level))
    placed = _placed(blank, system, species, known, _without_energy(table, system, species, left_out), table)
    excess = float(table.drops[table.column(level)])
    return replace(placed, static_excess=excess if placed.static_products and math.isfinite(excess) else None)


def _without_energy(
    table: References, system: KnownSystem, species: Mapping[str, int], left_out: frozenset[str]
) -> list[str]:
    """Return the phases that a composition decomposes into at the default level and that a system has no energy of."""
    if DEFAULT_LEVEL not in table.levels:
        return []
    whole, _ = known_system(table, system.elements, DEFAULT_LEVEL, left_out)
    if whole is None:
        return []
    amounts, _ = lowest_mixture(whole, tuple(sorted(species.items())))
    lacking = [whole.formulas[k] for k in np.flatnonzero(amounts) if not system.holds(whole.formulas[k])]
    return [phase_label(counts) for counts in lacking]


def table_of(references: References | str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None) -> References:
    """Return a table of reference entries that is given in any way.

    Args:
        references: As for `hull`.

    Raises:
        InputError: A file is not a table of references.
    """
    if isinstance(references, References):
        return references
    if references is None:
        return References.load()
    several = [references] if isinstance(references, (str, os.PathLike)) else references
    return references_of([os.fspath(name) for name in several])


def _placed(
    blank: HullPosition,
    system: KnownSystem,
    species: dict[str, int],
    known: bool,
    lacking: Sequence[str],
    table: References,
) -> HullPosition:
    """Return the position with decomposition energy, products and doubts filled in, see `doubts`."""
    amounts, energy = lowest_mixture(system, tuple(sorted(species.items())))
    products = [
        Product(phase=system.phases[k], counts=system.formulas[k], atom_fraction=float(amounts[k] / amounts.sum()))
        for k in np.flatnonzero(amounts)
    ]
    products.sort(key=lambda product: (-round(product.atom_fraction, 6), product.phase.id))
    e_decomposition = round(float(blank.energy_per_atom - energy), 9) + 0.0  # no -0
    return replace(
        blank,
        e_decomposition=e_decomposition,
        products=reaction_text(blank.formula, products),
        product_ids=tuple(product.phase.id for product in products),
        product_fractions=tuple(product.atom_fraction for product in products),
        static_products=tuple(product.phase.id for product in products if not product.phase.relaxed),
        warning=doubts(
            blank.formula,
            known,
            e_decomposition,
            products,
            system.compounds,
            blank.level,
            lacking,
            table.all_alike(blank.level),
        ),
    )
