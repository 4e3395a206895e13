"""Cells of ordered structures: the smallest supercells whose whole counts come near the occupancies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Final

import numpy as np
from jaxtyping import Int

from chggen.crystals import plain_formula
from chggen.errors import InputError
from chggen.generation.disorder import VACANT, Disorder, Sublattice
from chggen.generation.supercell_shapes import ALL_SHAPES, distinct_shapes, hermite_form, near_cube

_EXACT: Final = 1e-3  # by which shares may miss occupancies that are held exactly
_WAYS: Final = 20_000  # to round all sublattices that are looked at
_BALANCED: Final = 0.02  # charge for each atom of the average structure up to which it counts as neutral
Counts = tuple[Mapping[str, int], ...]
"""For each sublattice species to number of sites in the supercell, `VACANT` among them."""


@dataclass(frozen=True)
class OrderingCell:
    """A supercell and what its sites hold.

    Attributes:
        matrix: Rows are its axes in terms of those of the average cell, of shape (3, 3).
        counts: What the sites of each sublattice hold.
        off: By how much the share of a species on a sublattice misses its occupancy, at most.
        neutral: Whether oxidation states add up to zero, or a metal of mixed valence sees to it; None where they are
            not known, or do not on average either.
    """

    matrix: Int[np.ndarray, "3 3"]
    counts: Counts
    off: float
    neutral: bool | None

    @property
    def cells(self) -> int:
        """Number of average cells in it."""
        return round(abs(float(np.linalg.det(self.matrix))))

    @property
    def species(self) -> dict[str, int]:
        """Element symbol to number of atoms."""
        return _total(self.counts)

    @property
    def atoms(self) -> int:
        """Number of atoms."""
        return sum(self.species.values())


def ordering_cell(
    disorder: Disorder, max_atoms: int, tolerance: float, composition: Mapping[str, int] | None = None
) -> OrderingCell:
    """Return a supercell whose whole counts come near the occupancies, as close to a cube as can be.

    It is the smallest one that comes within half the tolerance; where there is none, the nearest within the tolerance.
    Where oxidation states are known and balance the average structure, they balance the cell, if any cell within the
    tolerance does. A metal of mixed valence balances any.

    Args:
        disorder: The disordered structure.
        max_atoms: Most atoms of the supercell.
        tolerance: How far the share of a species on a sublattice may lie from its occupancy.
        composition: Ratio of the elements that is asked for instead; None takes that of the occupancies.

    Raises:
        InputError: No supercell of up to so many atoms holds such counts; the nearest one is named.
    """
    nearest: OrderingCell | None = None
    for balanced in (True, False) if _balances(disorder) else (False,):
        best = _nearest(disorder, max_atoms, tolerance, composition, balanced)
        if best is not None and best.off <= tolerance + 1e-9:
            return replace(best, matrix=near_cube(disorder, best.cells))
        nearest = best
    from pymatgen.core import Composition

    asked = "that composition" if composition else "these occupancies"
    if nearest is None:
        raise InputError(
            f"no cell of up to {max_atoms} atoms holds {asked}; allow more atoms with --max-atoms, or name another "
            "--composition"
        )
    raise InputError(
        f"no cell of up to {max_atoms} atoms holds {asked} within {tolerance:g}; the nearest is "
        f"{plain_formula(Composition(nearest.species))} in {nearest.atoms} atoms, off by {nearest.off:.2g}; raise "
        "--tolerance, or --max-atoms, or name that --composition"
    )


def _nearest(
    disorder: Disorder, max_atoms: int, tolerance: float, composition: Mapping[str, int] | None, balanced: bool
) -> OrderingCell | None:
    """Return the smallest cell within half the tolerance, else the nearest of all; None for none at all."""
    best: OrderingCell | None = None
    most = max(1, math.floor(max_atoms / max(disorder.atoms, 1e-9) + 0.5))
    for cells in range(1, most + 1):
        found = _rounded(disorder, cells, composition, max_atoms, balanced)
        if found is not None and (best is None or found[1] < best.off - 1e-9):
            best = OrderingCell(np.diag([cells, 1, 1]), *found)
        if found is not None and found[1] <= tolerance / 2 + 1e-9:
            break
    return best


def _balances(disorder: Disorder) -> bool:
    """Return whether whole oxidation states are known that balance the average structure."""
    states = disorder.states
    charge = sum(states.get(s, 0.0) * n for s, n in disorder.composition.items())
    whole = all(float(state).is_integer() for state in states.values())
    return bool(states) and whole and abs(charge) <= _BALANCED * disorder.atoms


def cells_to_fill(
    disorder: Disorder, max_atoms: int, tolerance: float, composition: Mapping[str, int] | None = None
) -> tuple[OrderingCell, ...]:
    """Return the cells that orderings are looked for in first: the smallest one, and before it the one given.

    The cell that the structure came in counts where it holds a composition that is as near to the occupancies as that
    of the smallest cell. Where it holds them exactly and the smallest one does not, the smallest cell of its
    composition takes the place of that.

    Args:
        disorder: The disordered structure.
        max_atoms: Most atoms of a cell.
        tolerance: How far the share of a species on a sublattice may lie from its occupancy.
        composition: Ratio of the elements that is asked for instead; None takes that of the occupancies.

    Raises:
        InputError: No supercell of up to so many atoms holds such counts; the nearest one is named.
    """
    given = None
    if disorder.given is not None and not disorder.is_ordered:
        cells, balanced = round(float(np.linalg.det(disorder.given))), _balances(disorder)
        found = _rounded(disorder, cells, composition, max_atoms, balanced)
        given = None if found is None else OrderingCell(disorder.given, *found)
    if given is not None and given.off < _EXACT and composition is None:
        smallest = ordering_cell(disorder, max_atoms, tolerance)
        if smallest.off > _EXACT:
            smallest = ordering_cell(disorder, max_atoms, tolerance, given.species)
    else:
        smallest = ordering_cell(disorder, max_atoms, tolerance, composition)
    if given is None or given.cells == smallest.cells or given.off > smallest.off + 1e-9:
        return (_as_given(smallest, disorder),)
    alike = all(
        given.counts[k].get(s, 0) * smallest.cells == own.get(s, 0) * given.cells
        for k, own in enumerate(smallest.counts)
        for s in own
    )
    return (given, smallest) if alike else (smallest,)


def _as_given(cell: OrderingCell, disorder: Disorder) -> OrderingCell:
    """Return a cell in the shape that the structure came in, where that is as large."""
    given = disorder.given
    if given is None or round(float(np.linalg.det(given))) != cell.cells:
        return cell
    return replace(cell, matrix=given)


def _rounded(
    disorder: Disorder, cells: int, composition: Mapping[str, int] | None, max_atoms: int, balanced: bool
) -> tuple[Counts, float, bool | None] | None:
    """Return whole counts nearest to the occupancies, by how much they are off, and whether they balance.

    None where there are none; with balanced only those whose oxidation states add up to zero count.
    """
    states = disorder.states if balanced else {}
    ways = [list(_ways(sublattice, cells, bool(composition))) for sublattice in disorder.sublattices]
    if math.prod(map(len, ways)) > _WAYS:  # the nearest ones of each
        fewer = max(1, int(_WAYS ** (1 / max(1, sum(len(w) > 1 for w in ways)))))
        ways = [way[:fewer] for way in ways]
    best: tuple[tuple[float, ...], Counts, float, float] | None = None
    for chosen in islice(product(*ways), _WAYS):
        counts = tuple(counts for counts, _ in chosen)
        total = _total(counts)
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
    return best[1], best[2], True if balanced or mixed else False if _balances(disorder) else None


def _ways(sublattice: Sublattice, cells: int, any_share: bool) -> Iterator[tuple[Mapping[str, int], float]]:
    """Yield the counts of a sublattice that round its occupancies up or down, the nearest first."""
    sites, species = len(sublattice.sites) * cells, sublattice.species
    ideal = np.array([sublattice.occupancy[s] * sites for s in species])
    if len(species) == 1:
        yield {species[0]: sites}, 0.0
        return
    slack = sites if any_share else 2  # two: sites that clash may hold less than their occupancies say
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


def _total(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
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


def other_cells(disorder: Disorder, first: Sequence[OrderingCell], max_atoms: int) -> Iterator[OrderingCell]:
    """Yield cells of the same composition as some: all shapes of the smallest size, then of its multiples.

    Low orderings often have axes of their own, which the first cells do not hold. Shapes that the symmetry of the
    average structure takes into each other are yielded once, those of the first cells not at all; of one size those
    close to a cube come first.

    Args:
        disorder: The disordered structure.
        first: Cells that are known, the smallest one last.
        max_atoms: Most atoms.
    """
    smallest = first[-1]
    known = {hermite_form(cell.matrix).tobytes() for cell in first}
    for times in range(1, max_atoms // max(smallest.atoms, 1) + 1):
        cells = smallest.cells * times
        if cells > ALL_SHAPES:
            return
        counts = tuple({s: n * times for s, n in own.items()} for own in smallest.counts)
        for matrix in distinct_shapes(disorder, cells, known):
            yield replace(smallest, matrix=matrix, counts=counts)
