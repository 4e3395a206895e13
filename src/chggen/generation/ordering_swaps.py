"""Replica exchange of swaps: low orderings among more than can be looked at (Swendsen & Wang, PRL 57, 2607, 1986)."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float, Int

from chggen.generation.ordering_energies import Energies
from chggen.generation.ordering_sites import OrderingSites

REPLICAS: Final = 8
"""Orderings that are swapped side by side; each sweep asks for the energy of one more of each."""
_TEMPERATURES: Final = np.geomspace(0.01, 0.5, REPLICAS)  # k T in units of the spread of energies of drawn orderings
_PROPOSALS: Final = 30  # of a swap, until one leaves atoms far enough apart
_EXCHANGES: Final = 4  # sweeps between exchanges of replicas


def swapped(
    sites: OrderingSites,
    start: Int[np.ndarray, "replicas sites"],
    energies: Energies,
    sweeps: int,
    spread: float,
    seed: int,
) -> tuple[Int[np.ndarray, "visited sites"], Float[np.ndarray, "visited"]]:
    """Return the orderings that swaps of two sites of a sublattice visit, and their energies.

    Args:
        sites: The sites.
        start: Where each replica begins, the lowest first.
        energies: What gives energies.
        sweeps: Swaps of each replica.
        spread: Standard deviation of the energies of drawn orderings, eV, by which temperatures are chosen.
        seed: Random seed.
    """
    rng = np.random.default_rng(seed)
    heat = max(spread, 1e-6) * _TEMPERATURES[: len(start)]
    now = start.copy()
    energy = energies(now)
    visited, values = [now.copy()], [energy.copy()]
    pools = [own for own, held in sites.pools() if len(np.unique(held)) > 1]
    weights = np.array([len(own) for own in pools], dtype=float)
    if not pools:
        return now, energy
    for sweep in range(sweeps):
        tried = np.array([_swap(sites, held, pools, weights / weights.sum(), rng) for held in now])
        new = energies(tried)
        with np.errstate(over="ignore", invalid="ignore"):
            accepted = rng.random(len(now)) < np.exp(-(new - energy) / heat)
        visited.append(tried)
        values.append(new)
        now[accepted], energy[accepted] = tried[accepted], new[accepted]
        if sweep % _EXCHANGES == _EXCHANGES - 1:
            _exchange(now, energy, heat, rng)
    return np.concatenate(visited), np.concatenate(values)


def _swap(
    sites: OrderingSites, held: np.ndarray, pools: list[np.ndarray], weights: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return an ordering with two sites of a sublattice swapped; itself where no swap leaves atoms apart."""
    for _ in range(_PROPOSALS):
        own = pools[int(rng.choice(len(pools), p=weights))]
        a, b = rng.choice(own, 2, replace=False)
        if held[a] == held[b]:
            continue
        other = held.copy()
        other[a], other[b] = held[b], held[a]
        if sites.fits(other[None])[0]:
            return other
    return held.copy()


def _exchange(now: np.ndarray, energy: np.ndarray, heat: np.ndarray, rng: np.random.Generator) -> None:
    """Exchange replicas at neighbouring temperatures, the higher of which has the lower energy most often."""
    for k in range(len(now) - 1):
        gain = (1 / heat[k] - 1 / heat[k + 1]) * (energy[k] - energy[k + 1])
        if rng.random() < np.exp(min(0.0, gain)):
            now[[k, k + 1]], energy[[k, k + 1]] = now[[k + 1, k]], energy[[k + 1, k]]
