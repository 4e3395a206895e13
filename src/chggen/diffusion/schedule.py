"""Ladders of noise levels: a schedule is an array of sigmas, Å, falling, ending in 0 (the clean crystal)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from chggen.lattice import mixing_length


def sigma_max(lattice: Float[Tensor, "crystals 3 3"], cap: float) -> Float[Tensor, "crystals"]:
    """The level at which noise on each torus is uniform to 1 %: half its mixing length, at most cap, Å."""
    return (0.5 * mixing_length(lattice)).clamp(max=cap)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Geometric ladder of n_levels from each crystal's sigma_max (at most `largest`) to `smallest`, Å, then 0."""

    n_levels: int
    smallest: float = 0.01
    largest: float = 10.0

    def __post_init__(self) -> None:
        if self.n_levels < 2 or not 0 < self.smallest < self.largest:
            raise ValueError(
                f"a schedule needs n_levels >= 2 and 0 < smallest < largest, got {self.n_levels} levels, "
                f"{self.smallest} and {self.largest} Å"
            )

    def sigmas(self, lattice: Float[Tensor, "crystals 3 3"]) -> Float[Tensor, "levels crystals"]:
        """The ladder of each crystal: n_levels falling levels and a last row of zeros."""
        top = sigma_max(lattice, self.largest).clamp(min=2 * self.smallest)
        fraction = torch.linspace(0, 1, self.n_levels, dtype=lattice.dtype, device=lattice.device)[:, None]
        ladder = top ** (1 - fraction) * self.smallest**fraction
        return torch.cat([ladder, torch.zeros_like(top)[None]])
