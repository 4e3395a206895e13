"""Energies above hull of all reference entries at once, chemical system by chemical system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np

from chggen.crystals import parse_formula
from chggen.stability.references import References

_ROOF: Final = 1.0  # eV/atom, above every phase that can lie on a hull
_WALL: Final = 1e-9  # downward component of a facet's unit normal below which it is no part of the hull
_ON_HULL: Final = 1e-6  # eV/atom
_System = tuple[str, ...]  # sorted symbols
_Phase = tuple[np.ndarray, float]  # atom fractions of the system's elements, formation energy in eV/atom


def above_hull(table: References, level: str) -> np.ndarray:
    """Energy above the hull of all entries at a level, eV/atom, ≥ 0; NaN without an energy or an element's energy.

    A phase lies on the hull of a system when it lies on that of its own elements. So systems are taken by their
    number of elements, and the hull of each is made of its own phases and of those on the hulls of its subsystems.
    """
    energies = table.energies[:, table.column(level)].astype(float)
    formulas = [parse_formula(str(formula)) for formula in table.formulas]
    rows_of: dict[_System, list[int]] = {}
    for row in np.flatnonzero(np.isfinite(energies)).tolist():
        rows_of.setdefault(tuple(sorted(formulas[row])), []).append(row)
    elements = {system[0]: energies[rows].min() for system, rows in rows_of.items() if len(system) == 1}
    found = np.full(len(table), np.nan)
    on_hull: dict[_System, list[_Phase]] = {}
    for system in sorted(rows_of, key=len):
        if not all(symbol in elements for symbol in system):
            continue
        rows = rows_of[system]
        counts = np.array([[formulas[row][symbol] for symbol in system] for row in rows], float)
        fractions = counts / counts.sum(axis=1, keepdims=True)
        heights = energies[rows] - fractions @ [elements[symbol] for symbol in system]
        points = [*_of_subsystems(system, on_hull), *zip(fractions, heights, strict=True)]
        height_of_hull = _hull(points, fractions)
        found[rows] = np.maximum(0.0, heights - height_of_hull)
        on_hull[system] = [
            (x, h) for x, h, above in zip(fractions, heights, found[rows], strict=True) if above < _ON_HULL
        ]
    return found


def _of_subsystems(system: _System, on_hull: Mapping[_System, Sequence[_Phase]]) -> Iterator[_Phase]:
    """The compounds on the hulls of the subsystems, as phases of the system."""
    for size in range(2, len(system)):
        for places in combinations(range(len(system)), size):
            for fractions, height in on_hull.get(tuple(system[k] for k in places), ()):
                inside = np.zeros(len(system))
                inside[list(places)] = fractions
                yield inside, height


def _hull(phases: Sequence[_Phase], at: np.ndarray) -> np.ndarray:
    """Formation energy of the hull, eV/atom, at atom fractions (points, elements).

    The hull is convex: at any composition it is the highest of the planes through its lower facets. Elements are at
    zero, and a point far above all closes the body from above.
    """
    from scipy.spatial import ConvexHull

    n = at.shape[1]
    low = [(x, h) for x, h in phases if h < 0]
    if not low or n == 1:
        return np.zeros(len(at))
    corners = [(np.eye(n)[k], 0.0) for k in range(n)]
    points = np.array([np.append(x[1:], h) for x, h in [*corners, *low, (np.full(n, 1 / n), _ROOF)]])
    planes = ConvexHull(points).equations
    planes = planes[planes[:, n - 1] < -_WALL]
    heights: np.ndarray = -(at[:, 1:] @ planes[:, : n - 1].T + planes[:, n]) / planes[:, n - 1]
    return np.asarray(heights.max(axis=1))
