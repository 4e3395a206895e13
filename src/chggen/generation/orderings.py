"""Orderings of a disordered structure: all distinct ones where they are few, drawn ones where they are many."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from jaxtyping import Int

from chggen.errors import InputError
from chggen.generation.ordering_sites import OrderingSites

_ALL: Final = 20_000  # ways to fill the sites up to which all are looked at
_DRAWS: Final = 20  # draws of an ordering before sites count as too close together to be filled so often
_MOVES: Final = 2000  # of atoms that are too close together, in each draw


@dataclass(frozen=True)
class Ordering:
    """One of the distinct ways to fill the sites.

    Attributes:
        held: What each site holds, numbers of `OrderingSites.species`, of shape (sites,).
        ways: How many ways are the same crystal, by the symmetry of the average structure.
    """

    held: Int[np.ndarray, "sites"]
    ways: int


def count_of_ways(sites: OrderingSites) -> int:
    """Return how many ways there are to fill the sites, equal ones and those with clashes included.

    Args:
        sites: The sites and what they hold.
    """
    total = 1
    for own, held in sites.pools():
        total *= math.factorial(len(own))
        for number in np.unique(held, return_counts=True)[1].tolist():
            total //= math.factorial(number)
    return total


def can_be_listed(sites: OrderingSites) -> bool:
    """Return whether the ways to fill the sites are few enough to be looked at one by one.

    Args:
        sites: The sites and what they hold.
    """
    return count_of_ways(sites) <= _ALL


def all_orderings(sites: OrderingSites) -> list[Ordering] | None:
    """Return all distinct orderings, those that keep most symmetry first; None where there are too many ways.

    Args:
        sites: The sites and what they hold.

    Raises:
        InputError: No way leaves all atoms far enough apart.
    """
    if not can_be_listed(sites):
        return None
    every = np.array(list(_ways(sites)))
    every = every[sites.fits(every)]
    if not len(every):
        raise _too_close(sites)
    codes = _codes(sites, every)
    _, first, ways = np.unique(codes, return_index=True, return_counts=True)
    found = [Ordering(every[k], int(n)) for k, n in zip(first, ways, strict=True)]
    return sorted(found, key=lambda ordering: (ordering.ways, tuple(ordering.held.tolist())))


def drawn_orderings(sites: OrderingSites, n: int, seed: int) -> Int[np.ndarray, "orderings sites"]:
    """Return orderings drawn at random, without clashes.

    Args:
        sites: The sites and what they hold.
        n: How many.
        seed: Random seed.

    Raises:
        InputError: The sites lie too close together to be filled so often.
    """
    rng = np.random.default_rng(seed)
    return np.array([_drawn(sites, rng) for _ in range(n)])


def distinct(sites: OrderingSites, orderings: Int[np.ndarray, "orderings sites"]) -> Int[np.ndarray, "first"]:
    """Return the numbers of the orderings that no earlier one is the same crystal as.

    Args:
        sites: The sites and what they hold.
        orderings: Orderings, of shape (orderings, sites).
    """
    _, first = np.unique(_codes(sites, orderings), return_index=True)
    return np.sort(first)


def _ways(sites: OrderingSites) -> Iterator[np.ndarray]:
    """Yield all ways to fill the sublattices."""
    held = np.zeros(len(sites.frac), dtype=int)
    open_pools = []
    for own, species in sites.pools():
        held[own] = species
        if len(np.unique(species)) > 1:
            open_pools.append((own, [way.copy() for way in _arrangements(species)]))
    for ways in product(*(ways for _, ways in open_pools)):
        for (own, _), way in zip(open_pools, ways, strict=True):
            held[own] = way
        yield held.copy()


def _arrangements(species: np.ndarray) -> Iterator[np.ndarray]:
    """Yield all distinct orders of some numbers."""
    kinds, counts = np.unique(species, return_counts=True)
    left = counts.copy()
    order = np.empty(len(species), dtype=int)

    def fill(place: int) -> Iterator[np.ndarray]:
        if place == len(species):
            yield order
            return
        for k, kind in enumerate(kinds):
            if left[k]:
                left[k] -= 1
                order[place] = kind
                yield from fill(place + 1)
                left[k] += 1

    yield from fill(0)


def _codes(sites: OrderingSites, orderings: np.ndarray) -> np.ndarray:
    """Return a number for each ordering, the same for those that an operation takes into each other.

    It is the least of a random hash over all operations; two crystals have the same by a chance of 1 in 2⁶⁴.
    """
    open_ = sites.open
    if not len(open_):
        return np.zeros(len(orderings), dtype=np.uint64)
    weights = np.random.default_rng(0).integers(0, 2**63, (len(sites.frac), len(sites.species)), dtype=np.uint64)
    own = orderings[:, open_]
    codes = np.full(len(orderings), np.iinfo(np.uint64).max, dtype=np.uint64)
    for move in sites.moves:
        moved = weights[move[open_]]
        codes = np.minimum(codes, moved[np.arange(len(open_)), own].sum(axis=1, dtype=np.uint64))
    return codes


def _drawn(sites: OrderingSites, rng: np.random.Generator) -> np.ndarray:
    """Return an ordering drawn at random, and mended while atoms are too close together."""
    near: list[list[int]] = [[] for _ in sites.frac]
    for a, b in sites.pairs.tolist():
        near[a].append(b)
        near[b].append(a)
    for _ in range(_DRAWS):
        held = np.empty(len(sites.frac), dtype=int)
        for own, species in sites.pools():
            held[own] = rng.permutation(species)
        if _mended(sites, held, near, rng):
            return held
    raise _too_close(sites)


def _mended(sites: OrderingSites, held: np.ndarray, near: list[list[int]], rng: np.random.Generator) -> bool:
    """Move atoms that clash to empty sites of their sublattice where they clash least; return whether none is left."""
    if sites.vacant < 0 or not len(sites.pairs):
        return True
    filled = held != sites.vacant
    for _ in range(_MOVES):
        clashing = np.flatnonzero(filled[sites.pairs[:, 0]] & filled[sites.pairs[:, 1]])
        if not len(clashing):
            return True
        site = int(rng.choice(sites.pairs[rng.choice(clashing)]))
        empty = np.flatnonzero(~filled & (sites.sublattice == sites.sublattice[site]))
        if not len(empty):
            continue
        met = np.array([sum(filled[n] and n != site for n in near[k]) for k in empty])
        other = int(rng.choice(empty[met == met.min()]))
        held[other], held[site] = held[site], sites.vacant
        filled[other], filled[site] = True, False
    return False


def _too_close(sites: OrderingSites) -> InputError:
    return InputError(
        f"the sites of {sum(sites.cell.species.values())} atoms lie too close together to be filled as often as their "
        "occupancies say; mend the occupancies, or take sites out"
    )
