"""Whole counts of a supercell's sites that come near the occupancies of a disordered structure and balance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Final

import numpy as np

from chggen.generation.disorder import VACANT, Disorder, Sublattice

_WAYS: Final = 20_000  # to round all sublattices that are looked at
_BALANCED: Final = 0.02  # charge for each atom of the average structure up to which it counts as neutral
Counts = tuple[Mapping[str, int], ...]
"""For each sublattice species to number of sites in the supercell, `VACANT` among them."""


def balances(disorder: Disorder) -> bool:
    """Return whether whole oxidation states are known that balance the average structure.

    Args:
        disorder: The disordered structure.
    """
    states = disorder.states
    charge = sum(states.get(s, 0.0) * n for s, n in disorder.composition.items())
    whole = all(float(state).is_integer() for state in states.values())
    return bool(states) and whole and abs(charge) <= _BALANCED * disorder.atoms


def rounded_counts(
    disorder: Disorder, cells: int, composition: Mapping[str, int] | None, max_atoms: int, balanced: bool
) -> tuple[Counts, float, bool | None] | None:
    """Return whole counts nearest to the occupancies, by how much they are off, and whether they balance.

    None where there are none.

    Args:
        disorder: The disordered structure.
        cells: Number of average cells in the supercell.
        composition: Ratio of the elements that is asked for; None takes that of the occupancies.
        max_atoms: Most atoms.
        balanced: Whether only counts whose oxidation states add up to zero are returned.
    """
    states = disorder.states if balanced else {}
    ways = [list(_ways(sublattice, cells, bool(composition))) for sublattice in disorder.sublattices]
    if math.prod(map(len, ways)) > _WAYS:  # the nearest ones of each
        fewer = max(1, int(_WAYS ** (1 / max(1, sum(len(w) > 1 for w in ways)))))
        ways = [way[:fewer] for way in ways]
    best: tuple[tuple[float, ...], Counts, float, float] | None = None
    for chosen in islice(product(*ways), _WAYS):
        counts = tuple(counts for counts, _ in chosen)
        total = total_of(counts)
        if not total or sum(total.values()) > max_atoms or (composition and not _in_ratio(total, composition)):
            continue
        filled = [sum(n for s, n in own.items() if s != VACANT) for own in counts]
        if any(sum(filled[k] for k in group) > most * cells for group, most in disorder.room):
            continue
        charge = sum(states.get(s, 0.0) * n for s, n in total.items())
        off = max(o for _, o in chosen)
        key = (abs(charge) > 1e-6, off, sum(o * o for _, o in chosen))
        if best is None or key < best[0]:
            best = key, counts, off, charge
    if best is None or abs(best[3]) > 1e-6:
        return None
    mixed = any(not float(state).is_integer() for state in disorder.states.values())
    return best[1], best[2], True if balanced or mixed else False if balances(disorder) else None


def _ways(sublattice: Sublattice, cells: int, any_share: bool) -> Iterator[tuple[Mapping[str, int], float]]:
    """Yield the counts of a sublattice that round its occupancies up or down, the nearest first."""
    sites, species = len(sublattice.sites) * cells, sublattice.species
    ideal = np.array([sublattice.occupancy[s] * sites for s in species])
    if len(species) == 1:
        yield {species[0]: sites}, 0.0
        return
    most = int((_WAYS ** (1 / (len(species) - 1)) - 1) / 2)  # so that the box about the ideal counts is gone through
    slack = min(sites, most) if any_share else 2  # two: sites that clash may hold less than their occupancies say
    ranges = [
        range(max(0, math.floor(x + 1e-9) - slack + 1), min(sites, math.ceil(x - 1e-9) + slack - 1) + 1)
        for x in ideal[:-1]
    ]
    found = []
    for some in islice(product(*ranges), _WAYS):
        last = sites - sum(some)
        if last < 0:
            continue
        off = float(np.abs(np.array([*some, last]) - ideal).max() / sites)
        found.append((off, dict(zip(species, (*some, last), strict=True))))
    for off, way in sorted(found, key=lambda way: (round(way[0], 9), tuple(way[1].values()))):
        yield way, off


def total_of(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Return how many atoms of each element counts hold.

    Args:
        counts: What the sites of each sublattice hold.
    """
    total: dict[str, int] = {}
    for own in counts:
        for symbol, count in own.items():
            if symbol != VACANT and count:
                total[symbol] = total.get(symbol, 0) + count
    return total


def _in_ratio(total: Mapping[str, int], composition: Mapping[str, int]) -> bool:
    """Return whether counts are a multiple of a composition."""
    if total.keys() != {s for s, n in composition.items() if n}:
        return False
    ratios = {total[s] * 1.0 / composition[s] for s in total}
    return max(ratios) - min(ratios) < 1e-9
