"""Energies of orderings before any relaxation: of point charges, for thousands of them, and of a potential."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from chggen.crystals import from_structures
from chggen.generation.disorder import VACANT
from chggen.generation.ordering_sites import OrderingSites
from chggen.potential import Potential, energies_of

_AT_ONCE: Final = 2000  # orderings of point charges
_TOLD: Final = 64  # orderings of a potential, after which it is told how many there are

Energies = Callable[[Int[np.ndarray, "orderings sites"]], Float[np.ndarray, "orderings"]]
"""Returns the energy of each ordering, eV for the cell; infinite where there is none."""


def of_charges(sites: OrderingSites, states: Mapping[str, float]) -> Energies | None:
    """Return the energies of point charges on the sites, by Ewald's sum; None without oxidation states.

    Args:
        sites: The sites.
        states: Element symbol to oxidation state.
    """
    if not states or any(s not in states for s in sites.species if s != VACANT):
        return None
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.core import Lattice, Species, Structure

    every = Structure(Lattice(sites.lattice), [Species("H", 1)] * len(sites.frac), sites.frac)
    matrix = np.asarray(EwaldSummation(every).total_energy_matrix)
    charge = np.array([0.0 if s == VACANT else states[s] for s in sites.species])

    def energies(orderings: np.ndarray) -> np.ndarray:
        parts = [charge[orderings[k : k + _AT_ONCE]] for k in range(0, len(orderings), _AT_ONCE)]
        return np.concatenate([np.einsum("oi,ij,oj->o", q, matrix, q, optimize=True) for q in parts])

    return energies


def of_potential(sites: OrderingSites, potential: Potential, told: Callable[[int], None] = lambda n: None) -> Energies:
    """Return the energies of a potential.

    Args:
        sites: The sites.
        potential: The potential.
        told: Called with a number of orderings each time that the energies of so many are there.
    """

    def some(orderings: np.ndarray) -> np.ndarray:
        found = energies_of(potential, from_structures([sites.structure(held) for held in orderings])).energy
        told(len(orderings))
        return np.asarray(found.nan_to_num(nan=math.inf).cpu().numpy())

    def energies(orderings: np.ndarray) -> np.ndarray:
        parts = [some(orderings[k : k + _TOLD]) for k in range(0, len(orderings), _TOLD)]
        return np.concatenate(parts) if parts else np.zeros(0)

    return energies
