"""Schedule, the ladder of noise levels: sigmas in Å that fall and end in 0, which is the clean crystal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from chggen.crystals import mixing_length


def sigma_max(lattice: Float[Tensor, "crystals 3 3"], cap: float) -> Float[Tensor, "crystals"]:
    """Return the largest useful noise level of each crystal: half the largest spacing of its lattice planes.

    At this level the slowest Fourier mode of the noise on the torus has decayed to exp(−2π²σ²/d²) < 1 %, d being that
    spacing. So the noise is uniform in the cell and more would change nothing.

    Args:
        lattice: Lattices of shape (crystals, 3, 3), rows in Å.
        cap: Upper limit, in Å.

    Returns:
        Noise levels of shape (crystals,), in Å.
    """
    return (0.5 * mixing_length(lattice)).clamp(max=cap)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A ladder of noise levels that falls from each crystal's `sigma_max` to `smallest`, followed by 0.

    Levels fall geometrically. With a knee they fall geometrically on both sides of it, at different rates: above the
    knee atoms choose their sites and need more levels, below it they only settle.

    Attributes:
        n_levels: Number of levels above 0, at least 2.
        smallest: Lowest level above 0, in Å.
        largest: Upper limit of the first level, in Å. Crystals with a smaller `sigma_max` start there.
        knee: Level in Å at which the rate changes. None has one rate throughout.
        share: Share of the steps between levels that lies above the knee, between 0 and 1.
        mixed: The first level as a share of the crystal's `sigma_max`, at which noise is uniform in the cell; above 0
            and at most 1. Atoms that start uniform learn next to nothing of their sites far above half of it.

    Raises:
        ValueError: There are fewer than two levels, the levels are not in order, or the knee or its share lies out of
            range.
    """

    n_levels: int
    smallest: float = 0.01
    largest: float = 10.0
    knee: float | None = None
    share: float = 0.75
    mixed: float = 1.0

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
        if not 0 < self.mixed <= 1:
            raise ValueError(f"mixed must be above 0 and at most 1, got {self.mixed}")

    def sigmas(self, lattice: Float[Tensor, "crystals 3 3"]) -> Float[Tensor, "levels crystals"]:
        """Return the ladder of each crystal.

        Args:
            lattice: Lattices of shape (crystals, 3, 3), rows in Å.

        Returns:
            Levels of shape (n_levels + 1, crystals), in Å: `n_levels` falling levels and a last row of zeros.
        """
        top = (self.mixed * sigma_max(lattice, torch.inf)).clamp(min=2 * self.smallest, max=self.largest)
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
    """Return n levels from top to bottom, both included, whose ratios are equal."""
    fraction = torch.linspace(0, 1, n, dtype=top.dtype, device=top.device)[:, None]
    ladder: Tensor = top ** (1 - fraction) * bottom**fraction
    return ladder
