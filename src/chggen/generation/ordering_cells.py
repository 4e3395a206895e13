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

_WAYS: Final = 20_000  # to round all sublattices that are looked at
_BALANCED: Final = 0.02  # charge for each atom of the average structure up to which it counts as neutral
_SKEWED: Final = 24  # cells up to which all shapes of a supercell are looked at; beyond, those along the axes
Counts = tuple[Mapping[str, int], ...]
"""For each sublattice species to number of sites in the supercell, `VACANT` among them."""


@dataclass(frozen=True)
class OrderingCell:
    """A supercell and what its sites hold.

    Attributes:
        matrix: Rows are its axes in terms of those of the average cell, of shape (3, 3).
        counts: What the sites of each sublattice hold.
        off: By how much the share of a species on a sublattice misses its occupancy, at most.
        neutral: Whether oxidation states add up to zero; None where they are not known, or do not on average either.
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
    Where oxidation states are known and balance the average structure, they balance the cell.

    Args:
        disorder: The disordered structure.
        max_atoms: Most atoms of the supercell.
        tolerance: How far the share of a species on a sublattice may lie from its occupancy.
        composition: Ratio of the elements that is asked for instead; None takes that of the occupancies.

    Raises:
        InputError: No supercell of up to so many atoms holds such counts; the nearest one is named.
    """
    best: OrderingCell | None = None
    most = max(1, math.floor(max_atoms / max(disorder.atoms, 1e-9) + 0.5))
    for cells in range(1, most + 1):
        found = _rounded(disorder, cells, composition, max_atoms)
        if found is None:
            continue
        counts, off, neutral = found
        if best is None or off < best.off - 1e-9:
            best = OrderingCell(np.diag([cells, 1, 1]), counts, off, neutral)
        if off <= tolerance / 2 + 1e-9:
            break
    if best is not None and best.off <= tolerance + 1e-9:
        return replace(best, matrix=_near_cube(disorder, best.cells))
    from pymatgen.core import Composition

    asked = "that composition" if composition else "these occupancies"
    if best is None:
        raise InputError(
            f"no cell of up to {max_atoms} atoms holds {asked}; allow more atoms with --max-atoms, or name another "
            "--composition"
        )
    raise InputError(
        f"no cell of up to {max_atoms} atoms holds {asked} within {tolerance:g}; the nearest is "
        f"{plain_formula(Composition(best.species))} in {best.atoms} atoms, off by {best.off:.2g}; raise --tolerance, "
        "or --max-atoms, or name that --composition"
    )


def _rounded(
    disorder: Disorder, cells: int, composition: Mapping[str, int] | None, max_atoms: int
) -> tuple[Counts, float, bool | None] | None:
    """Return whole counts nearest to the occupancies that balance, and by how much they are off; None for none."""
    states = disorder.states
    average = sum(states.get(s, 0.0) * n for s, n in disorder.composition.items()) if states else 0.0
    balances = bool(states) and abs(average) <= _BALANCED * disorder.atoms
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
        charge = sum(states.get(s, 0.0) * n for s, n in total.items()) if balances else 0.0
        off = max(o for _, o in chosen)
        key = (abs(charge) > 1e-6, off, sum(o * o for _, o in chosen))
        if best is None or key < best[0]:
            best = key, counts, off, charge
    if best is None or (balances and abs(best[3]) > 1e-6):
        return None
    return best[1], best[2], True if balances else None


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


