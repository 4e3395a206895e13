"""Planes and lines of lattice points: what rotations leave fixed, and which are the same modulo the lattice."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Int

_NEAR: Final = 1e-3  # fractional; places along normals that agree to rounding


def directions_fixed_by(stabiliser: Int[np.ndarray, "operations 3 3"]) -> Int[np.ndarray, "freedom 3"]:
    """Lattice vectors that span what rotations leave fixed, every lattice vector in it being a sum of them."""
    return _fixed_by(tuple(stabiliser.sum(axis=0).ravel().tolist()), len(stabiliser))


@lru_cache(maxsize=4096)
def _fixed_by(total: tuple[int, ...], order: int) -> np.ndarray:
    """The same from the sum of the rotations: order times the projector on what they leave fixed."""
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
    """The shortest integer vector along the rows, which are all parallel; its first component is not negative."""
    row = rows[np.abs(rows).sum(axis=1).argmax()]
    row = row // np.gcd.reduce(row)
    return np.asarray(row * np.sign(row[np.flatnonzero(row)[0]]))


@lru_cache(maxsize=4096)
def _basis_normal_to(vector: tuple[int, int, int]) -> np.ndarray:
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
    """A basis of the lattice that begins with these directions."""
    given = np.array(directions, dtype=int).reshape(-1, 3)
    reach = max(1, np.abs(given).max(initial=0))
    grid = sorted(itertools.product(range(-reach, reach + 1), repeat=3), key=lambda v: sum(map(abs, v)))
    for others in itertools.combinations(grid, 3 - len(given)):
        basis = np.concatenate([given, np.array(others, dtype=int).reshape(-1, 3)])
        if abs(round(np.linalg.det(basis))) == 1:
            return basis
    raise AssertionError("unreachable: every primitive set of directions has a complement within reach")


def _normal_to(vector: np.ndarray) -> np.ndarray:
    """Two integer vectors normal to a primitive one; every other one is a sum of them."""
    return _basis_normal_to(tuple(int(k) for k in vector))


def component(point: np.ndarray, directions: np.ndarray) -> tuple[tuple[int, ...], np.ndarray]:
    """What names the plane, line or point modulo the lattice: its normals, and where along them it lies."""
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
    """The primitive normal of two directions."""
    return _primitive_vector(np.cross(directions[:3], directions[3:])[None])[None]


@lru_cache(maxsize=4096)
def _line(direction: tuple[int, ...]) -> np.ndarray:
    """The primitive normals of a direction."""
    return _normal_to(_primitive_vector(np.array([direction])))


def same_component(one: tuple[tuple[int, ...], np.ndarray], other: tuple[tuple[int, ...], np.ndarray]) -> bool:
    off = one[1] - other[1] if one[0] == other[0] else np.ones(1) / 2
    return bool((np.abs(off - np.round(off)) < _NEAR).all())
