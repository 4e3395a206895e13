"""Bond graphs of CHGNet: the bonds of a batch of crystals, and the angles between the short ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from chggen.crystals import Crystals, Edges


@dataclass(frozen=True, kw_only=True)
class BondGraph:
    """The undirected bonds of a batch of crystals, and the angles between the short ones.

    Bonds below the angle cutoff come first. Angles are all unordered pairs of these that meet at an atom, each pair
    once. The unit vectors of the two bonds of an angle have the dot product sign · cos(angle).

    Attributes:
        sender: Atom where each bond starts, of shape (bonds,).
        receiver: Atom where each bond ends, of shape (bonds,).
        image: Cell in which the sender lies, relative to that of the receiver, of shape (bonds, 3).
        n_short: Number of bonds below the angle cutoff.
        center: Atom at the vertex of each angle, of shape (angles,).
        one: First bond of each angle, of shape (angles,).
        two: Second bond of each angle, of shape (angles,).
        sign: −1 where one of the two bonds starts at the vertex and the other ends there, else +1, of shape (angles,).
    """

    sender: Int[Tensor, "bonds"]
    receiver: Int[Tensor, "bonds"]
    image: Float[Tensor, "bonds 3"]
    n_short: int
    center: Int[Tensor, "angles"]
    one: Int[Tensor, "angles"]
    two: Int[Tensor, "angles"]
    sign: Float[Tensor, "angles"]


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
