"""The shapes of regions: slabs between planes, spheres, cylinders, boxes, and what is near some atoms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Bool, Float

from chggen.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Lattice

_BATCH: Final = 4096  # positions that are drawn at once
_BATCHES: Final = 100  # until a region counts as empty
_AROUND: Final = np.array(list(product(range(-3, 4), repeat=2)))  # images across a cylinder


@dataclass(frozen=True, eq=False)
class Shape(ABC):
    """A region of a cell that says which positions it contains; they are drawn by trying.

    Attributes:
        lattice: The cell.
    """

    lattice: Lattice

    @abstractmethod
    def contains(self, positions: Float[np.ndarray, "positions 3"]) -> Bool[np.ndarray, "positions"]:
        """Return which positions lie in the region.

        Args:
            positions: Cartesian positions of shape (positions, 3), in Å.
        """

    def draw(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "n 3"]:
        """Return positions in the region at random, uniform in its volume.

        Args:
            n: How many.
            rng: Random numbers.

        Raises:
            InputError: Less than a millionth of the cell lies in the region.
        """
        found = np.zeros((0, 3))
        for _ in range(_BATCHES):
            if len(found) >= n:
                return np.asarray(found[:n])
            tried = rng.random((_BATCH, 3)) @ self.lattice.matrix
            found = np.concatenate([found, tried[self.contains(tried)]])
        if len(found) >= n:
            return np.asarray(found[:n])
        raise InputError("nothing of the cell lies in the region; expected a part of the cell, so make it larger")

    def _frac(self, positions: np.ndarray) -> np.ndarray:
        return np.asarray(self.lattice.get_fractional_coords(positions))


@dataclass(frozen=True, eq=False)
class Slab(Shape):
    """What lies between two lattice planes of a family.

    Attributes:
        plane: Miller indices of the planes in this cell; (0, 0, 1) for heights along the normal of the first two axes.
        low: Height of the lower plane above the origin, Å.
        high: Height of the upper plane, Å.

    Raises:
        InputError: The planes are not in order, or nothing or all of the cell lies between them.
    """

    plane: tuple[int, int, int]
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise InputError(
                f"the region goes from {self.low:g} to {self.high:g} Å; expected two planes, the lower one first"
            )
        if self.low >= self.period or self.high <= 0:
            raise InputError(
                f"the region from {self.low:g} to {self.high:g} Å lies outside the cell; expected heights from 0 to "
                f"{self.period:.2f} Å along that normal"
            )
        if self.high - self.low >= self.period:
            raise InputError(
                f"from {self.low:g} to {self.high:g} Å is all of the cell, whose planes ({self._indices}) repeat every "
                f"{self.period:.2f} Å; expected less, so ask for less or leave it out"
            )

    @cached_property
    def period(self) -> float:
        """Distance after which the planes repeat in the cell, Å."""
        return float(self.lattice.d_hkl(self.plane))

    def contains(self, positions: Float[np.ndarray, "positions 3"]) -> Bool[np.ndarray, "positions"]:
        """Return which positions lie between the planes.

        Args:
            positions: Cartesian positions of shape (positions, 3), in Å.
        """
        height = self._frac(positions) @ np.array(self.plane) * self.period
        return np.asarray((height - self.low) % self.period <= self.high - self.low)

    @property
    def _indices(self) -> str:
        return " ".join(map(str, self.plane))


@dataclass(frozen=True, eq=False)
class Sphere(Shape):
    """What lies within a radius of a point.

    Attributes:
        centre: Fractional coordinates of the point.
        radius: Å.
    """

    centre: tuple[float, float, float]
    radius: float

    def contains(self, positions: Float[np.ndarray, "positions 3"]) -> Bool[np.ndarray, "positions"]:
        """Return which positions lie in the sphere or one of its periodic images.

        Args:
            positions: Cartesian positions of shape (positions, 3), in Å.
        """
        if not len(positions):
            return np.zeros(0, dtype=bool)
        return np.asarray(self.lattice.get_all_distances(self._frac(positions), [self.centre])[:, 0] <= self.radius)


@dataclass(frozen=True, eq=False)
class Cylinder(Shape):
    """What lies within a radius of a line along an axis of the cell.

    Attributes:
        point: Fractional coordinates of a point on the line.
        axis: Number of the axis, 0 to 2.
        radius: Å.
    """

    point: tuple[float, float, float]
    axis: int
    radius: float

    def contains(self, positions: Float[np.ndarray, "positions 3"]) -> Bool[np.ndarray, "positions"]:
        """Return which positions lie in the cylinder or one of its periodic images.

        Args:
            positions: Cartesian positions of shape (positions, 3), in Å.
        """
        along = self.lattice.matrix[self.axis] / np.linalg.norm(self.lattice.matrix[self.axis])
        others = [k for k in range(3) if k != self.axis]
        across = self.lattice.matrix[others] - np.outer(self.lattice.matrix[others] @ along, along)
        off = self._frac(positions)[:, others] - np.array(self.point)[others]
        near = (off - np.round(off))[:, None] + _AROUND
        return np.asarray(np.linalg.norm(near @ across, axis=-1).min(1) <= self.radius)


@dataclass(frozen=True, eq=False)
class Box(Shape):
    """What lies between two fractional coordinates along each axis.

    Attributes:
        low: Fractional coordinates of one corner.
        high: Fractional coordinates of the opposite corner, each above that of the first.

    Raises:
        InputError: A side has no length.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not all(a < b for a, b in zip(self.low, self.high, strict=True)):
            raise InputError(
                f"a box goes from lower to higher fractional coordinates; got {self.low} to {self.high}; as x0 x1 y0 "
                "y1 z0 z1"
            )

    def contains(self, positions: Float[np.ndarray, "positions 3"]) -> Bool[np.ndarray, "positions"]:
        """Return which positions lie in the box or one of its periodic images.

        Args:
            positions: Cartesian positions of shape (positions, 3), in Å.
        """
        side = np.array(self.high) - np.array(self.low)
        return np.asarray(((self._frac(positions) - np.array(self.low)) % 1.0 <= side).all(1))


@dataclass(frozen=True, eq=False)
class Near(Shape):
    """What lies within a distance of some atoms.

    Attributes:
        atoms: Fractional coordinates of the atoms, of shape (atoms, 3).
        radius: Å.
    """

    atoms: Float[np.ndarray, "atoms 3"]
    radius: float

    def contains(self, positions: Float[np.ndarray, "positions 3"]) -> Bool[np.ndarray, "positions"]:
        """Return which positions lie near one of the atoms.

        Args:
            positions: Cartesian positions of shape (positions, 3), in Å.
        """
        if not len(positions) or not len(self.atoms):
            return np.zeros(len(positions), dtype=bool)
        return np.asarray((self.lattice.get_all_distances(self._frac(positions), self.atoms) <= self.radius).any(1))
