"""Wyckoff positions in the cell at hand: the adapter to pyxtal's tables, and how positions split in subgroups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Int

from chggen.symmetry.fixed_subspaces import completed, component, directions_fixed_by, same_component
from chggen.symmetry.group import Group

_NEAR: Final = 1e-3  # fractional; sites that agree to rounding
_GENERIC: Final = np.array([0.13719, 0.28917, 0.41733])  # free parameters of a point like any other
# Rows are the vectors of a primitive cell in the conventional one, by the letter of the centring.
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
    """A Wyckoff position of a group, fractional coordinates of the cell at hand.

    Its representative may be anywhere at point + s @ directions, whose rows are shortest lattice vectors of what the
    site symmetry leaves free; operations[k] takes it to the k-th site of the orbit; stabiliser: the operations that
    leave it where it is, up to lattice translations. Both are indices of the group. letter: of the position of the
    whole group that it belongs to.
    """

    letter: str
    point: Float[np.ndarray, "3"]
    directions: Int[np.ndarray, "freedom 3"]
    operations: Int[np.ndarray, "multiplicity"]
    stabiliser: Int[np.ndarray, "stabiliser"]

    @property
    def multiplicity(self) -> int:
        """Sites in the cell at hand."""
        return len(self.operations)

    @property
    def freedom(self) -> int:
        """Free coordinates: 0 for a position that can be taken once only."""
        return len(self.directions)

    def at(self, free: Sequence[float]) -> Float[np.ndarray, "3"]:
        """The representative with these free coordinates; what is more than its freedom is left alone."""
        return np.asarray(self.point + np.array(free[: self.freedom]) @ self.directions.reshape(-1, 3))

    def points(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "n 3"]:
        """n representatives, anywhere on the position."""
        return np.asarray(self.point + rng.random((n, self.freedom)) @ self.directions.reshape(-1, 3))

    def sites(self, group: Group, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n multiplicity 3"]:
        """All sites of the orbits of representatives; group: the one that the operations are indices of."""
        rotations, shifts = group.rotations[self.operations], group.translations[self.operations]
        return np.asarray(np.einsum("gij,pj->pgi", rotations, points) + shifts)

    def parameters(
        self, group: Group, point: Float[np.ndarray, "3"], tolerance: float
    ) -> Float[np.ndarray, "images freedom"]:
        """Free coordinates s of every image of a point that lies on the representative's part of the position.

        Such that self.point + s @ directions is the image, less what it is off the position by (at most tolerance in
        any fractional coordinate) and a lattice vector. None where the point is not on this position.
        """
        images = group.rotations @ point + group.translations - self.point
        parts = images @ np.linalg.inv(completed(tuple(self.directions.ravel().tolist())))
        off = parts[:, self.freedom :]
        near = (np.abs(off - np.round(off)) < tolerance).all(axis=1)
        return np.asarray(parts[near, : self.freedom] % 1)

    def in_basis(self, multiple: Int[np.ndarray, "3 3"]) -> WyckoffPosition:
        """The same position for the lattice `multiple @ lattice` (unimodular)."""
        forward = np.linalg.inv(multiple)
        directions = np.round(self.directions @ forward).astype(int).reshape(-1, 3)
        return replace(self, point=self.point @ forward, directions=directions)


@dataclass(frozen=True, eq=False)
class Setting:
    """A space group in the primitive cell of its conventional setting, with its positions.

    primitive: rows are the vectors of that cell in the conventional one.
    """

    number: int
    symbol: str
    primitive: Float[np.ndarray, "3 3"]
    group: Group
    positions: tuple[WyckoffPosition, ...]


@lru_cache(maxsize=256)
def setting(number: int) -> Setting:
    """The space group of an international number (1-230)."""
    table = _table(number)
    primitive = _PRIMITIVE[table.symbol[0]]
    group = _in_primitive(table, primitive)
    positions = _positions(group, table, np.linalg.inv(primitive).T, np.zeros(3))
    return Setting(number=number, symbol=table.symbol, primitive=primitive, group=group, positions=positions)


def positions_of(
    group: Group, number: int, transformation: Float[np.ndarray, "3 3"], origin: Float[np.ndarray, "3"]
) -> tuple[WyckoffPosition, ...]:
    """The positions of a group of this number whose standard coordinates are `transformation` x + `origin`.

    Raises ValueError where the tables do not fit the operations.
    """
    inverse = np.linalg.inv(transformation)
    return _positions(group, _table(number), inverse, -inverse @ origin)


def hall_number(number: int) -> int:
    """spglib's number for the setting of the tables: the choice that the rest of a space group's numbers refers to."""
    return int(_table(number).hall_number)


def point_group_order(number: int) -> int:
    """Operations of a space group's point group."""
    return len(setting(number).group)


