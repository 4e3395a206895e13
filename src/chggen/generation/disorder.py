"""Disorder: what a partially occupied structure says, as sublattices of sites that share species and vacancies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float, Int

from chggen.symmetry import SymmetryConstraint

if TYPE_CHECKING:
    from pymatgen.core import Structure

VACANT: Final = ""
"""Stands for an empty site where species are named."""
SYMPREC: Final = 0.01
"""Å, of the symmetry of average sites, which are exact."""
_MARKS: Final = 80  # elements that stand for sites of different occupancy while symmetry is looked for


@dataclass(frozen=True)
class Sublattice:
    """Sites of the average structure that its symmetry takes into each other.

    Attributes:
        sites: Their numbers.
        occupancy: Element symbol to share of the sites, `VACANT` among them where sites are empty; they sum to 1.
        label: What the structure calls the first of its sites, such as `Li1`.
    """

    sites: tuple[int, ...]
    occupancy: Mapping[str, float]
    label: str = ""

    @property
    def species(self) -> tuple[str, ...]:
        """What may stand on a site, elements first."""
        return tuple(self.occupancy)


@dataclass(frozen=True)
class Disorder:
    """A structure whose sites hold several species, or are empty at times, in its primitive cell.

    Attributes:
        lattice: The cell, rows in Å, of shape (3, 3).
        frac: Fractional coordinates of the sites, of shape (sites, 3).
        sublattices: All sites, by what they hold; those that hold one element always are sublattices as well.
        clashes: Pairs of sites of the cell, and cell of the second, too close to be filled together, of shape
            (pairs, 5): site, other site, and the other's lattice translation.
        states: Element symbol to oxidation state where the structure says it or it can be guessed, else empty.
        notes: What was not taken as it stood.
        given: The cell that the structure came in, rows in terms of the axes of this one, of shape (3, 3); None where
            it is no supercell of it.
    """

    lattice: Float[np.ndarray, "3 3"]
    frac: Float[np.ndarray, "sites 3"]
    sublattices: tuple[Sublattice, ...]
    clashes: Int[np.ndarray, "pairs 5"]
    states: Mapping[str, float]
    notes: tuple[str, ...]
    given: Int[np.ndarray, "3 3"] | None = None

    @property
    def is_ordered(self) -> bool:
        """Whether every site holds one element always."""
        return all(len(s.occupancy) == 1 for s in self.sublattices)

    @property
    def with_equal_ones_joined(self) -> Disorder:
        """The same with sublattices of equal occupancies as one, of which larger numbers of sites round better."""
        joined: dict[tuple[tuple[str, float], ...], Sublattice] = {}
        for own in self.sublattices:
            key = tuple((symbol, round(share, 3)) for symbol, share in own.occupancy.items())
            first = joined.get(key)
            joined[key] = own if first is None else replace(first, sites=(*first.sites, *own.sites))
        return replace(self, sublattices=tuple(joined.values()))

    @cached_property
    def of_site(self) -> Int[np.ndarray, "sites"]:
        """Number of the sublattice of each site, of shape (sites,)."""
        found = np.empty(len(self.frac), dtype=int)
        for k, sublattice in enumerate(self.sublattices):
            found[list(sublattice.sites)] = k
        return found

    @cached_property
    def rotations(self) -> Float[np.ndarray, "operations 3 3"]:
        """Rotations of the average structure in fractional coordinates, which act on columns."""
        found = average_symmetry(self.lattice, self.frac, self.of_site.tolist())
        return np.eye(3)[None] if found is None else np.unique(found.fractional.numpy(), axis=0).astype(float)

    @cached_property
    def room(self) -> tuple[tuple[frozenset[int], int], ...]:
        """Sublattices, alone and together, whose sites clash, and how many of their sites in a cell can be filled."""
        near: dict[int, set[int]] = {}
        for a, b, *_ in self.clashes.tolist():
            near.setdefault(a, set()).add(b)
            near.setdefault(b, set()).add(a)
        together: list[set[int]] = []
        for a, others in near.items():
            own = set(self.of_site[[a, *others]].tolist())
            for group in [g for g in together if g & own]:
                together.remove(group)
                own |= group
            together.append(own)
        alone = [{k} for k in sorted(set(self.of_site[list(near)].tolist()))]
        return tuple((frozenset(group), self._fillable(group, near)) for group in (*alone, *together))

    def _fillable(self, group: set[int], near: Mapping[int, set[int]]) -> int:
        """Return how many sites of some sublattices can be filled: those with the fewest neighbours first."""
        left = {site for k in group for site in self.sublattices[k].sites}
        count = 0
        while left:
            site = min(left, key=lambda a: (len(near.get(a, set()) & left), a))
            left -= {site, *near.get(site, set())}
            count += 1
        return count

    @property
    def atoms(self) -> float:
        """Atoms in the cell, on average."""
        return sum(len(s.sites) * (1 - s.occupancy.get(VACANT, 0.0)) for s in self.sublattices)

    @property
    def composition(self) -> dict[str, float]:
        """Element symbol to atoms in the cell, on average."""
        found: dict[str, float] = {}
        for sublattice in self.sublattices:
            for symbol, share in sublattice.occupancy.items():
                if symbol != VACANT:
                    found[symbol] = found.get(symbol, 0.0) + share * len(sublattice.sites)
        return found


def average_symmetry(
    lattice: Float[np.ndarray, "3 3"], frac: Float[np.ndarray, "sites 3"], kinds: Sequence[int]
) -> SymmetryConstraint | None:
    """Return the symmetry of sites that differ by their kind alone; None where it cannot be found.

    Args:
        lattice: The cell, rows in Å, of shape (3, 3).
        frac: Fractional coordinates of the sites, of shape (sites, 3).
        kinds: A number for each site.
    """
    marked = marked_sites(lattice, frac, kinds)
    return None if marked is None else SymmetryConstraint.of(marked, SYMPREC)


def marked_sites(
    lattice: Float[np.ndarray, "3 3"], frac: Float[np.ndarray, "sites 3"], kinds: Sequence[int]
) -> Structure | None:
    """Return sites as a structure, each kind as an element of its own; None where there are more than 80 kinds.

    Args:
        lattice: The cell, rows in Å, of shape (3, 3).
        frac: Fractional coordinates of the sites, of shape (sites, 3).
        kinds: A number from 0 for each site, whose numbers leave none out.
    """
    from pymatgen.core import Element, Lattice, Structure

    if len(set(kinds)) > _MARKS:
        return None
    return Structure(Lattice(lattice), [Element.from_Z(1 + kind) for kind in kinds], frac)
