"""Walks: the order in which a sampler visits the levels of a schedule (RePaint, Lugmayr et al., CVPR 2022).

Levels are numbered from 0, the noisiest. A walk is a list of pairs (level, next level). A pair to a higher number is a
denoising step. A pair to a lower number jumps back up by adding noise.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A walk that takes the levels in stretches and repeats each stretch.

    A stretch is walked down, then noise is added to return to its top, and so on until it was walked `n_resample`
    times. The repetition lets guests and host settle with each other.

    Attributes:
        n_resample: How often each stretch is walked down; 1 walks straight down the whole schedule.
        jump_length: Levels in a stretch.

    Raises:
        ValueError: If either is below 1.

    Example:
        >>> Walk(n_resample=2, jump_length=2).steps(2)
        [(0, 1), (1, 2), (2, 0), (0, 1), (1, 2)]
    """

    n_resample: int = 1
    jump_length: int = 1

    def __post_init__(self) -> None:
        if self.n_resample < 1 or self.jump_length < 1:
            raise ValueError(
                f"n_resample and jump_length must be at least 1, got {self.n_resample} and {self.jump_length}"
            )

    def steps(self, n_levels: int) -> list[tuple[int, int]]:
        """Return the steps of the walk.

        Args:
            n_levels: Noise levels of the schedule. Level n_levels is the clean crystal after the last of them.

        Returns:
            Pairs (level, next level) in order. The last one ends at n_levels.
        """
        pairs: list[tuple[int, int]] = []
        for top in range(0, n_levels, self.jump_length):
            bottom = min(top + self.jump_length, n_levels)
            down = [(level, level + 1) for level in range(top, bottom)]
            for again in range(self.n_resample):
                if again:
                    pairs.append((bottom, top))
                pairs.extend(down)
        return pairs