@lru_cache(maxsize=256)
def _table(number: int) -> Any:
    from pyxtal.symmetry import Group as Table

    return Table(number)


def _affine(operation: Any) -> tuple[np.ndarray, np.ndarray]:
    matrix = np.asarray(operation.affine_matrix, dtype=float)
    return matrix[:3, :3], matrix[:3, 3]


def _in_primitive(table: Any, primitive: np.ndarray) -> Group:
    """The general position's operations in the primitive cell, where those that differ by a centring are one."""
    forward = np.linalg.inv(primitive).T
    seen: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    for operation in table.Wyckoff_positions[0].ops:
        rotation, translation = _affine(operation)
        turned = np.round(forward @ rotation @ primitive.T).astype(int)
        seen.setdefault(turned.tobytes(), (turned, forward @ translation))
    rotations, translations = zip(*seen.values(), strict=True)
    return Group.of(np.array(rotations), np.array(translations))


def _positions(group: Group, table: Any, linear: np.ndarray, shift: np.ndarray) -> tuple[WyckoffPosition, ...]:
    """Every position of the tables, at linear @ x + shift for its standard x."""
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
    """The position that a point like any other on it belongs to."""
    moved = np.einsum("gij,j->gi", group.rotations[members], point) + group.translations[members]
    off = moved - point
    cells = np.round(off)
    stays = np.abs(off - cells).max(axis=1) < _NEAR
    point = (moved - cells)[stays].mean(axis=0)  # exact where it was only near
    first = _first_of_each(moved, len(members) // int(stays.sum()))
    return WyckoffPosition(
        letter=letter,
        point=point,
        directions=directions_fixed_by(group.rotations[members[stays]]),
        operations=members[first],
        stabiliser=members[stays],
    )


def _first_of_each(points: np.ndarray, expected: int) -> np.ndarray:
    """Indices of the first of equal points (modulo the lattice), of which there are so many different ones."""
    for shift in np.arange(20) * 0.043 * _NEAR:  # until no point lies where the bins meet
        bins = np.floor((points + shift) % 1 / _NEAR).astype(int)
        _, first = np.unique(bins, axis=0, return_index=True)
        if len(first) == expected:
            return np.sort(first)
    raise ValueError("the sites of an orbit cannot be told apart")


def in_subgroup(
    group: Group, positions: tuple[WyckoffPosition, ...], members: Int[np.ndarray, "members"]
) -> tuple[WyckoffPosition, ...]:
    """The positions of a subgroup, from those of the group; indices still are those of the group.

    What a subgroup leaves fixed is left fixed by the group as well, so its positions are among the pieces that the
    group's fall into; a piece is a position of the subgroup if it has no more freedom there, and one of all those that
    lie in the same plane or line.
    """
    if len(members) == len(group):
        return positions
    return tuple(piece for whole in positions for piece in _different(group, _pieces(group, whole, members)))


def _different(group: Group, pieces: list[WyckoffPosition]) -> list[WyckoffPosition]:
    """Pieces of one position without those that lie in the same plane or line, or anywhere, as one before them."""
    if len(pieces) < 2 or pieces[0].freedom == 0:
        return pieces
    if pieces[0].freedom == 3:
        return pieces[:1]
    found: list[tuple[WyckoffPosition, tuple[tuple[int, ...], np.ndarray]]] = []
    for piece in pieces:
        keys = [
            component(group.apply(k, piece.point), piece.directions @ group.rotations[k].T)
            for k in piece.operations.tolist()
        ]
        if not any(same_component(seen, key) for _, seen in found for key in keys):
            found.append((piece, component(piece.point, piece.directions)))
    return [piece for piece, _ in found]


def _pieces(group: Group, whole: WyckoffPosition, members: np.ndarray) -> list[WyckoffPosition]:
    """The orbits of the subgroup that one of the group falls into, those that gain freedom left out."""
    cosets = group.table[np.ix_(whole.operations, whole.stabiliser)]
    site_of = np.empty(len(group), dtype=int)
    site_of[cosets] = np.arange(len(cosets))[:, None]
    found, left = [], np.ones(len(cosets), dtype=bool)
    for site, operation in enumerate(whole.operations.tolist()):
        if not left[site]:
            continue
        goes = site_of[group.table[members, operation]]  # by each member
        sites, first = np.unique(goes, return_index=True)
        left[sites] = False
        stabiliser = members[goes == site]
        directions = directions_fixed_by(group.rotations[stabiliser])
        if len(directions) == whole.freedom:
            point = group.apply(operation, whole.point)
            found.append(WyckoffPosition(whole.letter, point, directions, members[first], stabiliser))
    return found
