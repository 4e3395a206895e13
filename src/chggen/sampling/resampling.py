"""Walks: the order in which a sampler visits the levels of a schedule, as pairs (level_from, level_to).

Level 0 is the noisiest; a pair with level_to > level_from is a denoising step, one with level_to < level_from jumps
up again by adding noise (RePaint, Lugmayr et al., CVPR 2022).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Walk:
    """Down `jump_length` levels, up again and down, until each stretch was walked `n_resample` times.

    n_resample = 1 walks straight down. Raises ValueError for values below 1.
    """

    n_resample: int = 1
    jump_length: int = 1

    def __post_init__(self) -> None:
        if self.n_resample < 1 or self.jump_length < 1:
            raise ValueError(
                f"n_resample and jump_length must be at least 1, got {self.n_resample} and {self.jump_length}"
            )

    def steps(self, n_levels: int) -> list[tuple[int, int]]:
        """The pairs over levels 0 … n_levels, the last one being the clean crystal."""
        pairs: list[tuple[int, int]] = []
        for top in range(0, n_levels, self.jump_length):
            bottom = min(top + self.jump_length, n_levels)
            down = [(level, level + 1) for level in range(top, bottom)]
            for again in range(self.n_resample):
                if again:
                    pairs.append((bottom, top))
                pairs.extend(down)
        return pairs
