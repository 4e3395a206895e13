"""Vacancy orderings: which of some atoms to take out of a crystal, symmetry-distinct ways only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Int

from chggen.symmetry import SymmetryConstraint

if TYPE_CHECKING:
    from pymatgen.core import Structure

_ALL: Final = 20_000  # ways up to which all are looked at; of more, so many are drawn
_CODED: Final = 50  # sites up to which a number of 53 bits holds a way
_SYMPREC: Final = 0.1  # Å, of the symmetry that makes ways equal


def vacancy_orderings(structure: Structure, sites: Sequence[int], taken: int, seed: int = 0) -> list[list[int]]:
    """Return the distinct ways to take some of a crystal's atoms out.

    Ways that the space group of the crystal takes into one another count once. Those in which the atoms that stay are
    far from each other come first: the order is that of Σ 1/r over their pairs, nearest images.

    Args:
        structure: The crystal.
        sites: Indices of the atoms to choose from, all of one species.
        taken: How many of them are taken out.
        seed: Seed of the draw, where there are too many ways to look at all.

    Returns:
        For each way the indices of the atoms that are taken out.
    """
    if not 0 < taken <= len(sites):
        return [[]] if taken == 0 else []
    ways = _ways(len(sites), taken, seed)
    symmetry = SymmetryConstraint.of(structure, _SYMPREC)
    if symmetry is not None:
        place = {site: k for k, site in enumerate(sites)}
        moved = symmetry.images[:, list(sites)].tolist()
        moves = [[place[i] for i in row] for row in moved if all(i in place for i in row)]
        ways = _distinct(ways, np.unique(moves, axis=0))
    distance = np.asarray(structure.distance_matrix)[np.ix_(list(sites), list(sites))]
    inverse = np.divide(1.0, distance, out=np.zeros_like(distance), where=distance > 0)
    stay = np.ones((len(ways), len(sites)))
    np.put_along_axis(stay, ways, 0.0, axis=1)
    repulsion = np.einsum("wi,ij,wj->w", stay, inverse, stay)
    order = np.argsort(np.round(repulsion, 6), kind="stable")
    return [[sites[k] for k in ways[w]] for w in order]


def _ways(n: int, taken: int, seed: int) -> Int[np.ndarray, "ways taken"]:
    """Return all ways to choose, or some of them at random where they are many."""
    if math.comb(n, taken) <= _ALL:
        return np.array(list(combinations(range(n), taken)), dtype=int).reshape(-1, taken)
    rng = np.random.default_rng(seed)
    drawn = np.sort(np.argsort(rng.random((_ALL, n)), axis=1)[:, :taken], axis=1)
    return np.asarray(np.unique(drawn, axis=0))


def _distinct(
    ways: Int[np.ndarray, "ways taken"], moves: Int[np.ndarray, "operations sites"]
) -> Int[np.ndarray, "distinct taken"]:
    """Keep the first of those ways that operations take into one another."""
    if moves.shape[1] > _CODED:
        return ways
    weights = 2.0 ** np.arange(moves.shape[1])
    codes = np.min([weights[move[ways]].sum(axis=1) for move in moves], axis=0)
    _, first = np.unique(codes, return_index=True)
    return ways[np.sort(first)]
