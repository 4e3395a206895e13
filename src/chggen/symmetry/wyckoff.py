"""Wyckoff positions of space groups in the cell at hand: the adapter to pyxtal's tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Int

from chggen.symmetry.fixed_subspaces import completed, directions_fixed_by
from chggen.symmetry.group import Group

_NEAR: Final = 1e-3  # fractional; sites that differ by less are equal up to rounding
_GENERIC: Final = np.array([0.13719, 0.28917, 0.41733])  # free coordinates of a point without extra symmetry
# By the letter of the centring: vectors of a primitive cell in rows, in coordinates of the conventional cell.
_PRIMITIVE: Final = {
    "P": np.eye(3),
    "A": np.array([[1, 0, 0], [0, 0.5, 0.5], [0, -0.5, 0.5]]),
    "C": np.array([[0.5, -0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]),
    "I": np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]]),
    "F": np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
    "R": np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3,
}


@dataclass(frozen=True, eq=False)
class WyckoffPosition:
    """A Wyckoff position of a group, in fractional coordinates of the cell at hand.

    The representative of an orbit on this position is at point + s @ directions, with any free coordinates s.
    Operations are given as indices of the group.

    Attributes:
        letter: Wyckoff letter. For a position of a subgroup, that of the whole group's position that it is a piece of.
        point: Representative with all free coordinates 0, of shape (3,).
        directions: Directions in which the site symmetry lets the representative move, of shape (freedom, 3). They are
            a lattice basis of the line or plane.
        operations: The operation that takes the representative to each site of the orbit, of shape (multiplicity,).
        stabiliser: The operations that leave the representative in place up to lattice translations, of shape
            (stabiliser,).
    """

    letter: str
    point: Float[np.ndarray, "3"]
    directions: Int[np.ndarray, "freedom 3"]
    operations: Int[np.ndarray, "multiplicity"]
    stabiliser: Int[np.ndarray, "stabiliser"]

    @property
    def multiplicity(self) -> int:
        """Number of sites of an orbit in the cell at hand."""
        return len(self.operations)

    @property
    def freedom(self) -> int:
        """Number of free coordinates, 0 to 3. A position with 0 has one orbit only, so it can be taken once."""
        return len(self.directions)

    def at(self, free: Sequence[float]) -> Float[np.ndarray, "3"]:
        """Return the representative with given free coordinates.

        Args:
            free: At least `freedom` numbers. Those beyond are ignored.

        Returns:
            Its fractional coordinates, of shape (3,).
        """
        return np.asarray(self.point + np.array(free[: self.freedom]) @ self.directions.reshape(-1, 3))

    def points(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "n 3"]:
        """Draw representatives uniformly from the position.

        Args:
            n: How many to draw.
            rng: Source of random numbers.

        Returns:
            Fractional coordinates of shape (n, 3).
        """
        return np.asarray(self.point + rng.random((n, self.freedom)) @ self.directions.reshape(-1, 3))

    def sites(self, group: Group, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n multiplicity 3"]:
        """Return all sites of the orbits of several representatives.

        Args:
            group: The group that `operations` are indices of.
            points: Representatives in fractional coordinates, of shape (n, 3).

        Returns:
            Fractional coordinates of the sites, of shape (n, multiplicity, 3), not wrapped into the cell.
        """
        rotations, shifts = group.rotations[self.operations], group.translations[self.operations]
        return np.asarray(np.einsum("gij,pj->pgi", rotations, points) + shifts)

    def parameters(
        self, group: Group, point: Float[np.ndarray, "3"], tolerance: float
    ) -> Float[np.ndarray, "images freedom"]:
        """Return the free coordinates of a point on this position, one set for each image that they describe.

        Those images of the point under the group count that lie on the line or plane point + s @ directions itself,
        up to a lattice translation and the tolerance.

        Args:
            group: The group that `operations` are indices of.
            point: Fractional coordinates of the point, of shape (3,).
            tolerance: How far an image may be off the position, in coordinates along lattice vectors.

        Returns:
            Free coordinates s in [0, 1), of shape (images, freedom). There are no images where the point is not on
            this position.
        """
        images = group.rotations @ point + group.translations - self.point
        parts = images @ np.linalg.inv(completed(tuple(self.directions.ravel().tolist())))
        off = parts[:, self.freedom :]
        near = (np.abs(off - np.round(off)) < tolerance).all(axis=1)
        return np.asarray(parts[near, : self.freedom] % 1)

    def in_basis(self, multiple: Int[np.ndarray, "3 3"]) -> WyckoffPosition:
        """Express the same position in another basis of the same lattice.

        Args:
            multiple: Integer matrix M of determinant ±1, of shape (3, 3). The new lattice rows are M @ lattice.

        Returns:
            The position in the new basis. It belongs to the group that `Group.in_basis` returns for the same M.
        """
        forward = np.linalg.inv(multiple)
        directions = np.round(self.directions @ forward).astype(int).reshape(-1, 3)
        return replace(self, point=self.point @ forward, directions=directions)


@dataclass(frozen=True, eq=False)
class Setting:
    """A space group and its Wyckoff positions in the primitive cell of its conventional setting.

    Attributes:
        number: International number, 1 to 230.
        symbol: Hermann–Mauguin symbol, such as Fm-3m.
        primitive: Vectors of the primitive cell in rows, in coordinates of the conventional cell, of shape (3, 3).
        group: The operations in the primitive cell.
        positions: The Wyckoff positions in the primitive cell, the general position first.
    """

    number: int
    symbol: str
    primitive: Float[np.ndarray, "3 3"]
    group: Group
    positions: tuple[WyckoffPosition, ...]


@lru_cache(maxsize=256)
def setting(number: int) -> Setting:
    """Return a space group with its Wyckoff positions.

    Args:
        number: International number, 1 to 230.

    Returns:
        The space group in the primitive cell of its conventional setting.
    """
    table = _table(number)
    primitive = _PRIMITIVE[table.symbol[0]]
    group = _in_primitive(table, primitive)
    positions = _positions(group, table, np.linalg.inv(primitive).T, np.zeros(3))
    return Setting(number=number, symbol=table.symbol, primitive=primitive, group=group, positions=positions)


def positions_of(
    group: Group, number: int, transformation: Float[np.ndarray, "3 3"], origin: Float[np.ndarray, "3"]
) -> tuple[WyckoffPosition, ...]:
    """Return the Wyckoff positions of a group in any cell.

    `standard_setting` finds the last three arguments.

    Args:
        group: The group.
        number: Its international number.
        transformation: P of shape (3, 3), such that a point x of this cell has the standard coordinates P x + p.
        origin: p of shape (3,).

    Returns:
        The positions, the general position first.

    Raises:
        ValueError: The tables of this number do not fit the operations.
    """
    inverse = np.linalg.inv(transformation)
    return _positions(group, _table(number), inverse, -inverse @ origin)


def hall_number(number: int) -> int:
    """Return the Hall number of the setting in which pyxtal's tables list a space group.

    spglib takes this number to use the same setting and origin.

    Args:
        number: International number, 1 to 230.

    Returns:
        The Hall number, 1 to 530.
    """
    return int(_table(number).hall_number)


def point_group_order(number: int) -> int:
    """Return the number of operations in the point group of a space group.

    Args:
        number: International number, 1 to 230.

    Returns:
        The number, from 1 for P1 to 48 for Fm-3m.
    """
    return len(setting(number).group)


@lru_cache(maxsize=256)
def _table(number: int) -> Any:
    """Return pyxtal's table of a space group."""
    from pyxtal.symmetry import Group as Table

    return Table(number)


