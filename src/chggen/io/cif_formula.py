"""The formula that a CIF states, held against the atoms that it lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from chggen.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Composition

_OFF: Final = 0.02  # relative; amounts that differ by less agree
_OFF_PARTIAL: Final = 0.15  # the same for partially occupied sites, whose occupancies are refined and rounded


def stated_formula(text: str | None) -> Composition | None:
    """Return the formula that a CIF states, deuterium and tritium as hydrogen.

    Args:
        text: Value of `_chemical_formula_sum`; None where there is none.

    Returns:
        The composition, or None where the text is no formula.
    """
    from pymatgen.core import Composition

    if text is None or not re.search("[A-Z]", text) or re.search(r"[?,;xyzn]\b", text):
        return None
    try:
        return _plain(Composition(re.sub(r"\s+", "", text)))
    except Exception:  # whatever a text leads to: it states no formula
        return None


def agrees(stated: Composition, listed: Composition, ordered: bool) -> bool:
    """Return whether a stated formula and the atoms of the cell have the same proportions.

    Args:
        stated: The formula that the file states.
        listed: What its sites amount to.
        ordered: Whether every site is fully occupied.
    """
    listed = _plain(listed)
    if set(stated) != set(listed):
        return False
    off = _OFF if ordered else _OFF_PARTIAL
    return all(
        abs(stated.get_atomic_fraction(e) - listed.get_atomic_fraction(e)) <= off * stated.get_atomic_fraction(e)
        for e in stated
    )


def check_formula(stated: Composition | None, listed: Composition, ordered: bool, where: str) -> None:
    """Check that the atoms of the cell are those of the stated formula.

    Args:
        stated: The formula that the file states, or None.
        listed: What its sites amount to.
        ordered: Whether every site is fully occupied.
        where: What the file is called in messages.

    Raises:
        InputError: They differ. Elements without a site, such as hydrogen that was not located, are named.
    """
    if stated is None or agrees(stated, listed, ordered):
        return
    given = re.sub(r"(?<=[A-Za-z])1(?= |$)", "", stated.formula).replace(" ", "")
    if missing := [e.symbol for e in stated if e not in _plain(listed)]:
        raise InputError(
            f"{where} lists no {' and '.join(missing)} although its formula is {given}; add these atoms, or correct "
            "_chemical_formula_sum"
        )
    raise InputError(
        f"{where} amounts to {_plain(listed).reduced_formula} although its formula is {given}; check its space group "
        "and sites, or correct _chemical_formula_sum"
    )


def _plain(composition: Composition) -> Composition:
    """Return a composition of elements, isotopes and ions as what they are."""
    from pymatgen.core import Composition, Element

    found: dict[Element, float] = {}
    for specie, amount in composition.items():
        element = Element.from_Z(specie.Z)
        found[element] = found.get(element, 0.0) + amount
    return Composition(found)
