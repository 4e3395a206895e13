"""Matching two lattices: the bases of one that agree with the other but for a small strain."""

from __future__ import annotations

import functools
import math
from typing import Final

import numpy as np
from jaxtyping import Float, Int

_LENGTH: Final = 0.12  # largest relative difference of the length of a lattice vector
_ANGLE: Final = 8.0  # °, largest difference of an angle between two lattice vectors
_MOST_BASES: Final = 2_000_000  # with more to look at, the lattices count as not matching


def matching_bases(
    primitive: Float[np.ndarray, "3 3"], lattice: Float[np.ndarray, "3 3"], repeats: int
) -> Int[np.ndarray, "bases 3 3"]:
    """Return the bases of one lattice that agree with the cell of another.

    Vectors agree if their lengths differ by at most 12 % and their angles by at most 8°.

    Args:
        primitive: Primitive cell of the lattice to take bases from, vectors as rows, of shape (3, 3), in Å.
        lattice: The cell to agree with, vectors as rows, of shape (3, 3), in Å.
        repeats: Number of primitive cells that a basis has to span.

    Returns:
        Integer matrices B, of shape (bases, 3, 3), such that B @ primitive agrees with the cell. None of them where the
        lattices do not match, or where there would be more than two million bases to look at.
    """
    length = np.linalg.norm(lattice, axis=1)
    reach = np.floor((1 + _LENGTH) * length.max() * np.linalg.norm(np.linalg.inv(primitive), axis=0)).astype(int)
    steps = _integer_vectors(*reach.tolist())
    vectors = steps @ primitive
    size = np.sqrt((vectors**2).sum(axis=1))
    near = [np.flatnonzero(np.abs(size / own - 1) < _LENGTH) for own in length]
    unit = [vectors[n] / size[n][:, None] for n in near]

    def agree(i: int, j: int) -> np.ndarray:
        own = math.degrees(math.acos(lattice[i] @ lattice[j] / length[i] / length[j]))
        least, most = (math.cos(math.radians(min(max(own + d, 0), 180))) for d in (_ANGLE, -_ANGLE))
        cosine = unit[i] @ unit[j].T
        return np.asarray((cosine > least) & (cosine < most))

    none = np.zeros((0, 3, 3), dtype=int)
    if not 0 < math.prod(len(n) for n in near) <= _MOST_BASES:
        return none
    pairs = agree(0, 1)
    if not pairs.any():
        return none
    together = pairs[:, :, None] & agree(0, 2)[:, None] & agree(1, 2)[None]
    a, b, c = np.nonzero(together)
    if not len(a):
        return none
    bases = np.stack([steps[near[0][a]], steps[near[1][b]], steps[near[2][c]]], axis=1)
    return np.asarray(bases[np.abs(np.round(np.linalg.det(bases))) == repeats])


@functools.lru_cache(maxsize=256)
def _integer_vectors(*reach: int) -> np.ndarray:
    """Return all integer vectors with at most so many steps along each axis. The array must not be written to."""
    return np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 3)


def inequivalent_bases(
    bases: Int[np.ndarray, "bases 3 3"], rotations: Int[np.ndarray, "operations 3 3"]
) -> Int[np.ndarray, "distinct 3 3"]:
    """Keep one of the bases that a point group takes into one another.

    Args:
        bases: Integer bases, of shape (bases, 3, 3), vectors as rows.
        rotations: Rotations of the group in lattice coordinates, of shape (operations, 3, 3), acting on columns.

    Returns:
        The first basis of each class, of shape (distinct, 3, 3), in the order given.
    """
    turned = np.einsum("nij,gkj->ngik", bases, np.unique(rotations, axis=0))
    keys = turned.reshape(len(bases), -1, 9)
    codes = (keys + 50) @ (101 ** np.arange(9))
    _, first = np.unique(codes.min(axis=1), return_index=True)
    return np.asarray(bases[np.sort(first)])


def lattice_points(inverse: Float[np.ndarray, "3 3"], repeats: int) -> Float[np.ndarray, "repeats 3"]:
    """Return the points of a lattice in a larger cell of it.

    Args:
        inverse: Vectors of the lattice as rows, of shape (3, 3), in fractional coordinates of the larger cell.
        repeats: Number of points that the larger cell holds.

    Returns:
        Fractional coordinates in the larger cell, of shape (repeats, 3). There may be another number of points if the
        vectors are not those of a lattice of the larger cell.
    """
    if repeats == 1:
        return np.zeros((1, 3))
    reach = []  # steps along each vector after which it meets a point of the larger lattice
    for row in inverse:
        steps = range(1, repeats + 1)
        reach.append(next(k for k in steps if np.abs(k * row - np.round(k * row)).max() < 1e-3 or k == repeats))
    points = np.stack(np.meshgrid(*map(np.arange, reach), indexing="ij"), axis=-1).reshape(-1, 3) @ inverse
    points -= np.floor(points + 1e-4)
    return np.asarray(points[np.unique(np.round(points, 3), axis=0, return_index=True)[1]])


def log_strain(cell: Float[np.ndarray, "3 3"], lattice: Float[np.ndarray, "3 3"]) -> float:
    """Return the size of the strain from one cell to another.

    Args:
        cell: The cell before, vectors as rows, of shape (3, 3), in Å.
        lattice: The cell after, vectors as rows, of shape (3, 3), in Å.

    Returns:
        Frobenius norm of the logarithmic strain, without a unit. Rotations do not count.
    """
    stretches = np.linalg.svd(np.linalg.solve(cell, lattice), compute_uv=False)
    return float(np.linalg.norm(np.log(stretches)))
