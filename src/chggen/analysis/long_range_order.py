"""How far order reaches: the structure factor of a crystal, and how many of its atoms are independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.symmetry import spglib_cell, symmetry_dataset

if TYPE_CHECKING:
    from pymatgen.core import Structure

Q_STEP: Final = 0.05
"""Distance between two points of the structure factor, 1/Å."""
_Q_MAX: Final = 8.0  # 1/Å
_MOST: Final = 20_000  # reflections of one crystal; of a large cell fewer angles are looked at
_SYMPREC: Final = 0.1  # Å


@dataclass(frozen=True, eq=False)
class LongRangeOrder:
    """How far the order of some crystals reaches.

    Attributes:
        q: Lengths of scattering vectors, 1/Å, of shape (points,).
        intensity: Mean of S(q) = |Σ exp(iq·r)|² / N over the reflections of an interval, all atoms alike, averaged over
            the crystals, of shape (points,); 1 for atoms at random. 0 beyond what is looked at in cells above 4,600 Å³.
        strongest: Share of the atoms that scatter in phase into the strongest reflection, S(q) / N, mean of the
            crystals: at most 1; little in a glass, the less the more atoms there are.
        half: The smallest share of the reflections that holds half of the intensity, mean of the crystals: 0.19 for
            atoms at random; the less, the more reflections are extinct, as in a supercell of a small cell.
        independent: Share of the atoms that no operation of the space group at 0.1 Å makes from another, mean.
    """

    q: np.ndarray = field(repr=False)
    intensity: np.ndarray = field(repr=False)
    strongest: float
    half: float
    independent: float


def long_range_order(structures: Sequence[Structure]) -> LongRangeOrder:
    """Return how far the order of some crystals reaches.

    Args:
        structures: Ordered crystals, at least one.
    """
    edges = np.arange(0, _Q_MAX + Q_STEP, Q_STEP)
    total, reaching, strongest, half = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1), [], []
    for structure in structures:
        lengths, intensity = _reflections(structure)
        found = np.histogram(lengths, edges)[0]
        total += np.histogram(lengths, edges, weights=intensity)[0] / np.maximum(found, 1)
        reaching += edges[1:] <= _reach(structure) + Q_STEP / 2
        strongest.append(intensity.max() / len(structure))
        below = np.cumsum(np.sort(intensity)[::-1]) / intensity.sum()
        half.append((np.searchsorted(below, 0.5) + 1) / len(intensity))
    return LongRangeOrder(
        (edges[1:] + edges[:-1]) / 2,
        total / np.maximum(reaching, 1),
        float(np.mean(strongest)),
        float(np.mean(half)),
        float(np.mean([_independent(structure) for structure in structures])),
    )


def _reach(structure: Structure) -> float:
    """Return the length up to which reflections are looked at, 1/Å: half a sphere of it holds at most `_MOST`."""
    return float(min(_Q_MAX, (_MOST * 12 * np.pi**2 / structure.volume) ** (1 / 3)))


def _reflections(structure: Structure) -> tuple[np.ndarray, np.ndarray]:
    """Return lengths (1/Å) and S(q) of half of the reciprocal lattice vectors within reach, 0 left out."""
    reach = _reach(structure)
    most = [int(reach * length / (2 * np.pi)) for length in structure.lattice.abc]
    indices = np.array(list(product(*(range(-n, n + 1) for n in most))))
    indices = indices[len(indices) // 2 + 1 :]  # one of q and −q
    lengths = np.linalg.norm(indices @ structure.lattice.reciprocal_lattice.matrix, axis=1)
    indices, lengths = indices[lengths <= reach], lengths[lengths <= reach]
    phases = np.exp(2j * np.pi * indices @ structure.frac_coords.T).sum(axis=1)
    return lengths, np.abs(phases) ** 2 / len(structure)


def _independent(structure: Structure) -> float:
    """Return the share of the atoms that no operation of the space group makes from another."""
    dataset = symmetry_dataset(spglib_cell(structure), _SYMPREC, -1.0)
    return 1.0 if dataset is None else len(set(dataset.crystallographic_orbits)) / len(structure)
