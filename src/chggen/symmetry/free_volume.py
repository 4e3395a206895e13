"""FreeVolume: where guests have room in a cell, judged by distances to the host atoms and to their own images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from chggen.symmetry.group import Group
from chggen.symmetry.wyckoff import WyckoffPosition

_CONTACT: Final = 0.75  # of the sum of covalent radii; guests are not started nearer than this
_POINTS: Final = (1, 16, 48, 96)  # how many points to try on a position with 0, 1, 2 and 3 free coordinates
_NARROW: Final = 6  # times as many where a species may not be everywhere
_IMAGES: Final = np.array(list(product((-1.0, 0.0, 1.0), repeat=3)))


@dataclass(frozen=True, eq=False)
class FreeVolume:
    """A cell with its host atoms, and the guests that are to be placed in it.

    Attributes:
        lattice: Lattice vectors in rows, of shape (3, 3), in Å.
        frac: Fractional coordinates of the host atoms, of shape (host, 3). An empty host has none.
        numbers: Atomic numbers of the host atoms, of shape (host,).
        guests: Number of guests by atomic number.
        inside: Atomic number of a guest to what tells which Cartesian positions, of shape (positions, 3), in Å, it may
            take. Guests that are not named may take any.
    """

    lattice: Float[np.ndarray, "3 3"]
    frac: Float[np.ndarray, "host 3"]
    numbers: Int[np.ndarray, "host"]
    guests: Mapping[int, int]
    inside: Mapping[int, Callable[[np.ndarray], np.ndarray]] = field(default_factory=dict)

    def distances(self, points: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the shortest distances between points under periodic boundary conditions.

        Args:
            points: Fractional coordinates of shape (points, 3).
            others: Fractional coordinates of shape (others, 3).

        Returns:
            Distances of shape (points, others), in Å.
        """
        return np.asarray(self.lengths(points[:, None] - others))

    def lengths(self, off: Float[np.ndarray, "*many 3"]) -> Float[np.ndarray, "*many"]:
        """Return the lengths of the shortest periodic images of vectors.

        The 27 images around the nearest one in fractional coordinates are compared. In a very skewed cell that is not
        reduced, a shorter image may lie outside these.

        Args:
            off: Fractional vectors of shape (..., 3).

        Returns:
            Lengths of shape (...), in Å.
        """
        cart = (off - np.round(off)) @ self.lattice
        squares = (cart**2).sum(axis=-1)[..., None] + 2 * cart @ self._shifts.T + (self._shifts**2).sum(axis=-1)
        found: np.ndarray = np.sqrt(np.clip(squares.min(axis=-1), 0, None))
        return found

    @cached_property
    def _shifts(self) -> np.ndarray:
        """Cartesian translations to the 27 cells around, of shape (27, 3), in Å."""
        return np.asarray(_IMAGES @ self.lattice)

    def contact(
        self,
        group: Group,
        position: WyckoffPosition,
        number: int,
        points: np.ndarray,
        frac: np.ndarray,
        held: np.ndarray,
    ) -> np.ndarray:
        """Return how close an orbit would come to other atoms and to itself, for several points of a position.

        A contact is a distance divided by the shortest that is allowed, which is 0.75 times the sum of the covalent
        radii. An orbit with a contact of at least 1 has room; that of an orbit which leaves where it may be is 0.

        Args:
            group: The group that the position's operations are indices of.
            position: The Wyckoff position.
            number: Atomic number of the species to place.
            points: Representatives on the position, fractional, of shape (points, 3).
            frac: Fractional coordinates of the atoms that are already there, of shape (atoms, 3).
            held: Their atomic numbers, of shape (atoms,).

        Returns:
            The smallest contact of each orbit, of shape (points,); infinite where there is nothing to touch.
        """
        if number not in self.inside:
            return _contact(number, self._distances(group, position, points, frac), held)
        sites = position.sites(group, points)
        within = self.inside[number]((sites.reshape(-1, 3) % 1.0) @ self.lattice).reshape(sites.shape[:2]).all(axis=1)
        contact = np.zeros(len(points))
        contact[within] = _contact(number, self._distances(group, position, points[within], frac), held)
        return contact

    def tries(self, position: WyckoffPosition, number: int, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw representatives of orbits of a species, more of them where it may not be everywhere.

        Args:
            position: The Wyckoff position.
            number: Atomic number of the species.
            n: How many to draw of a position with free coordinates, where the species may be everywhere.
            rng: Random numbers.

        Returns:
            Fractional coordinates of shape (points, 3).
        """
        return position.points((n * (_NARROW if number in self.inside else 1)) if position.freedom else 1, rng)

    def _distances(
        self, group: Group, position: WyckoffPosition, points: np.ndarray, frac: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the distances from points of a position to atoms, and to the nearest other site of their orbit, Å."""
        among = np.full(len(points), np.inf)
        if position.multiplicity > 1:
            sites = position.sites(group, points)
            among = self.lengths(sites[:, 1:] - sites[:, :1]).min(axis=1)
        return self.distances(points, frac), among

    def room(self, group: Group, positions: Sequence[WyckoffPosition]) -> Float[np.ndarray, "positions species"]:
        """Return how much room each position has for each guest species, beside the host atoms.

        Args:
            group: The group that the positions' operations are indices of.
            positions: Wyckoff positions.

        Returns:
            The share of tried points that have room, of shape (positions, species), species in the order of `guests`.
            0 means that the species cannot take the position.
        """
        found = np.zeros((len(positions), len(self.guests)))
        for p, position in enumerate(positions):
            n, shared = _POINTS[position.freedom], None
            for s, z in enumerate(self.guests):
                points = self.tries(position, z, n, np.random.default_rng(0))
                if z in self.inside:
                    contact = self.contact(group, position, z, points, self.frac, self.numbers)
                else:
                    shared = shared or self._distances(group, position, points, self.frac)
                    contact = _contact(z, shared, self.numbers)
                # The points may have missed a narrow opening: such a position keeps a small chance.
                found[p, s] = max((contact >= 1).mean(), 1e-3 if position.freedom and contact.max() > 0.9 else 0.0)
        return found


def _contact(number: int, distances: tuple[np.ndarray, np.ndarray], held: np.ndarray) -> np.ndarray:
    """Return the smallest contact of orbits of a species, of shape (points,), from distances to others and within."""
    from ase.data import covalent_radii

    to_others, among = distances
    own = covalent_radii[number]
    closest = (to_others / (_CONTACT * (own + covalent_radii[held]))).min(axis=1, initial=np.inf)
    return np.asarray(np.minimum(closest, among / (2 * _CONTACT * own)))
