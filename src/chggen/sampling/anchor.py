"""Anchors: the rules that hold the host while guests are sampled."""

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
    """Where the host atoms stand at a level, and which noise level the network is told they have."""

    def hold(
        self,
        crystals: Crystals,
        host: Crystals,
        sigma: Float[Tensor, "atoms"],
        noise: Callable[[], Tensor],
    ) -> Crystals:
        """Crystals whose host atoms stand where they belong at level sigma (Å), guests as they are.

        noise draws standard normal numbers (atoms 3); an anchor that needs none leaves the generators alone.
        """
        ...

    def levels(self, crystals: Crystals, sigma: Float[Tensor, "atoms"]) -> Float[Tensor, "atoms"]:
        """The noise level of every atom as the network sees it, Å."""
        ...


@dataclass(frozen=True)
class Clamp:
    """The clean host throughout: the exact conditional of a network trained with per-atom noise.

    uncertainty (Å) is what the network is told of the host's own error; 0 for a host known to be right.
    """

    uncertainty: float = 0.0

    def hold(self, crystals: Crystals, host: Crystals, sigma: Tensor, noise: Callable[[], Tensor]) -> Crystals:
        return crystals

    def levels(self, crystals: Crystals, sigma: Tensor) -> Tensor:
        return torch.where(crystals.guest, sigma, torch.clamp(sigma, max=self.uncertainty))


@dataclass(frozen=True)
class Renoise:
    """The host noised afresh at every level, as the paper does with a joint score (eqs. 7 and 8)."""

    def hold(self, crystals: Crystals, host: Crystals, sigma: Tensor, noise: Callable[[], Tensor]) -> Crystals:
        stand = host.moved(sigma[:, None] * noise()).frac_coords
        return replace(crystals, frac_coords=torch.where(crystals.guest[:, None], crystals.frac_coords, stand))

    def levels(self, crystals: Crystals, sigma: Tensor) -> Tensor:
        return sigma
