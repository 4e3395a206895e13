"""Shapes of supercells: all of a size, each once, and the one closest to a cube."""

from __future__ import annotations

from collections.abc import Iterator, Set
from itertools import product
from typing import Final

import numpy as np
from jaxtyping import Int

from chggen.generation.disorder import Disorder

ALL_SHAPES: Final = 24
"""Cells up to which all shapes of a supercell are looked at; beyond, those along the axes."""


def near_cube(disorder: Disorder, cells: int) -> Int[np.ndarray, "3 3"]:
    """Return the supercell of so many cells that is closest to a cube; of equal ones that which keeps most symmetry.

    Args:
        disorder: The disordered structure.
        cells: Number of its cells.
    """
    shapes = [np.diag(way) for way in _along_axes(cells)] if cells > ALL_SHAPES else list(_hermite_forms(cells))
    return min((_compact(disorder, matrix) for matrix in shapes), key=lambda shape: shape[0])[1]


def distinct_shapes(disorder: Disorder, cells: int, known: Set[bytes]) -> list[Int[np.ndarray, "3 3"]]:
    """Return the supercells of so many cells that no rotation takes into each other, the most compact first.

    Those that a rotation takes into a known one are left out.

    Args:
        disorder: The disordered structure.
        cells: Number of its cells.
        known: Supercells as the bytes of their Hermite forms.
    """
    first: list[np.ndarray] = []
    seen: set[bytes] = set()
    for matrix in _hermite_forms(cells):
        if matrix.tobytes() in seen:
            continue
        same = {hermite_form((matrix @ r.T).round().astype(int)).tobytes() for r in disorder.rotations}
        seen |= same
        if not same & known:
            first.append(matrix)
    found = [_compact(disorder, matrix) for matrix in first]
    return [matrix for _, matrix in sorted(found, key=lambda shape: (shape[0], shape[1].tolist()))]


def _compact(disorder: Disorder, matrix: np.ndarray) -> tuple[tuple[float, int], Int[np.ndarray, "3 3"]]:
    """Return how far a supercell is from a cube and how much symmetry it loses, and its shortest axes."""
    from pymatgen.core import Lattice

    reduced = Lattice(matrix @ disorder.lattice).get_lll_reduced_lattice()
    turned = matrix @ disorder.rotations.transpose(0, 2, 1) @ np.linalg.inv(matrix)
    kept = int((np.abs(turned - turned.round()) < 1e-6).all(axis=(1, 2)).sum())
    axes = (reduced.matrix @ np.linalg.inv(disorder.lattice)).round().astype(int)
    aspect = float(max(reduced.abc) / reduced.volume ** (1 / 3))
    return (round(aspect, 3), -kept), axes if np.linalg.det(axes) > 0 else -axes


def _along_axes(cells: int) -> Iterator[tuple[int, int, int]]:
    """Yield the multiples along three axes that make so many cells."""
    for a in range(1, cells + 1):
        for b in range(1, cells // a + 1):
            if cells % (a * b) == 0:
                yield a, b, cells // (a * b)


def _hermite_forms(cells: int) -> Iterator[Int[np.ndarray, "3 3"]]:
    """Yield all supercells of so many cells, each once, as upper triangular matrices."""
    for a, b, c in _along_axes(cells):
        for i, j, k in product(range(b), range(c), range(c)):
            yield np.array([[a, i, j], [0, b, k], [0, 0, c]])


def hermite_form(matrix: np.ndarray) -> Int[np.ndarray, "3 3"]:
    """Return the upper triangular matrix whose rows span the same lattice, with small entries above its diagonal.

    Args:
        matrix: Rows that span a lattice, whole numbers, of shape (3, 3).
    """
    rows = matrix.copy()
    for k in range(3):
        while np.count_nonzero(rows[k:, k]) > 1:  # Euclid's algorithm down the column
            least = k + int(np.argmin(np.where(rows[k:, k] == 0, np.iinfo(int).max, np.abs(rows[k:, k]))))
            rows[[k, least]] = rows[[least, k]]
            rows[k + 1 :] -= rows[k + 1 :, k : k + 1] // rows[k, k] * rows[k]
        at = k + int(np.flatnonzero(rows[k:, k])[0])
        rows[[k, at]] = rows[[at, k]]
        if rows[k, k] < 0:
            rows[k] = -rows[k]
        rows[:k] -= rows[:k, k : k + 1] // rows[k, k] * rows[k]
    return rows
