"""Voltages of insertion electrodes: the lower hull of the energies over the content of the working ion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

# Charge of the ion that carries it, by which the voltage is divided. Elements are those that electrodes are made for.
VALENCES: Final = {
    **dict.fromkeys(("H", "Li", "Na", "K", "Rb", "Cs", "Ag", "Cu", "F", "Cl", "Br", "I"), 1),
    **dict.fromkeys(("Mg", "Ca", "Sr", "Ba", "Zn", "O", "S"), 2),
    **dict.fromkeys(("Al", "Y", "La"), 3),
}
ANIONS: Final = frozenset(("F", "Cl", "Br", "I", "O", "S"))
"""Ions whose insertion oxidises the framework instead of reducing it."""


@dataclass(frozen=True, kw_only=True)
class VoltageStep:
    """A plateau of a voltage curve: two contents on the hull between which the two phases coexist.

    Attributes:
        low: Lower content, ions per formula unit of the framework.
        high: Higher content.
        voltage: Voltage against the element of the ion, V.
    """

    low: float
    high: float
    voltage: float


def mixing_energies(energies: Mapping[float, float]) -> dict[float, float]:
    """Return energies relative to a mixture of the lowest and the highest content.

    Args:
        energies: Content, ions per formula unit of the framework, to energy, eV per formula unit.

    Returns:
        Content to energy of mixing, eV per formula unit: below zero where the content is more stable than the mixture.
    """
    contents = sorted(energies)
    if len(contents) < 2:
        return dict.fromkeys(contents, 0.0)
    first, last = contents[0], contents[-1]
    slope = (energies[last] - energies[first]) / (last - first)
    return {x: energies[x] - energies[first] - slope * (x - first) for x in contents}


def on_hull(energies: Mapping[float, float]) -> list[float]:
    """Return the contents on the lower convex hull of the energies, both ends included, in rising order.

    Args:
        energies: Content to energy, eV per formula unit of the framework.
    """
    hull: list[float] = []
    for x in sorted(energies):
        while len(hull) > 1 and _slope(energies, hull[-2], hull[-1]) >= _slope(energies, hull[-1], x):
            hull.pop()
        hull.append(x)
    return hull


def height_above(energies: Mapping[float, float], content: float) -> float:
    """Return how far the energy of a content lies above the hull of all, eV per formula unit of the framework.

    Args:
        energies: Content to energy, eV per formula unit of the framework.
        content: One of the contents.
    """
    hull = on_hull(energies)
    low = max(x for x in hull if x <= content)
    high = min(x for x in hull if x >= content)
    if low == high:
        return energies[content] - energies[low]
    return energies[content] - energies[low] - _slope(energies, low, high) * (content - low)


def voltage_steps(energies: Mapping[float, float], element: float, valence: int) -> tuple[VoltageStep, ...]:
    """Return the plateaus of the voltage curve, by rising content.

    V = −[E(x₂) − E(x₁) − (x₂ − x₁) E(element)] / ((x₂ − x₁) z) for neighbours x₁ < x₂ on the hull.

    Args:
        energies: Content, ions per formula unit of the framework, to energy, eV per formula unit; all at one level.
        element: Energy of the ion's element, eV/atom, at the same level.
        valence: Charge of the ion, z, without a sign.

    Returns:
        The steps; none for fewer than two contents.
    """
    hull = on_hull(energies)
    return tuple(
        VoltageStep(low=low, high=high, voltage=voltage_between(energies, low, high, element, valence))
        for low, high in pairwise(hull)
    )


def voltage_between(energies: Mapping[float, float], low: float, high: float, element: float, valence: int) -> float:
    """Return the average voltage between two contents, V.

    Args:
        energies: Content to energy, eV per formula unit of the framework.
        low: The lower content.
        high: The higher one.
        element: Energy of the ion's element, eV/atom.
        valence: Charge of the ion, without a sign.
    """
    return (element - _slope(energies, low, high)) / valence


def _slope(energies: Mapping[float, float], low: float, high: float) -> float:
    return (energies[high] - energies[low]) / (high - low)
