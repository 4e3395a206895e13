"""Radial distribution functions of pairs of elements, averaged over structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.analysis.overlap import overlap

if TYPE_CHECKING:
    from pymatgen.core import Structure

STEP: Final = 0.05
"""Distance between two points of a radial distribution function, Å."""
_WIDTH: Final = 0.1  # Å, standard deviation of the Gaussians that stand for distances
_REACH: Final = 4  # standard deviations, from where on a Gaussian is taken as zero


@dataclass(frozen=True, eq=False)
class PairDistances:
    """The radial distribution function g(r) of two elements: 1 where atoms are as frequent as on average.

    Attributes:
        r: Distances in Å, of shape (points,).
        g: The function, of shape (points,). Each distance is a Gaussian of standard deviation 0.1 Å.
        shortest: Shortest distance in Å; NaN where there is none within the cutoff.
    """

    r: np.ndarray
    g: np.ndarray
    shortest: float

    @property
    def first_peak(self) -> float:
        """Distance of the first maximum that is at least a third as high as the highest, Å; NaN where there is none."""
        inner = self.g[1:-1]
        peaks = np.flatnonzero((inner >= self.g[:-2]) & (inner > self.g[2:]) & (inner >= self.g.max() / 3)) + 1
        return float(self.r[peaks[0]]) if len(peaks) else float("nan")

    def overlap(self, other: PairDistances) -> float:
        """Return how alike two functions are: the area below both over the area below either, 0 to 1.

        Args:
            other: A function at the same distances.
        """
        return overlap(self.g, other.g)


def pair_distances(structures: Sequence[Structure], cutoff: float) -> dict[str, PairDistances]:
    """Return the radial distribution functions of all pairs of elements that occur together.

    A structure counts for a pair by the product of the numbers of its atoms over its volume, that is by the pairs that
    there would be without any order.

    Args:
        structures: Ordered crystals.
        cutoff: Longest distance, Å.

    Returns:
        Pair, such as `Li-S` in alphabetical order, to its function.
    """
    edges = np.arange(0, cutoff + _REACH * _WIDTH + STEP, STEP)
    counted: dict[tuple[str, str], np.ndarray] = {}
    expected: dict[tuple[str, str], float] = {}
    shortest: dict[tuple[str, str], float] = {}
    for structure in structures:
        symbols = np.array([site.specie.symbol for site in structure])
        first, second, _, distances = structure.get_neighbor_list(float(edges[-1]))
        own = {symbol: symbols == symbol for symbol in sorted(set(symbols))}
        for pair in combinations_with_replacement(own, 2):
            chosen = distances[own[pair[0]][first] & own[pair[1]][second]]
            counted[pair] = counted.get(pair, np.zeros(len(edges) - 1)) + np.histogram(chosen, edges)[0]
            density = own[pair[0]].sum() * own[pair[1]].sum() / structure.volume
            expected[pair] = expected.get(pair, 0.0) + float(density)
            shortest[pair] = min(shortest.get(pair, np.inf), float(chosen.min(initial=np.inf)))
    r = (edges[1:] + edges[:-1]) / 2
    kept = r < cutoff
    shells = 4 / 3 * np.pi * (edges[1:] ** 3 - edges[:-1] ** 3)
    return {
        "-".join(pair): PairDistances(
            r[kept],
            (_broadened(numbers) / (expected[pair] * shells))[kept],
            shortest[pair] if np.isfinite(shortest[pair]) else float("nan"),
        )
        for pair, numbers in counted.items()
    }


def _broadened(numbers: np.ndarray) -> np.ndarray:
    """Return a histogram with each count spread over its neighbourhood by a Gaussian."""
    half = round(_REACH * _WIDTH / STEP)
    kernel = np.exp(-((np.arange(-half, half + 1) * STEP / _WIDTH) ** 2) / 2)
    return np.asarray(np.convolve(numbers, kernel / kernel.sum(), mode="same"))
