"""Region, the protocol of the parts of a cell that guests may fill."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float


@runtime_checkable
class Region(Protocol):
    """A part of a cell. Positions are Cartesian, in Å; a position and its periodic images are the same place.

    Example:
        The upper half of a cell that is 20 Å high, its third axis along z:

            class UpperHalf:
                def contains(self, positions):
                    return positions[:, 2] % 20 > 10

                def draw(self, n, rng):
                    return rng.random((n, 3)) * [4, 4, 10] + [0, 0, 10]
    """

    def contains(self, positions: Float[np.ndarray, "positions 3"]) -> Bool[np.ndarray, "positions"]:
        """Return which positions lie in the region.

        Args:
            positions: Cartesian positions of shape (positions, 3), in Å. They may lie outside the cell.
        """
        ...

    def draw(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "n 3"]:
        """Return positions in the region at random, uniform in its volume.

        Args:
            n: How many.
            rng: Random numbers. Whatever is random has to come from here.

        Raises:
            InputError: Nothing of the cell lies in the region.
        """
        ...
