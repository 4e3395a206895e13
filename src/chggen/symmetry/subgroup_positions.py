"""Wyckoff positions of subgroups: how the positions of a group split when operations are lost."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from chggen.symmetry.fixed_subspaces import component, directions_fixed_by, same_component
from chggen.symmetry.group import Group
from chggen.symmetry.wyckoff import WyckoffPosition


def in_subgroup(
    group: Group, positions: tuple[WyckoffPosition, ...], members: Int[np.ndarray, "members"]
) -> tuple[WyckoffPosition, ...]:
    """Return the Wyckoff positions of a subgroup, made from those of the group.

    Under the subgroup the orbits of a position fall apart into pieces. A piece is a position of the subgroup if it has
    no more free coordinates than before. With more it lies on a position that comes from another one of the group's.
    Of the pieces that lie in the same plane or line, only one is kept.

    Args:
        group: The whole group.
        positions: Its Wyckoff positions.
        members: Indices of the subgroup's operations, of shape (members,).

    Returns:
        The subgroup's positions. Their operations are still indices of the whole group.
    """
    if len(members) == len(group):
        return positions
    return tuple(piece for whole in positions for piece in _different(group, _pieces(group, whole, members)))


def _different(group: Group, pieces: list[WyckoffPosition]) -> list[WyckoffPosition]:
    """Return pieces of one position without those that lie in the plane or line of an earlier one.

    Points always differ, and of pieces that fill all space one is kept.
    """
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
    """Return the subgroup's orbits that an orbit of the group splits into, without those that gain free coordinates."""
    cosets = group.table[np.ix_(whole.operations, whole.stabiliser)]
    site_of = np.empty(len(group), dtype=int)
    site_of[cosets] = np.arange(len(cosets))[:, None]
    found, left = [], np.ones(len(cosets), dtype=bool)
    for site, operation in enumerate(whole.operations.tolist()):
        if not left[site]:
            continue
        image = site_of[group.table[members, operation]]  # the site that each member takes this one to
        sites, first = np.unique(image, return_index=True)
        left[sites] = False
        stabiliser = members[image == site]
        directions = directions_fixed_by(group.rotations[stabiliser])
        if len(directions) == whole.freedom:
            point = group.apply(operation, whole.point)
            found.append(WyckoffPosition(whole.letter, point, directions, members[first], stabiliser))
    return found