def _affine(operation: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return rotation (3, 3) and translation (3,) of an operation of pyxtal."""
    matrix = np.asarray(operation.affine_matrix, dtype=float)
    return matrix[:3, :3], matrix[:3, 3]


def _in_primitive(table: Any, primitive: np.ndarray) -> Group:
    """Return the operations in the primitive cell; those that differ by a centring are one operation there."""
    forward = np.linalg.inv(primitive).T
    seen: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    for operation in table.Wyckoff_positions[0].ops:
        rotation, translation = _affine(operation)
        turned = np.round(forward @ rotation @ primitive.T).astype(int)
        seen.setdefault(turned.tobytes(), (turned, forward @ translation))
    rotations, translations = zip(*seen.values(), strict=True)
    return Group.of(np.array(rotations), np.array(translations))


def _positions(group: Group, table: Any, linear: np.ndarray, shift: np.ndarray) -> tuple[WyckoffPosition, ...]:
    """Return every position of a table in the cell where a point x of the standard setting is at linear @ x + shift."""
    found = []
    for row in table.Wyckoff_positions:
        rotation, translation = _affine(row.ops[0])
        point = linear @ (rotation @ _GENERIC + translation) + shift
        found.append(_position(group, point, np.arange(len(group)), row.letter))
    expected = round(len(group) / len(table.Wyckoff_positions[0].ops) * 1e6)
    for position, row in zip(found, table.Wyckoff_positions, strict=True):
        if round(position.multiplicity / row.multiplicity * 1e6) != expected or position.freedom != row.get_dof():
            raise ValueError(f"position {row.letter} of group {table.number} does not fit the operations in this cell")
    return tuple(found)


def _position(group: Group, point: np.ndarray, members: np.ndarray, letter: str) -> WyckoffPosition:
    """Return the position of a subgroup, given by its members, that a point in general place on it belongs to."""
    moved = np.einsum("gij,j->gi", group.rotations[members], point) + group.translations[members]
    off = moved - point
    cells = np.round(off)
    stays = np.abs(off - cells).max(axis=1) < _NEAR
    point = (moved - cells)[stays].mean(axis=0)  # now exactly on the position
    first = _first_of_each(moved, len(members) // int(stays.sum()))
    return WyckoffPosition(
        letter=letter,
        point=point,
        directions=directions_fixed_by(group.rotations[members[stays]]),
        operations=members[first],
        stabiliser=members[stays],
    )


def _first_of_each(points: np.ndarray, expected: int) -> np.ndarray:
    """Return the index of the first of each set of points that are equal modulo the lattice.

    Points are sorted into bins. `expected` is the number of distinct points, by which a split set is noticed.
    """
    for shift in np.arange(20) * 0.043 * _NEAR:  # shifted until no set lies across the border of two bins
        bins = np.floor((points + shift) % 1 / _NEAR).astype(int)
        _, first = np.unique(bins, axis=0, return_index=True)
        if len(first) == expected:
            return np.sort(first)
    raise ValueError("the sites of an orbit cannot be told apart")
