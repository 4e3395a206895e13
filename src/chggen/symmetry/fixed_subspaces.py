"""Fixed subspaces: the points, lines and planes that rotations leave fixed, and their comparison modulo the lattice.

Vectors are columns of fractional coordinates, so lattice vectors are integer.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Int

_NEAR: Final = 1e-3  # fractional; positions along normals that differ by less are equal up to rounding


def directions_fixed_by(stabiliser: Int[np.ndarray, "operations 3 3"]) -> Int[np.ndarray, "freedom 3"]:
    """Return a lattice basis of the subspace that a group of rotations leaves fixed.

    Every lattice vector in the subspace is an integer combination of these.

    Args:
        stabiliser: The rotations of the group in fractional coordinates, of shape (operations, 3, 3).

    Returns:
        Integer vectors of shape (freedom, 3), where freedom is the dimension of the subspace, 0 to 3.
    """
    return _fixed_by(tuple(stabiliser.sum(axis=0).ravel().tolist()), len(stabiliser))


@lru_cache(maxsize=4096)
def _fixed_by(total: tuple[int, ...], order: int) -> np.ndarray:
    """Return the same from the sum of the rotations, which is `order` times the projector on the subspace."""
    projector = np.array(total).reshape(3, 3)
    freedom = round(np.trace(projector) / order)
    if freedom == 0:
        return np.zeros((0, 3), dtype=int)
    if freedom == 3:
        return np.eye(3, dtype=int)
    if freedom == 1:
        return _primitive_vector(projector.T)[None]
    return _normal_to(_primitive_vector(order * np.eye(3, dtype=int) - projector))


def _primitive_vector(rows: np.ndarray) -> np.ndarray:
    """Return the shortest integer vector along parallel rows; its first component that is not 0 is positive."""
    row = rows[np.abs(rows).sum(axis=1).argmax()]
    row = row // np.gcd.reduce(row)
    return np.asarray(row * np.sign(row[np.flatnonzero(row)[0]]))


@lru_cache(maxsize=4096)
def _basis_normal_to(vector: tuple[int, int, int]) -> np.ndarray:
    """Return a lattice basis, of shape (2, 3), of the plane normal to a primitive vector."""
    reach = range(-max(2, *map(abs, vector)), max(2, *map(abs, vector)) + 1)
    grid = np.array(list(itertools.product(reach, repeat=3)))
    flat = grid[grid @ np.array(vector) == 0]
    flat = flat[np.argsort((flat**2).sum(axis=1), kind="stable")][1:]
    for first, second in itertools.combinations(flat, 2):
        if (np.abs(np.cross(first, second)) == np.abs(vector)).all():
            return np.array([first, second])
    raise AssertionError("unreachable: every primitive vector has such a basis within reach")


@lru_cache(maxsize=4096)
def completed(directions: tuple[int, ...]) -> np.ndarray:
    """Extend lattice vectors to a basis of the whole lattice.

    Args:
        directions: Components of zero to three vectors one after another, so that the result can be cached. They form
            a lattice basis of the subspace they span, as `directions_fixed_by` returns.

    Returns:
        Integer basis vectors in rows, of shape (3, 3), the given ones first.
    """
    given = np.array(directions, dtype=int).reshape(-1, 3)
    reach = max(1, np.abs(given).max(initial=0))
    grid = sorted(itertools.product(range(-reach, reach + 1), repeat=3), key=lambda v: sum(map(abs, v)))
    for others in itertools.combinations(grid, 3 - len(given)):
        basis = np.concatenate([given, np.array(others, dtype=int).reshape(-1, 3)])
        if abs(round(np.linalg.det(basis))) == 1:
            return basis
    raise AssertionError("unreachable: every primitive set of directions has a complement within reach")


def _normal_to(vector: np.ndarray) -> np.ndarray:
    """Return a lattice basis, of shape (2, 3), of the plane normal to a primitive vector given as an array."""
    return _basis_normal_to(tuple(int(k) for k in vector))


def component(point: np.ndarray, directions: np.ndarray) -> tuple[tuple[int, ...], np.ndarray]:
    """Return a key for the point, line or plane that passes through a point.

    Keys of two of them are compared by `same_component`.

    Args:
        point: A point in fractional coordinates, of shape (3,).
        directions: Lattice basis of the directions of the line or plane, of shape (freedom, 3).

    Returns:
        The components of its integer normals, one after another, and its position along each normal, of shape
        (3 − freedom,).
    """
    freedom = len(directions)
    if freedom == 3:
        return (), np.zeros(0)
    if freedom == 2:
        normals = _plane(tuple(directions.ravel().tolist()))
    elif freedom == 1:
        normals = _line(tuple(directions[0].tolist()))
    else:
        normals = np.eye(3, dtype=int)
    return tuple(normals.ravel().tolist()), normals @ point


@lru_cache(maxsize=4096)
def _plane(directions: tuple[int, ...]) -> np.ndarray:
    """Return the primitive normal of a plane, of shape (1, 3), from its two directions."""
    return _primitive_vector(np.cross(directions[:3], directions[3:])[None])[None]


@lru_cache(maxsize=4096)
def _line(direction: tuple[int, ...]) -> np.ndarray:
    """Return two integer normals of a line, of shape (2, 3), from its direction."""
    return _normal_to(_primitive_vector(np.array([direction])))


def same_component(one: tuple[tuple[int, ...], np.ndarray], other: tuple[tuple[int, ...], np.ndarray]) -> bool:
    """Return whether two points, lines or planes are equal up to a lattice translation.

    Args:
        one: Key of the first, from `component`.
        other: Key of the second.

    Returns:
        True where their normals are equal and their positions along these differ by whole numbers.
    """
    off = one[1] - other[1] if one[0] == other[0] else np.ones(1) / 2
    return bool((np.abs(off - np.round(off)) < _NEAR).all())
