"""Doubts about a decomposition energy: what makes a place on the hull less sure than its number looks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from chggen.crystals import parse_formula, reduced
from chggen.potential import DEFAULT_LEVEL, potential_of
from chggen.stability.reaction import Product, reduced_label

LOWEST_E_D: Final = -0.05
"""Decomposition energy in eV/atom below which a hole in the hull is likelier than a discovery."""
_HIGHEST_E_D: Final = 1.0  # eV/atom; a relaxed structure that lies higher was mostly given a wrong energy
_BETWEEN: Final = "; "
_MOST_LETTERS: Final = 40  # of a formula
_MOST_NAMED: Final = 3  # products that one doubt names


def doubts(
    formula: str,
    known: bool,
    e_decomposition: float,
    products: Sequence[Product],
    compounds: Collection[frozenset[str]],
    level: str,
    lacking: Sequence[str] = (),
    all_alike: bool = False,
) -> str | None:
    """Return what is doubtful about a decomposition energy, with the remedy.

    - No known phase has the composition, so nothing near it was ever compared.
    - The energy lies far from the hull: a phase is missing, or the energy is of another kind.
    - A compound decomposes into an element, or into a phase at the edge of what is known: one that was not relaxed with
      the potential, or the only known compound of its elements. Phases between it and the composition may be missing.
    - A phase that it decomposes into at the default level has no energy at this one.

    Args:
        formula: The composition that is placed.
        known: Whether a reference entry has this composition.
        e_decomposition: Its decomposition energy in eV/atom.
        products: Phases that it decomposes into.
        compounds: The set of elements of each known composition in the chemical system.
        level: Level of theory of the energies.
        lacking: Formulas that it decomposes into at the default level and that have no energy at this one.
        all_alike: Whether known phases at this level were not relaxed, all alike, and would hardly fall, see
            `References.all_alike`. Then it is no doubt about one of them.

    Returns:
        A sentence; None where nothing is doubtful.
    """
    asked = reduced(parse_formula(formula))
    found = []
    if not known:
        found.append(f"no known phase of {reduced_label(formula):.{_MOST_LETTERS}}")
    if e_decomposition < LOWEST_E_D:
        found.append(f"E_d below {LOWEST_E_D:g} eV/atom (phase missing, or energy not per atom at level {level}?)")
    others = [product for product in products if product.counts != asked]
    if len(asked) > 1:
        found += _told(others, "an element", lambda product: len(product.counts) == 1)
    if not all_alike:
        found += _told(products, "not relaxed", lambda product: not product.phase.relaxed)
    if lacking:
        names = ", ".join(lacking[:_MOST_NAMED])
        found.append(f"{names} on the hull at level {DEFAULT_LEVEL} but without an energy at this one")
    sets = list(compounds)
    found += _told(
        others,
        "the only known compound of its elements",
        lambda product: len(product.counts) > 1 and sets.count(frozenset(product.counts)) == 1,
    )
    if found:
        found.append(_remedy(asked, level))
    if e_decomposition > _HIGHEST_E_D:
        found.append(f"E_d above {_HIGHEST_E_D:g} eV/atom (is the energy per atom, at level {level}?)")
    return _BETWEEN.join(found) or None


def joined_doubts(first: str | None, further: str | None, level: str) -> str | None:
    """Return the doubts about one structure at two levels of theory, those that both share once.

    Args:
        first: Doubts at the first level; None for none.
        further: Doubts at the further level; None for none.
        level: Name of the further level.
    """
    said = first.split(_BETWEEN) if first else []
    new = [doubt for doubt in further.split(_BETWEEN) if doubt not in said] if further else []
    if not new:
        return first
    return _BETWEEN.join([*said, f"at level {level}: {new[0]}", *new[1:]])


def without_levels(doubts: str | None, levels: Iterable[str]) -> str | None:
    """Return doubts without those that `joined_doubts` has added for some levels.

    Args:
        doubts: The doubts; None for none.
        levels: Names of the levels.
    """
    for level in levels:
        if doubts is not None:
            doubts = doubts.partition(f"at level {level}: ")[0].removesuffix(_BETWEEN) or None
    return doubts


def _told(products: Sequence[Product], what: str, holds: Callable[[Product], bool]) -> list[str]:
    """Return the doubt about those products of which something holds; none where it holds of none."""
    names = [product.label for product in products if holds(product)]
    if not names:
        return []
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return [f"product {', '.join(names[:_MOST_NAMED])}{more}: {what}"]


def _remedy(asked: Mapping[str, int], level: str) -> str:
    """Return how to add the phases that may be missing."""
    if potential_of(level) is None:  # computed entries, of which the user has more
        return "add phases by `chggen references import`"
    return f"add phases by `chggen references fetch {'-'.join(asked)}`, then `chggen references build`"
