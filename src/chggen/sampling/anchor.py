"""Anchors: where the host atoms stand while guests are sampled, and which noise level the network is told they have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from chggen.crystals import Crystals


@runtime_checkable
class Anchor(Protocol):
    """Protocol of the rules that hold the host."""

    def hold(
        self,
        crystals: Crystals,
        host: Crystals,
        sigma: Float[Tensor, "atoms"],
        noise: Callable[[], Tensor],
    ) -> Crystals:
        """Put the host atoms where they belong at a level.

        Args:
            crystals: The crystals as sampled so far.
            host: The same crystals as handed to the sampler: the clean host.
            sigma: Level of each atom's crystal in Å, shape (atoms,).
            noise: Draws standard normal numbers of shape (atoms, 3). An anchor that needs none does not call it and so
                leaves the generators as they are.

        Returns:
            The crystals with host atoms moved to their places, guests as they are.
        """
        ...

    def levels(self, crystals: Crystals, sigma: Float[Tensor, "atoms"]) -> Float[Tensor, "atoms"]:
        """Return the noise levels that the network is told.

        Args:
            crystals: The crystals as sampled so far.
            sigma: Level of each atom's crystal in Å, shape (atoms,).

        Returns:
            Level of each atom in Å, shape (atoms,).
        """
        ...


@dataclass(frozen=True)
class Clamp:
    """The clean host at every level.

    With a network trained on noise per atom this samples the exact conditional law of the guests given the host.

    Attributes:
        uncertainty: Error of the host positions that the network is told, standard deviation in Å; 0 for a host known
            to be right. At levels below it the level itself is told.
    """

    uncertainty: float = 0.0

    def hold(self, crystals: Crystals, host: Crystals, sigma: Tensor, noise: Callable[[], Tensor]) -> Crystals:
        """Return the crystals as they are, since host atoms never move.

        Args:
            crystals: The crystals as sampled so far.
            host: Not used.
            sigma: Not used.
            noise: Not called.

        Returns:
            The same crystals.
        """
        return crystals

    def levels(self, crystals: Crystals, sigma: Tensor) -> Tensor:
        """Return the crystal's level for guests and at most `uncertainty` for host atoms.

        Args:
            crystals: The crystals as sampled so far.
            sigma: Level of each atom's crystal in Å, shape (atoms,).

        Returns:
            Level of each atom in Å, shape (atoms,).
        """
        return torch.where(crystals.guest, sigma, torch.clamp(sigma, max=self.uncertainty))


@dataclass(frozen=True)
class Renoise:
    """The host noised afresh at every level, as the paper does with a joint score (eqs. 7 and 8)."""

    def hold(self, crystals: Crystals, host: Crystals, sigma: Tensor, noise: Callable[[], Tensor]) -> Crystals:
        """Put the host atoms at their clean positions plus fresh noise of the level.

        Args:
            crystals: The crystals as sampled so far.
            host: The same crystals with the clean host.
            sigma: Level of each atom's crystal in Å, shape (atoms,).
            noise: Draws standard normal numbers of shape (atoms, 3).

        Returns:
            The crystals with a newly noised host, guests as they are.
        """
        noised = host.moved(sigma[:, None] * noise()).frac_coords
        return replace(crystals, frac_coords=torch.where(crystals.guest[:, None], crystals.frac_coords, noised))

    def levels(self, crystals: Crystals, sigma: Tensor) -> Tensor:
        """Return the crystal's level for host atoms and guests alike.

        Args:
            crystals: The crystals as sampled so far.
            sigma: Level of each atom's crystal in Å, shape (atoms,).

        Returns:
            The same levels.
        """
        return sigma
