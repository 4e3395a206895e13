"""Cells of ordered structures: the smallest supercells whose whole counts come near the occupancies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Int

from chggen.crystals import plain_formula
from chggen.errors import InputError
from chggen.generation.disorder import Disorder
from chggen.generation.ordering_counts import Counts, balances, rounded_counts, total_of
from chggen.generation.supercell_shapes import ALL_SHAPES, distinct_shapes, hermite_form, near_cube

_EXACT: Final = 1e-3  # by which shares may miss occupancies that are held exactly


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
        return total_of(self.counts)

    @property
    def atoms(self) -> int:
        """Number of atoms."""
        return sum(self.species.values())


def ordering_cell(
    disorder: Disorder,
    max_atoms: int,
    tolerance: float,
    composition: Mapping[str, int] | None = None,
    limit: float | None = None,
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
        limit: How far it may lie in the end; None: no farther than the tolerance.

    Raises:
        InputError: No supercell of up to so many atoms holds such counts; the nearest one is named.
    """
    limit = tolerance if limit is None else limit
    nearest: OrderingCell | None = None
    for balanced in (True, False) if balances(disorder) else (False,):
        best = _nearest(disorder, max_atoms, tolerance, composition, balanced)
        if best is not None and best.off <= limit + 1e-9:
            return replace(best, matrix=near_cube(disorder, best.cells))
        nearest = best
    from pymatgen.core import Composition

    asked = "that composition" if composition else "these occupancies"
    if nearest is None:
        raise InputError(
            f"no cell of up to {max_atoms} atoms holds {asked}, of which the average cell has {disorder.atoms:.4g}; "
            "allow more with --max-atoms, or name another --composition"
        )
    near = plain_formula(Composition(nearest.species))
    whole = set(nearest.species) == set(disorder.composition)
    raise InputError(
        f"no cell of up to {max_atoms} atoms holds {asked} within {tolerance:g}; the nearest is {near} in "
        f"{nearest.atoms} atoms, off by {nearest.off:.2g}; raise --tolerance or --max-atoms"
        + (f", or take it by --composition {near}" if whole else "")
    )


def _nearest(
    disorder: Disorder, max_atoms: int, tolerance: float, composition: Mapping[str, int] | None, balanced: bool
) -> OrderingCell | None:
    """Return the smallest cell within half the tolerance, else the nearest of all; None for none at all."""
    best: OrderingCell | None = None
    most = max(1, math.floor(max_atoms / max(disorder.atoms, 1e-9) + 0.5))
    for cells in range(1, most + 1):
        found = rounded_counts(disorder, cells, composition, max_atoms, balanced)
        if found is not None and (best is None or found[1] < best.off - 1e-9):
            best = OrderingCell(np.diag([cells, 1, 1]), *found)
        if found is not None and found[1] <= tolerance / 2 + 1e-9:
            break
    return best


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
        composition: Ratio of the elements that is asked for instead, however far from the occupancies; None takes that
            of the occupancies.

    Raises:
        InputError: No supercell of up to so many atoms holds such counts; the nearest one is named.
    """
    given = None
    if disorder.given is not None and not disorder.is_ordered:
        cells, balanced = round(float(np.linalg.det(disorder.given))), balances(disorder)
        found = rounded_counts(disorder, cells, composition, max_atoms, balanced)
        given = None if found is None else OrderingCell(disorder.given, *found)
    if given is not None and given.off < _EXACT and composition is None:
        smallest = ordering_cell(disorder, max_atoms, tolerance)
        if smallest.off > _EXACT:
            try:
                smallest = ordering_cell(disorder, max_atoms, tolerance, given.species)
            except InputError:  # of that very ratio there is no smaller one
                return (given,)
    else:
        smallest = ordering_cell(disorder, max_atoms, tolerance, composition, math.inf if composition else None)
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
