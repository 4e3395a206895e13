"""The decomposition reaction of a composition: which phases of the hull it falls apart into, and how much of each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chggen.crystals import parse_formula, reduced
from chggen.stability.reference_entry import ReferenceEntry

_DIGITS: Final = 4  # after the decimal point of an amount
_ONE: Final = re.compile(r"[A-Za-z]1(?!\d)")
ARROW: Final = " -> "
"""What stands between the composition and its products."""
STATIC: Final = "(static)"
"""What stands behind a product that was not relaxed with the potential."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """A phase of the hull that a composition decomposes into.

    Attributes:
        phase: The reference entry.
        counts: Its reduced formula, element symbol to count.
        atom_fraction: The share of the composition's atoms that is in this phase.
    """

    phase: ReferenceEntry
    counts: Mapping[str, int]
    atom_fraction: float

    @property
    def label(self) -> str:
        """Its formula as chemists write it."""
        return phase_label(self.counts)


def reaction_text(formula: str, products: Sequence[Product]) -> str:
    """Return the decomposition as a balanced reaction.

    Args:
        formula: The composition.
        products: The phases that it decomposes into.

    Returns:
        One reduced formula unit of the composition on the left, formula units of the products on the right, such as
        `ZnP2S6 -> P2S5 + ZnS`. An amount of one is not written. Elements count by the atom. Phases that were not
        relaxed with the potential are marked `(static)`.
    """
    asked, name = reduced(parse_formula(formula)), reduced_label(formula)
    n_atoms = sum(asked.values())
    terms = [
        f"{_amount(product.atom_fraction * n_atoms / sum(product.counts.values()))}"
        f"{name if product.counts == asked else product.label}"
        f"{'' if product.phase.relaxed else ' ' + STATIC}"
        for product in products
    ]
    return name + ARROW + " + ".join(terms)


def _amount(amount: float) -> str:
    """Return an amount with a space behind it, nothing for one."""
    text = f"{amount:.{_DIGITS}f}".rstrip("0").rstrip(".")
    if not float(text):
        text = f"{amount:.1g}"
    return "" if text == "1" else f"{text} "


def reduced_label(formula: str) -> str:
    """Return the reduced formula of a composition, as it was written where it was written reduced.

    Args:
        formula: The composition.

    Returns:
        The formula. Programs write counts of one, as in `Mg1H3`; such a formula is written anew.
    """
    counts = parse_formula(formula)
    same = reduced(counts) == {symbol: counts[symbol] for symbol in sorted(counts)}
    return formula.strip() if same and not _ONE.search(formula) else phase_label(reduced(counts))


def phase_label(counts: Mapping[str, int]) -> str:
    """Return the formula of a phase as chemists write it.

    Args:
        counts: Element symbol to count of the reduced formula.

    Returns:
        The formula, such as `Li2O`. An element is named by its symbol alone, as its amounts count atoms: `O`, not `O2`.
    """
    if len(counts) == 1:
        return next(iter(counts))
    from pymatgen.core.composition import Composition

    return str(Composition(counts).reduced_formula)
