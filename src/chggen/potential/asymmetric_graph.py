"""Bond graphs of the asymmetric units of symmetric crystals.

Atoms, bonds and angles that symmetry makes equal have equal features in a network of invariants, so it needs one of
each. Its energy, written as a function of the bonds of the asymmetric unit alone, equals that of the crystal for all
crystals of the symmetry. So does its slope along symmetric displacements and strains, and the force and stress of a
symmetric crystal consist of nothing else: the gradients of both are the same once they are averaged over the group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Int
from torch import Tensor

from chggen.crystals import Crystals, Edges
from chggen.potential.bond_graph import BondGraph, UnitGraph
from chggen.symmetry import SymmetryConstraint

_IMAGES: Final = 256  # along an axis, that a key tells apart


def asymmetric_graph(
    crystals: Crystals, edges: Edges, angle_cutoff: float, symmetries: Sequence[SymmetryConstraint]
) -> BondGraph:
    """Return the bond graph of the asymmetric units of crystals.

    Args:
        crystals: The crystals.
        edges: Their edges within CHGNet's atom cutoff. Both directions of every bond are there.
        angle_cutoff: Length below which bonds form angles, in Å.
        symmetries: The symmetry of each crystal, which has an asymmetric unit.

    Returns:
        A bond for each orbit of edges, the angles that each of the short ones forms as the first of the two, and in
        `unit` what stands for what.
    """
    ops = _Operations.of(crystals, symmetries)
    place = torch.full_like(ops.orbit, -1)
    place[ops.atoms] = torch.arange(len(ops.atoms), device=place.device)
    own = place[edges.receiver] >= 0  # edges that point to an atom of a unit
    receiver, sender, image = edges.receiver[own], edges.sender[own], edges.image[own].long()
    table = _Table(receiver, sender, image)
    first = _first_of_orbit(ops, table, place[receiver])
    is_first = first == torch.arange(len(first), device=first.device)
    length = Edges(sender=sender, receiver=receiver, image=edges.image[own]).vectors(crystals).norm(dim=-1)
    short = (length < angle_cutoff)[first]

    # Rows: short bonds, long bonds, and behind them the short edges that are only second edges of angles.
    kinds = torch.stack([short & is_first, ~short & is_first, short & ~is_first])
    rows = torch.cat([torch.nonzero(kind)[:, 0] for kind in kinds])
    n_short, n_bonds = int(kinds[0].sum()), int(is_first.sum())
    row = torch.full_like(first, -1)
    row[rows] = torch.arange(len(rows), device=rows.device)
    bonds = rows[:n_bonds]
    one, arm = _pairs(receiver[rows[:n_short]], receiver[short], torch.nonzero(short)[:, 0])
    other = row[arm] != one  # no edge forms an angle with itself
    one, arm = one[other], arm[other]
    reverse = table.find(*_reversed(ops, receiver[rows[:n_short]], sender[rows[:n_short]], image[rows[:n_short]]))
    return BondGraph(
        sender=sender[rows],
        receiver=receiver[rows],
        image=image[rows].to(edges.image.dtype),
        n_short=n_short,
        center=place[receiver[rows[one]]],
        one=one,
        two=row[first[arm]],
        sign=torch.ones(len(one), dtype=torch.float32, device=one.device),
        unit=UnitGraph(
            atoms=ops.atoms,
            orbit=ops.orbit,
            size=torch.bincount(ops.orbit),
            receiver=ops.orbit[receiver[bonds]],
            sender=ops.orbit[sender[bonds]],
            count=torch.bincount(first, minlength=len(first))[bonds],
            arm=row[arm],
            reverse=torch.where(reverse < 0, torch.arange(n_short, device=one.device), row[first[reverse]]),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Operations:
    """Asymmetric units and operations of a batch of crystals, one crystal after another.

    Attributes:
        atoms: Atoms of the units, of shape (unit,), as places in the batch.
        orbit: For each atom of the batch the place of its orbit's atom in `atoms`, of shape (atoms,).
        into: Operation that takes each atom to the atom of the unit, of shape (atoms,).
        fixers: Operations that fix an atom of the unit, atom by atom, of shape (fixers,).
        n_fixers: Number of them for each atom of the unit, of shape (unit,).
        rotations: Rotation parts in fractional coordinates, of shape (operations, 3, 3).
        pairs: Where the pairs of each operation with the atoms of its crystal begin, of shape (operations,), less the
            place of the first of these atoms.
        image: For each pair the atom that the operation takes the atom to, of shape (pairs,).
        cell: For each pair the cell in which it puts the atom, of shape (pairs, 3).
    """

    atoms: Int[Tensor, "unit"]
    orbit: Int[Tensor, "atoms"]
    into: Int[Tensor, "atoms"]
    fixers: Int[Tensor, "fixers"]
    n_fixers: Int[Tensor, "unit"]
    rotations: Int[Tensor, "operations 3 3"]
    pairs: Int[Tensor, "operations"]
    image: Int[Tensor, "pairs"]
    cell: Int[Tensor, "pairs 3"]

    @classmethod
    def of(cls, crystals: Crystals, symmetries: Sequence[SymmetryConstraint]) -> _Operations:
        """Join the units of crystals; the cells are those of the coordinates as they are."""
        columns: list[tuple[Tensor, ...]] = []
        n_atoms = n_unit = n_ops = n_pairs = 0
        for symmetry in symmetries:
            unit, (g, n) = symmetry.unit, symmetry.images.shape
            assert unit is not None
            own = crystals.frac_coords[n_atoms : n_atoms + n].double()
            moved = own @ symmetry.fractional.double().transpose(1, 2) + symmetry.translations[:, None]
            columns.append(
                (
                    unit.atoms + n_atoms,
                    unit.orbit + n_unit,
                    unit.into + n_ops,
                    unit.fixers + n_ops,
                    unit.n_fixers,
                    symmetry.fractional,
                    torch.arange(g, device=own.device) * n + (n_pairs - n_atoms),
                    symmetry.images.flatten() + n_atoms,
                    torch.round(moved - own[symmetry.images]).long().reshape(-1, 3),
                )
            )
            n_atoms, n_unit, n_ops, n_pairs = n_atoms + n, n_unit + len(unit.atoms), n_ops + g, n_pairs + g * n
        atoms, orbit, into, fixers, n_fixers, rotations, pairs, image, cell = map(torch.cat, zip(*columns, strict=True))
        return cls(
            atoms=atoms, orbit=orbit, into=into, fixers=fixers, n_fixers=n_fixers, rotations=rotations, pairs=pairs,
            image=image, cell=cell,
        )  # fmt: skip

    def __call__(self, op: Tensor, receiver: Tensor, sender: Tensor, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the edges that operations take edges to, as receiver, sender and image."""
        to, at = self.pairs[op] + receiver, self.pairs[op] + sender
        turned = (self.rotations[op] * image[:, None, :]).sum(-1)
        return self.image[to], self.image[at], turned + self.cell[at] - self.cell[to]


