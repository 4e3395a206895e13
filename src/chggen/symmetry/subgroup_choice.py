"""Choice, a subgroup whose positions can hold the guests: drawing which positions each species takes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import exp, factorial, lgamma, log
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from chggen.symmetry.group import Group
from chggen.symmetry.wyckoff import WyckoffPosition

ASSIGNMENTS: Final = 200
"""Number of draws before counts are taken not to fit."""
_LARGEST_FACTORIAL: Final = 170  # largest n whose factorial a float holds


@dataclass(frozen=True, eq=False)
class Choice:
    """A subgroup, its Wyckoff positions, and how much room these have for the guests.

    Attributes:
        group: The whole group.
        members: Indices of the subgroup's operations, of shape (members,).
        positions: Wyckoff positions of the subgroup. Their operations are indices of the whole group.
        room: Share of the points of each position at which each guest species has room, of shape (positions, species).
            0 means that the species cannot take the position.
    """

    group: Group
    members: Int[np.ndarray, "members"]
    positions: tuple[WyckoffPosition, ...]
    room: Float[np.ndarray, "positions species"]

    def assignment(self, counts: Sequence[int], rng: np.random.Generator) -> list[tuple[int, int]] | None:
        """Draw which positions the guests take.

        Species are assigned one after another in random order. The positions of one species are drawn with weight
        Π (m f)ⁿ/n! over all ways that hold exactly its count, where m is the multiplicity of a position, f its room,
        and n how many orbits are put on it. A position without free coordinates is taken at most once.

        Args:
            counts: Number of guests of each species.
            rng: Source of random numbers.

        Returns:
            For each orbit the index of its position and of its species. None where the species drawn first leave no
            way for a later one, or where the counts do not fit at all.
        """
        taken = np.zeros(len(self.positions), dtype=bool)
        pairs: list[tuple[int, int]] = []
        for s in rng.permutation(len(counts)):
            drawn = self._drawn(counts[s], int(s), taken, rng)
            if drawn is None:
                return None
            for p, n in enumerate(drawn):
                taken[p] |= n > 0 and self.positions[p].freedom == 0
                pairs += [(p, int(s))] * n
        return pairs

    def fits(self, counts: Sequence[int]) -> bool:
        """Return whether counts fit the positions.

        For one species this is exact. Several species are tried by `ASSIGNMENTS` draws.

        Args:
            counts: Number of guests of each species.

        Returns:
            True where an assignment was found.
        """
        rng = np.random.default_rng(0)
        tries = 1 if len(counts) == 1 else ASSIGNMENTS  # one draw decides exactly for one species
        return any(self.assignment(counts, rng) is not None for _ in range(tries))

    def _drawn(self, count: int, s: int, taken: np.ndarray, rng: np.random.Generator) -> list[int] | None:
        """Draw how many orbits of one species each position holds: P ∝ Π wⁿ/n! over all ways that hold the count."""
        ways, terms = self._ways(count, s, taken.tobytes())
        if ways[-1][count] <= 0:
            return None
        left, drawn = count, []
        for k, position in enumerate(self.positions):
            below, m, number = ways[-2 - k], position.multiplicity, rng.random()
            odds = [w * below[left - n * m] if n * m <= left else 0.0 for n, w in enumerate(terms[-1 - k])]
            reached = list(accumulate(odds))
            n = bisect_right(reached, number * reached[-1], hi=len(reached) - 1)
            drawn.append(n)
            left -= n * m
        return drawn

    def _ways(self, count: int, s: int, taken: bytes) -> tuple[list[list[float]], list[list[float]]]:
        """Return total weights and the weights they are made of, for a species and the positions that are taken.

        The first list holds, for each k, by number of atoms the total weight with which the last k positions hold so
        many; the second holds the weights wⁿ/n! of each position, the last one first.
        """
        if (known := self._known_ways.get((count, s, taken))) is not None:
            return known
        free = ~np.frombuffer(taken, dtype=bool)
        ways = [[1.0, *[0.0] * count]]
        terms: list[list[float]] = []
        for position, share in zip(
            reversed(self.positions), reversed(np.where(free, self.room[:, s], 0.0)), strict=True
        ):
            m = position.multiplicity
            most = 0 if share <= 0 else 1 if position.freedom == 0 else count // m
            weight = [_poisson(m * float(share), n) for n in range(most + 1)]
            terms.append(weight)
            total = [0.0] * (count + 1)
            for n in range(min(most, count // m) + 1):
                for held in range(n * m, count + 1):
                    total[held] += weight[n] * ways[-1][held - n * m]
            largest = max(*total, 1e-300)
            ways.append([w / largest for w in total])
        self._known_ways[count, s, taken] = ways, terms
        return ways, terms

    @cached_property
    def _known_ways(self) -> dict[tuple[int, int, bytes], tuple[list[list[float]], list[list[float]]]]:
        """What `_ways` has found so far."""
        return {}


def _poisson(x: float, n: int) -> float:
    """Return xⁿ/n!, also for n whose factorial is too large for a float."""
    return x**n / factorial(n) if n <= _LARGEST_FACTORIAL else exp(n * log(x) - lgamma(n + 1))
