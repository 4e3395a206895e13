"""Oxidation states of a composition whose amounts need not be whole numbers, mixed valence included."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

_NEUTRAL: Final = 0.02  # charge for each atom up to which amounts with rounded digits count as balanced
_NEARLY: Final = 0.1  # up to which whole states of a composition that nothing balances are taken
_MIXED: Final = 0.25  # for each atom, by which whole states may be less common than mixed ones and still be taken
_WHOLE: Final = 1e-4  # by which an average may miss a whole number


def oxidation_states(amounts: Mapping[str, float]) -> dict[str, float]:
    """Return the commonest oxidation states that balance a composition.

    The states that an element may have are pymatgen's, and how common they are is how often they occur in the ICSD. Two
    searches, both linear programs, make the product of the probabilities of all atoms greatest:

    - one state for each element, with a charge of at most 0.02 for each atom, as amounts have few digits;
    - mixtures of states for metals, with no charge at all. One element has a mixture, such as manganese in LiMn2O4;
      more of them would be less common.

    The first is taken unless its states are much less common (La3+ with Mn3+ and Mn4+ in La0.7Sr0.3MnO3, rather than
    La2+ with Mn4+). Where neither exists, as of refinements that miss some lithium, the commonest whole states that
    leave a charge of at most 0.1 for each atom are taken.

    Args:
        amounts: Element symbol to number of atoms, whole or not.

    Returns:
        Element symbol to its state, for a mixture the average; none where no states come near to balance. An element
        alone has state 0.
    """
    if len(amounts) < 2:
        return dict.fromkeys(amounts, 0.0)
    total = sum(amounts.values())
    whole = _commonest(amounts, _NEUTRAL * total, mixed=False)
    mixed = _commonest(amounts, 0.0, mixed=True)
    if whole is not None and (mixed is None or whole[1] <= mixed[1] + _MIXED * total):
        return whole[0]
    found = mixed or _commonest(amounts, _NEARLY * total, mixed=False)
    return {} if found is None else found[0]


def _commonest(amounts: Mapping[str, float], most: float, *, mixed: bool) -> tuple[dict[str, float], float] | None:
    """Return the commonest states with a charge of at most so much, and how rare they are; None for none.

    mixed: Whether a metal may have several states.
    """
    from pymatgen.core import Element
    from scipy.optimize import Bounds, LinearConstraint, milp

    symbols = list(amounts)
    rarities = [_rarities(symbol) for symbol in symbols]
    owner = np.array([k for k, own in enumerate(rarities) for _ in own])
    states = np.array([state for own in rarities for state in own], dtype=float)
    atoms = np.array([amounts[symbols[k]] for k in owner])
    cost = atoms * np.array([rarity for own in rarities for rarity in own.values()])
    shares = LinearConstraint((owner == np.arange(len(symbols))[:, None]).astype(float), 1.0, 1.0)
    charge = LinearConstraint((atoms * states)[None], -most, most)
    # Nonmetals and metalloids do not mix: a few Si4- among Si4+ would balance anything.
    whole = np.array([not (mixed and Element(symbols[k]).is_metal) for k in owner])
    found = milp(cost, integrality=whole, bounds=Bounds(0, 1), constraints=[shares, charge])
    if found.x is None:
        return None
    average = np.bincount(owner, weights=found.x * states)
    near = np.round(average)
    average = np.where(np.abs(average - near) < _WHOLE, near, average)
    return dict(zip(symbols, average.tolist(), strict=True)), float(found.fun)


def _rarities(symbol: str) -> dict[int, float]:
    """Return the states of an element, with the negative logarithm of how often each occurs."""
    from pymatgen.analysis.bond_valence import PRIOR_PROB
    from pymatgen.core import Element, Species

    element = Element(symbol)
    states = element.icsd_oxidation_states or element.common_oxidation_states or element.oxidation_states or (0,)
    counts = {int(state): PRIOR_PROB.get(Species(symbol, state), 0) + 1 for state in states}
    total = sum(counts.values())
    return {state: -math.log(count / total) for state, count in counts.items()}
