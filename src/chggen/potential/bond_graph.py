"""Bond graphs of CHGNet: the bonds of a batch of crystals, and the angles between the short ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from chggen.crystals import Crystals, Edges


@dataclass(frozen=True, kw_only=True)
class UnitGraph:
    """What stands for what in the bond graph of asymmetric units.

    Attributes:
        atoms: Atoms of the units, of shape (unit,), as places in the batch of crystals.
        orbit: For each atom of the batch the place of its orbit's atom in `atoms`, of shape (atoms,).
        size: Number of atoms in each orbit, of shape (unit,).
        receiver: Orbit of the atom where each bond ends, of shape (bonds,).
        sender: Orbit of the atom where each bond starts, of shape (bonds,).
        count: Number of edges of its receiver that each bond stands for, of shape (bonds,).
        arm: Row of the second edge of each angle, of shape (angles,).
        reverse: Bond that stands for each short bond in the other direction, of shape (n_short,).
    """

    atoms: Int[Tensor, "unit"]
    orbit: Int[Tensor, "atoms"]
    size: Int[Tensor, "unit"]
    receiver: Int[Tensor, "bonds"]
    sender: Int[Tensor, "bonds"]
    count: Int[Tensor, "bonds"]
    arm: Int[Tensor, "angles"]
    reverse: Int[Tensor, "short"]


@dataclass(frozen=True, kw_only=True)
class BondGraph:
    """The undirected bonds of a batch of crystals, and the angles between the short ones.

    Bonds below the angle cutoff come first. Angles are all unordered pairs of these that meet at an atom, each pair
    once. The unit vectors of the two bonds of an angle have the dot product sign · cos(angle).

    In the graph of asymmetric units, bonds have a direction and stand for an orbit of edges each. Behind them follow
    rows that serve angles alone. Each order of the two bonds of an angle is there for itself.

    Attributes:
        sender: Atom where each bond starts, of shape (rows,): those of the bonds, then any that serve angles alone.
        receiver: Atom where each bond ends, of shape (rows,).
        image: Cell in which the sender lies, relative to that of the receiver, of shape (rows, 3).
        n_short: Number of bonds below the angle cutoff.
        center: Atom, or orbit, at the vertex of each angle, of shape (angles,).
        one: First bond of each angle, of shape (angles,).
        two: Second bond of each angle, of shape (angles,).
        sign: −1 where one of the two bonds starts at the vertex and the other ends there, else +1, of shape (angles,).
        unit: What stands for what in the graph of asymmetric units, None in that of all atoms.
    """

    sender: Int[Tensor, "rows"]
    receiver: Int[Tensor, "rows"]
    image: Float[Tensor, "rows 3"]
    n_short: int
    center: Int[Tensor, "angles"]
    one: Int[Tensor, "angles"]
    two: Int[Tensor, "angles"]
    sign: Float[Tensor, "angles"]
    unit: UnitGraph | None = None


def bond_graph(crystals: Crystals, edges: Edges, angle_cutoff: float) -> BondGraph:
    """Return the bond graph of edges.

    Args:
        crystals: The crystals.
        edges: Their edges within CHGNet's atom cutoff. Both directions of every bond are there.
        angle_cutoff: Length below which bonds form angles, in Å.

    Returns:
        Each bond once, in one of its two directions, and the angles between short bonds.
    """
    # Its sign is that of the first component of the image that is not 0.
    first_step = edges.image @ edges.image.new_tensor([4.0**16, 4.0**8, 1.0])
    forward = (edges.sender > edges.receiver) | ((edges.sender == edges.receiver) & (first_step > 0))
    half = Edges(sender=edges.sender[forward], receiver=edges.receiver[forward], image=edges.image[forward])
    is_short = half.vectors(crystals).norm(dim=-1) < angle_cutoff
    order = torch.argsort(is_short, descending=True, stable=True)
    sender, receiver, image = half.sender[order], half.receiver[order], half.image[order]
    n_short = int(is_short.sum())
    ends = torch.cat([receiver[:n_short], sender[:n_short]])
    by_center = torch.argsort(ends, stable=True)
    one, two = _pairs_within(ends[by_center], len(crystals.atomic_numbers))
    one, two = by_center[one], by_center[two]
    sign = torch.where((one < n_short) == (two < n_short), 1.0, -1.0)
    return BondGraph(
        sender=sender,
        receiver=receiver,
        image=image,
        n_short=n_short,
        center=ends[one],
        one=one % max(n_short, 1),
        two=two % max(n_short, 1),
        sign=sign,
    )


def _pairs_within(group: Int[Tensor, "items"], n_groups: int) -> tuple[Tensor, Tensor]:
    """Return all unordered pairs of items of the same group, each once; the items are sorted by group."""
    size = torch.bincount(group, minlength=n_groups)
    end = torch.cumsum(size, 0)
    item = torch.arange(len(group), device=group.device)
    later = end[group] - item - 1  # items of the group that follow
    one = torch.repeat_interleave(item, later)
    start = torch.cumsum(later, 0) - later
    return one, one + 1 + torch.arange(len(one), device=group.device) - start[one]
