"""Where guests have room in a cell: distances to what is held, and how free each position is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from chggen.symmetry.group import Group
from chggen.symmetry.wyckoff import WyckoffPosition

_CONTACT: Final = 0.75  # of the sum of covalent radii: nearer than this guests are not started
_POINTS: Final = (1, 16, 48, 96)  # where a position of that much freedom is looked at for free volume
_IMAGES: Final = np.array(list(product((-1.0, 0.0, 1.0), repeat=3)))


@dataclass(frozen=True, eq=False)
class FreeVolume:
    """The cell (rows, Å), what is held in it, and the guests to come: atomic number → count."""

    lattice: Float[np.ndarray, "3 3"]
    frac: Float[np.ndarray, "host 3"]
    numbers: Int[np.ndarray, "host"]
    guests: Mapping[int, int]

    def distances(self, points: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Shortest distances (points, others), Å."""
        return np.asarray(self.lengths(points[:, None] - others))

    def lengths(self, off: Float[np.ndarray, "*many 3"]) -> Float[np.ndarray, "*many"]:
        """Lengths of the nearest images of fractional vectors, Å."""
        cart = (off - np.round(off)) @ self.lattice
        squares = (cart**2).sum(axis=-1)[..., None] + 2 * cart @ self._shifts.T + (self._shifts**2).sum(axis=-1)
        found: np.ndarray = np.sqrt(np.clip(squares.min(axis=-1), 0, None))
        return found

    @cached_property
    def _shifts(self) -> np.ndarray:
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
        """For each point of a position the closest contact of its orbit, over the least that is allowed.

        number: the atomic number of what is put there; frac and held: places and atomic numbers of what is there.
        """
        from ase.data import covalent_radii

        own = covalent_radii[number]
        closest = np.full(len(points), np.inf)
        if len(frac):
            limit = _CONTACT * (own + covalent_radii[held])
            closest = (self.distances(points, frac) / limit).min(axis=1)
        if position.multiplicity > 1:
            sites = position.sites(group, points)
            among = self.lengths(sites[:, 1:] - sites[:, :1]).min(axis=1)
            closest = np.minimum(closest, among / (2 * _CONTACT * own))
        return closest

    def room(self, group: Group, positions: Sequence[WyckoffPosition]) -> Float[np.ndarray, "positions species"]:
        """Share of the points of each position at which each guest species has room; 0 closes it."""
        found = np.zeros((len(positions), len(self.guests)))
        for p, position in enumerate(positions):
            tries = position.points(_POINTS[position.freedom], np.random.default_rng(0))
            for s, z in enumerate(self.guests):
                contact = self.contact(group, position, z, tries, self.frac, self.numbers)
                # A position that looks closed may have a narrow opening: it stays possible, though hardly.
                found[p, s] = max((contact >= 1).mean(), 1e-3 if position.freedom and contact.max() > 0.9 else 0.0)
        return found
