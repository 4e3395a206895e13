"""Ladders of noise levels: a schedule is an array of sigmas, Å, falling, ending in 0 (the clean crystal)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from chggen.crystals import mixing_length


def sigma_max(lattice: Float[Tensor, "crystals 3 3"], cap: float) -> Float[Tensor, "crystals"]:
    """The level at which noise on each torus is uniform to 1 %: half its mixing length, at most cap, Å."""
    return (0.5 * mixing_length(lattice)).clamp(max=cap)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Ladder of n_levels from each crystal's sigma_max (at most `largest`) down to `smallest`, Å, then 0.

    Geometric; where a `knee` (Å) is given, a `share` of the levels lies above it, geometric on both sides: above it
    atoms choose their sites, below it they only settle.
    """

    n_levels: int
    smallest: float = 0.01
    largest: float = 10.0
    knee: float | None = None
    share: float = 0.75

    def __post_init__(self) -> None:
        if self.n_levels < 2 or not 0 < self.smallest < self.largest:
            raise ValueError(
                f"a schedule needs n_levels >= 2 and 0 < smallest < largest, got {self.n_levels} levels, "
                f"{self.smallest} and {self.largest} Å"
            )
        if self.knee is not None and not (self.smallest < self.knee < self.largest and 0 < self.share < 1):
            raise ValueError(
                f"a knee lies between {self.smallest} and {self.largest} Å, its share between 0 and 1, "
                f"got {self.knee} Å and {self.share}"
            )

    def sigmas(self, lattice: Float[Tensor, "crystals 3 3"]) -> Float[Tensor, "levels crystals"]:
        """The ladder of each crystal: n_levels falling levels and a last row of zeros."""
        top = sigma_max(lattice, self.largest).clamp(min=2 * self.smallest)
        bottom = torch.full_like(top, self.smallest)
        n_coarse = 0 if self.knee is None else round(self.share * (self.n_levels - 1))
        if self.knee is None or not 0 < n_coarse < self.n_levels - 1:
            ladder = _geometric(top, bottom, self.n_levels)
        else:
            between = torch.maximum(top / 2, torch.sqrt(top * bottom))  # small cells start below the knee
            knee = between.clamp(max=self.knee)
            coarse = _geometric(top, knee, n_coarse + 1)[:-1]
            ladder = torch.cat([coarse, _geometric(knee, bottom, self.n_levels - n_coarse)])
        return torch.cat([ladder, torch.zeros_like(top)[None]])


def _geometric(
    top: Float[Tensor, "crystals"], bottom: Float[Tensor, "crystals"], n: int
) -> Float[Tensor, "levels crystals"]:
    fraction = torch.linspace(0, 1, n, dtype=top.dtype, device=top.device)[:, None]
    ladder: Tensor = top ** (1 - fraction) * bottom**fraction
    return ladder