class _Table:
    """Edges that are found by what they join."""

    def __init__(self, receiver: Tensor, sender: Tensor, image: Tensor) -> None:
        self.receiver, self.sender, self.image = receiver, sender, image
        self.keys, self.order = torch.sort(self._key(receiver, sender, image))

    def find(self, receiver: Tensor, sender: Tensor, image: Tensor) -> Tensor:
        """Return the places of edges in the table, −1 for those that are not there."""
        key = self._key(receiver, sender, image)
        place = torch.searchsorted(self.keys, key).clamp(max=len(self.keys) - 1)
        return torch.where(self.keys[place] == key, self.order[place], -1)

    def _key(self, receiver: Tensor, sender: Tensor, image: Tensor) -> Tensor:
        first, second, third = (image + _IMAGES // 2).unbind(-1)
        atoms = receiver * (int(self.sender.max()) + 1 if len(self.sender) else 1) + sender
        return ((atoms * _IMAGES + first) * _IMAGES + second) * _IMAGES + third


def _first_of_orbit(ops: _Operations, table: _Table, place: Tensor) -> Tensor:
    """Return for each edge the first in the table that an operation takes it to; `place`: of its receiver in the unit.

    An edge as long as the cutoff may be there and its images not. It then counts for itself: its weight is zero.
    """
    edge, which = _pairs(
        place, torch.repeat_interleave(ops.n_fixers), torch.arange(len(ops.fixers), device=place.device)
    )
    found = table.find(*ops(ops.fixers[which], table.receiver[edge], table.sender[edge], table.image[edge]))
    first = torch.arange(len(place), device=place.device)
    first = first.scatter_reduce(0, edge, torch.where(found < 0, edge, found), "amin")
    while not torch.equal(first, first[first]):  # where an image was not there
        first = first[first]
    return first


def _reversed(ops: _Operations, receiver: Tensor, sender: Tensor, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the edges in the other direction, each taken to where it points to an atom of the unit."""
    return ops(ops.into[sender], sender, receiver, -image)


def _pairs(group: Tensor, sorted_group: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    """Return all pairs of a place in `group` and an item of the same group; items are sorted by group."""
    n = int(torch.cat([group, sorted_group]).max()) + 1 if len(group) and len(sorted_group) else 1
    size = torch.bincount(sorted_group, minlength=n)
    begin = torch.cumsum(size, 0) - size
    many = size[group]
    one = torch.repeat_interleave(many)
    within = torch.arange(len(one), device=group.device) - (torch.cumsum(many, 0) - many)[one]
    return one, items[begin[group][one] + within]
