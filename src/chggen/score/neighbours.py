"""Who sees whom: the edges of crystals within a cutoff, and no more than some of the nearest."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from chggen.crystals import Crystals, Edges, edges_within


def at_least(index: Int[Tensor, "rows"], count: int) -> Int[Tensor, "more"]:
    """Return an index with zeros appended where it is short.

    Args:
        index: Numbers of rows.
        count: So many there are at least in what is returned.
    """
    return index if len(index) >= count else torch.cat([index, index.new_zeros(count - len(index))])


def neighbours(crystals: Crystals, cutoff: float, max_neighbours: int = 0) -> tuple[Edges, Float[Tensor, "edges 3"]]:
    """Return the edges within a cutoff and their vectors.

    Args:
        crystals: The crystals.
        cutoff: Longest edge in Å.
        max_neighbours: Keep only so many nearest neighbours of each atom; 0 keeps all.

    Returns:
        The edges, and their vectors from receiver to sender in Å, of shape (edges, 3).
    """
    edges = edges_within(crystals, cutoff)
    vector = edges.vectors(crystals)
    if max_neighbours:
        near = _nearest(edges, vector, max_neighbours)
        edges = Edges(sender=edges.sender[near], receiver=edges.receiver[near], image=edges.image[near])
        vector = vector[near]
    return edges, vector


def _nearest(edges: Edges, vector: Tensor, most: int) -> Bool[Tensor, "edges"]:
    """True for the `most` shortest edges of each receiver."""
    by_length = torch.argsort((vector**2).sum(-1), stable=True)
    order = by_length[torch.argsort(edges.receiver[by_length], stable=True)]
    degree = torch.bincount(edges.receiver)
    starts = torch.cumsum(degree, 0) - degree
    rank = torch.arange(len(order), device=order.device) - starts[edges.receiver[order]]
    return torch.zeros_like(order, dtype=torch.bool).index_copy(0, order, rank < most)
