"""Orderings that keep symmetry: those that a subgroup of the average structure's group takes into themselves."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Int

from chggen.generation.ordering_sites import OrderingSites
from chggen.generation.orderings import distinct

_SUBGROUPS: Final = 400  # that are drawn
_FILLINGS: Final = 12  # of the orbits of a subgroup
_GENERATORS: Final = (1, 1, 2, 2, 3)  # numbers of operations that a subgroup is drawn from
_ORBITS: Final = 48  # of the open sites, up to which a subgroup tells more than sites alone


def symmetric_orderings(sites: OrderingSites, n: int, seed: int) -> Int[np.ndarray, "orderings sites"]:
    """Return distinct orderings that keep a subgroup, those with the fewest orbits first.

    Subgroups are drawn by their generators. Each orbit of one is given to one species, or stays empty, so that the
    counts of the cell come out; there are far fewer ways to do that than to fill the sites one by one, and crystals
    are among them.

    Args:
        sites: The sites and what they hold.
        n: Largest number of orderings.
        seed: Random seed.

    Returns:
        Orderings, of shape (orderings, sites); none where no subgroup has orbits that fit.
    """
    rng = np.random.default_rng([seed, 7])
    found: list[np.ndarray] = []
    orbits_of: list[int] = []
    for orbit in _orbits_of_subgroups(sites, rng):
        n_orbits = len(np.unique(orbit[sites.open]))
        for _ in range(_FILLINGS):
            held = _filled(sites, orbit, rng)
            if held is not None:
                found.append(held)
                orbits_of.append(n_orbits)
    if not found:
        return np.zeros((0, len(sites.frac)), dtype=int)
    fewest = np.argsort(orbits_of, kind="stable")
    every = np.array(found)[fewest]
    every = every[sites.fits(every)]
    return np.asarray(every[distinct(sites, every)[:n]])


def _orbits_of_subgroups(sites: OrderingSites, rng: np.random.Generator) -> list[Int[np.ndarray, "sites"]]:
    """Return for drawn subgroups the number of the orbit of each site, each way to divide the open sites once."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    moves, size = sites.moves, len(sites.frac)
    kept: dict[bytes, np.ndarray] = {}
    for _ in range(_SUBGROUPS if len(moves) > 1 else 0):
        drawn = moves[rng.integers(len(moves), size=int(rng.choice(_GENERATORS)))]
        edges = (np.ones(drawn.size), (np.tile(np.arange(size), len(drawn)), drawn.ravel()))
        orbit = connected_components(coo_array(edges, shape=(size, size)), directed=False)[1]
        _, own = np.unique(orbit[sites.open], return_inverse=True)
        if own.max(initial=0) < min(_ORBITS, len(sites.open) - 1):
            kept.setdefault(_renamed(own).tobytes(), orbit)
    return list(kept.values())


def _renamed(orbit: np.ndarray) -> np.ndarray:
    """Return the numbers of orbits renamed by where they come first."""
    _, first, inverse = np.unique(orbit, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=int)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def _filled(sites: OrderingSites, orbit: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Return an ordering that gives each orbit to one species; None where the counts do not come out."""
    held = np.empty(len(sites.frac), dtype=int)
    for own, species in sites.pools():
        numbers, sizes = np.unique(orbit[own], return_counts=True)
        kinds, counts = np.unique(species, return_counts=True)
        given = _shared_out(sizes, counts, rng)
        if given is None:
            return None
        kind_of = dict(zip(numbers.tolist(), kinds[given].tolist(), strict=True))
        held[own] = [kind_of[k] for k in orbit[own].tolist()]
    return held


def _shared_out(sizes: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Return for each orbit which species it goes to, so that their sizes add up to the counts; None for none.

    Orbits are gone through in random order, and each goes to a random species among those with which the rest can
    still come out, by the sums that the orbits left over can make.
    """
    order = rng.permutation(len(sizes))
    sums = [{0}]  # that the last orbits in the order can make, the last one first
    for k in order[::-1]:
        sums.append(sums[-1] | {total + int(sizes[k]) for total in sums[-1]})
    left, given = counts.copy(), np.empty(len(sizes), dtype=int)
    for place, k in enumerate(order):
        after = sums[len(order) - place - 1]
        fits = [s for s in range(len(left)) if _may_take(left, s, int(sizes[k]), after)]
        if not fits:
            return None
        weight = left[fits] / left[fits].sum()
        given[k] = int(rng.choice(fits, p=weight))
        left[given[k]] -= sizes[k]
    return given


def _may_take(left: np.ndarray, kind: int, size: int, after: set[int]) -> bool:
    """Return whether a species may take an orbit: what each then lacks is a sum that later orbits can make."""
    lacking = left.copy()
    lacking[kind] -= size
    return bool(lacking[kind] >= 0) and all(int(x) in after for x in lacking)