def larger_cells(disorder: Disorder, smallest: OrderingCell, max_atoms: int) -> Iterator[OrderingCell]:
    """Yield cells of the same composition: all shapes of the smallest size, then of its multiples.

    Low orderings often have axes of their own, which the most compact cell does not hold. Shapes that the symmetry of
    the average structure takes into each other are yielded once; those close to a cube come first.

    Args:
        disorder: The disordered structure.
        smallest: The smallest cell, which is yielded first.
        max_atoms: Most atoms.
    """
    yield smallest
    for times in range(1, max_atoms // max(smallest.atoms, 1) + 1):
        cells = smallest.cells * times
        if cells > _SKEWED:
            return
        counts = tuple({s: n * times for s, n in own.items()} for own in smallest.counts)
        for matrix in _distinct_shapes(disorder, cells):
            if times > 1 or not (matrix == smallest.matrix).all():
                yield replace(smallest, matrix=matrix, counts=counts)


def _near_cube(disorder: Disorder, cells: int) -> Int[np.ndarray, "3 3"]:
    """Return the supercell of so many cells that is closest to a cube; of equal ones that which keeps most symmetry."""
    shapes = [np.diag(way) for way in _along_axes(cells)] if cells > _SKEWED else list(_hermite_forms(cells))
    return min((_compact(disorder, matrix) for matrix in shapes), key=lambda shape: shape[0])[1]


def _distinct_shapes(disorder: Disorder, cells: int) -> list[Int[np.ndarray, "3 3"]]:
    """Return the supercells of so many cells that no rotation takes into each other, the most compact first."""
    first: dict[bytes, np.ndarray] = {}
    seen: set[bytes] = set()
    for matrix in _hermite_forms(cells):
        if matrix.tobytes() in seen:
            continue
        first[matrix.tobytes()] = matrix
        seen |= {_hermite((matrix @ r.T).round().astype(int)).tobytes() for r in disorder.rotations}
    found = [_compact(disorder, matrix) for matrix in first.values()]
    return [matrix for _, matrix in sorted(found, key=lambda shape: (shape[0], shape[1].tolist()))]


def _compact(disorder: Disorder, matrix: np.ndarray) -> tuple[tuple[float, int], Int[np.ndarray, "3 3"]]:
    """Return how far a supercell is from a cube and how much symmetry it loses, and its shortest axes."""
    from pymatgen.core import Lattice

    reduced = Lattice(matrix @ disorder.lattice).get_lll_reduced_lattice()
    turned = matrix @ disorder.rotations.transpose(0, 2, 1) @ np.linalg.inv(matrix)
    kept = int((np.abs(turned - turned.round()) < 1e-6).all(axis=(1, 2)).sum())
    axes = (reduced.matrix @ np.linalg.inv(disorder.lattice)).round().astype(int)
    aspect = float(max(reduced.abc) / reduced.volume ** (1 / 3))
    return (round(aspect, 3), -kept), axes if np.linalg.det(axes) > 0 else -axes


def _along_axes(cells: int) -> Iterator[tuple[int, int, int]]:
    """Yield the multiples along three axes that make so many cells."""
    for a in range(1, cells + 1):
        for b in range(1, cells // a + 1):
            if cells % (a * b) == 0:
                yield a, b, cells // (a * b)


def _hermite_forms(cells: int) -> Iterator[Int[np.ndarray, "3 3"]]:
    """Yield all supercells of so many cells, each once, as upper triangular matrices."""
    for a, b, c in _along_axes(cells):
        for i, j, k in product(range(b), range(c), range(c)):
            yield np.array([[a, i, j], [0, b, k], [0, 0, c]])


def _hermite(matrix: np.ndarray) -> Int[np.ndarray, "3 3"]:
    """Return the upper triangular matrix whose rows span the same lattice, with small entries above its diagonal."""
    rows = matrix.copy()
    for k in range(3):
        while np.count_nonzero(rows[k:, k]) > 1:  # Euclid's algorithm down the column
            least = k + int(np.argmin(np.where(rows[k:, k] == 0, np.iinfo(int).max, np.abs(rows[k:, k]))))
            rows[[k, least]] = rows[[least, k]]
            rows[k + 1 :] -= rows[k + 1 :, k : k + 1] // rows[k, k] * rows[k]
        at = k + int(np.flatnonzero(rows[k:, k])[0])
        rows[[k, at]] = rows[[at, k]]
        if rows[k, k] < 0:
            rows[k] = -rows[k]
        rows[:k] -= rows[:k, k : k + 1] // rows[k, k] * rows[k]
    return rows
