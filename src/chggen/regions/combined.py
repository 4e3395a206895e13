"""Regions made of others: what lies in any of them, in all of them, or not in one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from chggen.regions.protocol import Region
from chggen.regions.shapes import Shape


@dataclass(frozen=True, eq=False)
class _OfParts(Shape):
    """A region that several others make up.

    Attributes:
        parts: The regions.
    """

    parts: tuple[Region, ...]


class EitherOf(_OfParts):
    """What lies in any of its parts."""

    def contains(self, positions: Float[np.ndarray, "positions 3"]) -> Bool[np.ndarray, "positions"]:
        """Return which positions lie in any of the regions.

        Args:
            positions: Cartesian positions of shape (positions, 3), in Å.
        """
        return np.asarray(np.any([part.contains(positions) for part in self.parts], axis=0))


class BothOf(_OfParts):
    """What lies in all of its parts."""

    def contains(self, positions: Float[np.ndarray, "positions 3"]) -> Bool[np.ndarray, "positions"]:
        """Return which positions lie in all of the regions.

        Args:
            positions: Cartesian positions of shape (positions, 3), in Å.
        """
        return np.asarray(np.all([part.contains(positions) for part in self.parts], axis=0))


@dataclass(frozen=True, eq=False)
class Without(Shape):
    """What does not lie in a region.

    Attributes:
        part: The region.
    """

    part: Region

    def contains(self, positions: Float[np.ndarray, "positions 3"]) -> Bool[np.ndarray, "positions"]:
        """Return which positions do not lie in the region.

        Args:
            positions: Cartesian positions of shape (positions, 3), in Å.
        """
        return np.asarray(~self.part.contains(positions))
