"""Boltzmann weights of orderings at a temperature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float

_BOLTZMANN: Final = 8.617333262e-5  # eV/K, CODATA 2018
_COLDEST, _HOTTEST = 1.0, 1e5  # K between which the temperature of half the weight is looked for
_HALF: Final = 0.5
_COUNTS: Final = 1e-3  # weight from which an ordering's cell counts


def boltzmann_weights(
    energies: Sequence[float], ways: Sequence[int], atoms: int, temperature: float
) -> Float[np.ndarray, "orderings"]:
    """Return the share of each ordering in equilibrium.

    w ∝ ways · exp(−N E / kT), for a block of N atoms that is one of the orderings as a whole.

    Args:
        energies: Energies, eV/atom.
        ways: In how many ways each ordering may lie in the average crystal.
        atoms: Number N of atoms of the block.
        temperature: Temperature, K.

    Returns:
        The weights, which sum to 1, of shape (orderings,).
    """
    exponent = np.log(np.asarray(ways, dtype=float)) - atoms * np.asarray(energies) / (_BOLTZMANN * temperature)
    weights = np.exp(exponent - exponent.max())
    return np.asarray(weights / weights.sum())


def block_size(energies: Sequence[float], ways: Sequence[int], atoms: Sequence[int], temperature: float) -> int:
    """Return how many atoms order as a whole: those of the smallest cell that holds each ordering that has weight.

    Orderings of less than a thousandth of the weight do not count, so that a high one with a cell of its own does not
    make the block larger.

    Args:
        energies: Energies, eV/atom.
        ways: In how many ways each ordering may lie in the average crystal.
        atoms: Number of atoms of the primitive cell of each.
        temperature: Temperature, K.
    """
    weights = boltzmann_weights(energies, ways, math.lcm(*atoms), temperature)
    return math.lcm(*(n for n, weight in zip(atoms, weights.tolist(), strict=True) if weight >= _COUNTS))


def half_temperature(energies: Sequence[float], ways: Sequence[int], atoms: int) -> float | None:
    """Return the temperature at which the lowest ordering falls below half of the weight, K.

    Args:
        energies: Energies, eV/atom.
        ways: In how many ways each ordering may lie in the average crystal.
        atoms: Number of atoms of the block.

    Returns:
        The temperature; 0 where it has less than half at 1 K already, and None where it never falls so low.
    """
    lowest = int(np.argmin(energies))

    def share(temperature: float) -> float:
        return float(boltzmann_weights(energies, ways, atoms, temperature)[lowest])

    low, high = _COLDEST, _HOTTEST
    if share(low) < _HALF:
        return 0.0
    if share(high) >= _HALF:
        return None
    while high / low > 1 + 1e-6:  # the share falls with temperature, since all others lie higher
        middle = (low * high) ** 0.5
        low, high = (low, middle) if share(middle) < _HALF else (middle, high)
    return low
