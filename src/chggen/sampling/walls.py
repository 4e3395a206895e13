"""Walls: guests that stay in a region while they are sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from chggen.crystals import Crystals
from chggen.regions import Region

_HALVINGS: Final = 8  # of the way to a wall, which is thus found to half a hundredth of it


@runtime_checkable
class Walls(Protocol):
    """Protocol of what keeps guests in their regions."""

    def start(self, frac: Float[Tensor, "atoms 3"]) -> Float[Tensor, "atoms 3"]:
        """Return where the guests start.

        Args:
            frac: Where they would start without walls, fractional, shape (atoms, 3).
        """
        ...

    def confined(
        self, crystals: Crystals, clean: Float[Tensor, "atoms 3"], inside: Float[Tensor, "atoms 3"]
    ) -> Float[Tensor, "atoms 3"]:
        """Return where atoms are expected, none behind a wall.

        Args:
            crystals: The crystals, for their lattices.
            clean: Where the network expects the atoms, fractional, shape (atoms, 3).
            inside: Places of the atoms that lie in their regions, fractional, shape (atoms, 3).
        """
        ...


@dataclass(frozen=True)
class NoWalls:
    """The `Walls` of guests that may go anywhere."""

    def start(self, frac: Tensor) -> Tensor:
        """Return the positions as they are.

        Args:
            frac: Fractional positions, shape (atoms, 3).
        """
        return frac

    def confined(self, crystals: Crystals, clean: Tensor, inside: Tensor) -> Tensor:
        """Return the positions as they are.

        Args:
            crystals: Not used.
            clean: Fractional positions, shape (atoms, 3).
            inside: Not used.
        """
        return clean


NO_WALLS: Final = NoWalls()


@dataclass(frozen=True, eq=False)
class RegionWalls:
    """Walls around regions, at which the expected positions of guests end.

    The walls act on where the network expects the clean positions, not on noisy ones. Inside nothing changes: noise
    may lead out of the region, and the network sees guests as it was trained to see them. What is expected behind a
    wall is drawn back to where the way there, from a place inside, crosses the wall.

    Attributes:
        starts: Where atoms start, fractional, shape (atoms, 3).
        parts: Regions, each with the numbers of the atoms of the batch that stay in it.
    """

    starts: Float[Tensor, "atoms 3"]
    parts: Sequence[tuple[Region, Int[np.ndarray, "_"]]]

    def start(self, frac: Tensor) -> Tensor:
        """Return the starts of the atoms that stay in regions, and the other positions as they are.

        Args:
            frac: Fractional positions, shape (atoms, 3).
        """
        found = frac.clone()
        for _, own in self.parts:
            found[own] = self.starts[own].to(frac)
        return found

    def confined(self, crystals: Crystals, clean: Tensor, inside: Tensor) -> Tensor:
        """Return where atoms are expected, those behind a wall drawn back to it.

        Args:
            crystals: The crystals, for their lattices.
            clean: Where the network expects the atoms, fractional, shape (atoms, 3).
            inside: Places of the atoms that lie in their regions, fractional, shape (atoms, 3).
        """
        found = clean.clone()
        lattices = crystals.lattice.double().cpu().numpy()
        index = crystals.crystal_index.cpu().numpy()
        for region, own in self.parts:
            matrix = lattices[index[own[0]]]
            ends = clean[own].double().cpu().numpy()
            outside = ~region.contains(ends @ matrix)
            if not outside.any():
                continue
            away = ends[outside]
            back = inside[own[outside]].double().cpu().numpy() - away
            back -= np.round(back)
            found[own[outside]] = torch.from_numpy(away + _share(region, away, back, matrix)[:, None] * back).to(found)
        return found


def _share(region: Region, away: np.ndarray, back: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return the share of the way back, of shape (positions,), that leads just into a region."""
    outside, within = np.zeros(len(away)), np.ones(len(away))
    for _ in range(_HALVINGS):
        middle = (outside + within) / 2
        contained = region.contains((away + middle[:, None] * back) @ matrix)
        within = np.where(contained, middle, within)
        outside = np.where(contained, outside, middle)
    return within
