"""OrderingSites: the sites of a supercell that an ordering fills, their symmetry, and structures of orderings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from chggen.generation.disorder import VACANT, Disorder, average_symmetry
from chggen.generation.ordering_cells import OrderingCell

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True)
class OrderingSites:
    """The sites of a supercell of a disordered structure.

    An ordering is a number for each site: the place of what it holds in `species`.

    Attributes:
        lattice: The supercell, rows in Å, of shape (3, 3).
        frac: Fractional coordinates of the sites, of shape (sites, 3).
        sublattice: Number of the sublattice of each site, of shape (sites,).
        cell: The supercell and what its sublattices hold.
        species: All species, `VACANT` among them where sites are empty.
        pairs: Pairs of sites that cannot be filled together, of shape (pairs, 2), each once.
    """

    lattice: Float[np.ndarray, "3 3"]
    frac: Float[np.ndarray, "sites 3"]
    sublattice: Int[np.ndarray, "sites"]
    cell: OrderingCell
    species: tuple[str, ...]
    pairs: Int[np.ndarray, "pairs 2"]

    @classmethod
    def of(cls, disorder: Disorder, cell: OrderingCell) -> OrderingSites:
        """Return the sites of a supercell.

        Args:
            disorder: The disordered structure.
            cell: The supercell.
        """
        inverse = np.linalg.inv(cell.matrix)
        shifts = _translations(cell.matrix)
        frac = ((disorder.frac[:, None] + shifts) @ inverse).reshape(-1, 3) % 1.0
        known = sorted({s for counts in cell.counts for s in counts if s != VACANT})
        empty = any(VACANT in counts for counts in cell.counts)
        return cls(
            lattice=cell.matrix @ disorder.lattice,
            frac=frac,
            sublattice=np.repeat(disorder.of_site, len(shifts)),
            cell=cell,
            species=(*known, VACANT) if empty else tuple(known),
            pairs=_pairs(disorder, cell.matrix, shifts),
        )

    @property
    def vacant(self) -> int:
        """Number that stands for an empty site; -1 where none is."""
        return len(self.species) - 1 if self.species[-1] == VACANT else -1

    @property
    def open(self) -> Int[np.ndarray, "open"]:
        """Numbers of the sites that may hold more than one thing."""
        several = [sum(map(bool, counts.values())) > 1 for counts in self.cell.counts]
        return np.flatnonzero(np.array(several)[self.sublattice])

    @cached_property
    def moves(self) -> Int[np.ndarray, "operations sites"]:
        """Where each operation of the average structure takes each site of the supercell."""
        found = average_symmetry(self.lattice, self.frac, self.sublattice.tolist())
        if found is None:
            return np.arange(len(self.frac))[None]
        return np.unique(found.images.numpy(), axis=0)

    def pools(self) -> list[tuple[Int[np.ndarray, "own"], Int[np.ndarray, "own"]]]:
        """Return for each sublattice its sites, and what they hold in some order."""
        found = []
        for k, counts in enumerate(self.cell.counts):
            held = [self.species.index(s) for s, n in counts.items() for _ in range(n)]
            found.append((np.flatnonzero(self.sublattice == k), np.array(held, dtype=int)))
        return found

    def fits(self, orderings: Int[np.ndarray, "orderings sites"]) -> Bool[np.ndarray, "orderings"]:
        """Return which orderings fill no two sites that are too close together.

        Args:
            orderings: Orderings, of shape (orderings, sites).
        """
        if self.vacant < 0 or not len(self.pairs):
            return np.ones(len(orderings), dtype=bool)
        filled = orderings != self.vacant
        return np.asarray(~(filled[:, self.pairs[:, 0]] & filled[:, self.pairs[:, 1]]).any(axis=1))

    def structure(self, ordering: Int[np.ndarray, "sites"]) -> Structure:
        """Return the ordered structure of an ordering.

        Args:
            ordering: What each site holds.
        """
        from pymatgen.core import Lattice, Structure

        filled = np.flatnonzero(ordering != self.vacant) if self.vacant >= 0 else np.arange(len(ordering))
        order = sorted(filled.tolist(), key=lambda k: (int(ordering[k]), k))
        return Structure(Lattice(self.lattice), [self.species[ordering[k]] for k in order], self.frac[order])


def _translations(matrix: np.ndarray) -> np.ndarray:
    """Return the cells of the average structure that lie in a supercell, in units of its axes, of shape (cells, 3)."""
    cells = round(float(np.linalg.det(matrix)))
    inverse = np.linalg.inv(matrix)
    reach = np.abs(matrix).sum(axis=0)
    found: dict[tuple[float, ...], np.ndarray] = {}
    for n in product(*(range(-r, r + 1) for r in reach.tolist())):
        inside = np.round((np.array(n) @ inverse) % 1.0, 9) % 1.0
        found.setdefault(tuple(inside.tolist()), np.array(n, dtype=float))
        if len(found) == cells:
            break
    return np.array(list(found.values()))


def _pairs(disorder: Disorder, matrix: np.ndarray, shifts: np.ndarray) -> Int[np.ndarray, "pairs 2"]:
    """Return the clashes of the sites of a supercell."""
    if not len(disorder.clashes):
        return np.zeros((0, 2), dtype=int)
    inverse, cells = np.linalg.inv(matrix), len(shifts)
    place = {_key(shift @ inverse): k for k, shift in enumerate(shifts)}
    found = set()
    for a, b, *image in disorder.clashes.tolist():
        for k, shift in enumerate(shifts):
            other = place[_key((shift + np.array(image)) @ inverse)]
            i, j = a * cells + k, b * cells + other
            if i != j:
                found.add((min(i, j), max(i, j)))
    return np.array(sorted(found), dtype=int).reshape(-1, 2)


def _key(fractional: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    return tuple((np.round(np.asarray(fractional) % 1.0, 6) % 1.0).tolist())
