"""Energies above the hull of all reference entries at once, one chemical system after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np

from chggen.crystals import parse_formula
from chggen.stability.references import References

_ROOF: Final = 1.0  # eV/atom, above every phase that can lie on a hull
_VERTICAL: Final = 1e-9  # facets whose unit normal points down by less are walls of the body, not parts of the hull
_ON_HULL: Final = 1e-6  # eV/atom
_System = tuple[str, ...]  # sorted symbols
_Phase = tuple[np.ndarray, float]  # atom fractions of the system's elements, formation energy in eV/atom


def above_hull(table: References, level: str) -> np.ndarray:
    """Return the energy above the hull of every entry of a table.

    A phase lies on the hull of a chemical system exactly if it lies on the hull of its own elements. Systems are
    therefore taken by their number of elements. The hull of each one is made of its own phases and of those on the
    hulls of its subsystems, which are few.

    Args:
        table: The reference entries.
        level: Level of theory of the energies.

    Returns:
        Energies above the hull, of shape (entries,), in eV/atom, never negative. NaN for an entry that has no energy at
        the level, or that contains an element which has none.

    Raises:
        InputError: The table has no such level.
    """
    energies = table.energies[:, table.column(level)].astype(float)
    formulas = [parse_formula(str(formula)) for formula in table.formulas]
    rows_of: dict[_System, list[int]] = {}
    for row in np.flatnonzero(np.isfinite(energies)).tolist():
        rows_of.setdefault(tuple(sorted(formulas[row])), []).append(row)
    elements = {system[0]: energies[rows].min() for system, rows in rows_of.items() if len(system) == 1}
    above = np.full(len(table), np.nan)
    on_hull: dict[_System, list[_Phase]] = {}
    for system in sorted(rows_of, key=len):
        if not all(symbol in elements for symbol in system):
            continue
        rows = rows_of[system]
        counts = np.array([[formulas[row][symbol] for symbol in system] for row in rows], float)
        fractions = counts / counts.sum(axis=1, keepdims=True)
        formation = energies[rows] - fractions @ [elements[symbol] for symbol in system]
        phases = [*_of_subsystems(system, on_hull), *zip(fractions, formation, strict=True)]
        above[rows] = np.maximum(0.0, formation - _hull_energy(phases, fractions))
        on_hull[system] = [
            (fraction, energy)
            for fraction, energy, distance in zip(fractions, formation, above[rows], strict=True)
            if distance < _ON_HULL
        ]
    return above


def _of_subsystems(system: _System, on_hull: Mapping[_System, Sequence[_Phase]]) -> Iterator[_Phase]:
    """Yield the compounds on the hulls of all subsystems, with their atom fractions in the whole system."""
    for size in range(2, len(system)):
        for places in combinations(range(len(system)), size):
            for fractions, energy in on_hull.get(tuple(system[k] for k in places), ()):
                inside = np.zeros(len(system))
                inside[list(places)] = fractions
                yield inside, energy


def _hull_energy(phases: Sequence[_Phase], at: np.ndarray) -> np.ndarray:
    """Return the formation energy of the hull in eV/atom at atom fractions of shape (points, elements).

    The hull is convex, so that its height at a composition is that of the highest plane through a lower facet.
    The elements lie at zero. One point far above all others closes the body from above, as ConvexHull expects.
    """
    from scipy.spatial import ConvexHull

    n_elements = at.shape[1]
    low = [(fractions, energy) for fractions, energy in phases if energy < 0]
    if not low or n_elements == 1:
        return np.zeros(len(at))
    corners = [(np.eye(n_elements)[k], 0.0) for k in range(n_elements)]
    roof = (np.full(n_elements, 1 / n_elements), _ROOF)
    points = np.array([np.append(fractions[1:], energy) for fractions, energy in [*corners, *low, roof]])
    planes = ConvexHull(points).equations
    planes = planes[planes[:, n_elements - 1] < -_VERTICAL]
    heights: np.ndarray = -(at[:, 1:] @ planes[:, : n_elements - 1].T + planes[:, n_elements])
    heights = heights / planes[:, n_elements - 1]
    return np.asarray(heights.max(axis=1))
