"""Edges: the neighbours of atoms within a cutoff, in batches of periodic crystals.

Small crystals are searched densely over lattice images in plain torch, which needs nothing else and runs on any
device. Large crystals on the CPU go to vesin's cell lists where vesin is installed. Both give the same edges.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from chggen.crystals.batch import Crystals
from chggen.crystals.lattice import images_within

_VESIN_FROM_ATOMS: Final = 100  # from here cell lists are faster than the dense search, measured on one CPU core
_DENSE_ELEMENTS: Final = {"cpu": 300_000, "cuda": 60_000_000}  # pair-image products held at once


@dataclass(frozen=True, kw_only=True)
class Edges:
    """Directed edges between neighbouring atoms, sorted by receiver, then sender.

    The vector of an edge is x_sender + image @ lattice − x_receiver. An atom can be its own neighbour, through an
    image other than (0, 0, 0).

    Attributes:
        sender: Index of the atom that an edge starts from, of shape (edges,).
        receiver: Index of the atom that an edge points to, of shape (edges,).
        image: Lattice translation of the sender in cells, whole numbers of shape (edges, 3).
    """

    sender: Int[Tensor, "edges"]
    receiver: Int[Tensor, "edges"]
    image: Float[Tensor, "edges 3"]

    def vectors(self, crystals: Crystals) -> Float[Tensor, "edges 3"]:
        """Return the vectors from receivers to senders.

        Args:
            crystals: The crystals that the edges were found in, perhaps with moved atoms that were not wrapped since.

        Returns:
            Cartesian vectors of shape (edges, 3), in Å.
        """
        frac = crystals.frac_coords[self.sender] - crystals.frac_coords[self.receiver] + self.image
        return torch.einsum("ei,eij->ej", frac, crystals.lattice[crystals.crystal_index[self.receiver]])


def edges_within(crystals: Crystals, cutoff: float) -> Edges:
    """Find all edges that are not longer than a cutoff.

    Args:
        crystals: The crystals. Their coordinates need not be wrapped.
        cutoff: Longest edge, in Å.

    Returns:
        The edges, on the device and in the floating-point type of the crystals. The search itself is in float64.
    """
    counts = crystals.n_atoms
    starts = torch.cumsum(counts, 0) - counts
    cell = torch.floor(crystals.frac_coords.double())  # the search needs wrapped coordinates, the caller may not
    frac = crystals.frac_coords.double() - cell
    lattice = crystals.lattice.double()
    reach = images_within(lattice, cutoff)
    cost = counts**2 * (2 * reach + 1).prod(dim=-1)
    vesin = crystals.frac_coords.device.type == "cpu" and importlib.util.find_spec("vesin") is not None
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for group in _groups(counts.tolist(), cost.tolist(), _DENSE_ELEMENTS[crystals.frac_coords.device.type]):
        if vesin and len(group) == 1 and counts[group[0]] >= _VESIN_FROM_ATOMS:
            c = group[0]
            found.append(_from_cell_lists(frac[starts[c] : starts[c] + counts[c]], lattice[c], cutoff, int(starts[c])))
        else:
            # Sorted, so that a lone group comes out in order of the receivers.
            index = torch.tensor(sorted(group), device=frac.device)
            found.append(_dense(frac, lattice[index], starts[index], counts[index], reach[index], cutoff))
    receiver, sender, image = (torch.cat(column) for column in zip(*found, strict=True))
    if len(found) > 1:
        order = torch.argsort(receiver, stable=True)
        receiver, sender, image = receiver[order], sender[order], image[order]
    image = image + cell[receiver] - cell[sender]
    return Edges(sender=sender, receiver=receiver, image=image.to(crystals.frac_coords.dtype))


def _groups(counts: list[int], cost: list[int], limit: int) -> list[list[int]]:
    """Group crystals of similar cost, so that little is padded and the cost of a group stays below the limit."""
    groups: list[list[int]] = []
    largest = 0
    for c in sorted((c for c, n in enumerate(counts) if n), key=lambda c: cost[c]):
        if groups and cost[c] * (len(groups[-1]) + 1) <= limit and cost[c] <= 2 * largest:
            groups[-1].append(c)
        else:
            groups.append([c])
            largest = cost[c]
    return groups


def _dense(
    frac: Tensor, lattice: Tensor, starts: Tensor, counts: Tensor, reach: Tensor, cutoff: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return receiver, sender and image of the edges of a padded group of crystals.

    All squared lengths |d + T|² over pair vectors d and lattice translations T are computed at once, in float64.
    """
    n = int(counts.max())
    slots = torch.arange(n, device=frac.device)
    atom = starts[:, None] + torch.minimum(slots, counts[:, None] - 1)
    pad = torch.where(slots < counts[:, None], 0.0, torch.nan).to(frac.dtype)
    position = frac[atom]
    difference = position[:, None, :, :] - position[:, :, None, :]
    d = (difference.flatten(1, 2) @ lattice) + (pad[:, None, :] + pad[:, :, None]).flatten(1)[..., None]
    axes = [torch.arange(-int(r), int(r) + 1, device=frac.device, dtype=frac.dtype) for r in reach.amax(dim=0)]
    images = torch.cartesian_prod(*axes)
    shift = images @ lattice
    squared = torch.baddbmm((shift**2).sum(-1)[:, None, :], d, shift.transpose(1, 2), alpha=2.0)
    squared += (d**2).sum(-1, keepdim=True)
    home = images.shape[0] // 2
    squared.view(len(lattice), n, n, -1).diagonal(dim1=1, dim2=2)[:, home] = torch.inf  # an atom and itself
    c, pair, k = torch.nonzero(squared <= cutoff**2, as_tuple=True)
    return starts[c] + pair // n, starts[c] + pair % n, images[k]


def _from_cell_lists(frac: Tensor, lattice: Tensor, cutoff: float, start: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return receiver, sender and image of the edges of one crystal, whose first atom has the index `start`."""
    from vesin import NeighborList

    search = NeighborList(cutoff=cutoff, full_list=True)
    i, j, image = search.compute(points=(frac @ lattice).numpy(), box=lattice.numpy(), periodic=True, quantities="ijS")
    receiver, sender = torch.from_numpy(i.astype("int64")), torch.from_numpy(j.astype("int64"))
    order = torch.argsort(receiver * len(frac) + sender, stable=True)
    return receiver[order] + start, sender[order] + start, torch.from_numpy(image.astype("float64"))[order]


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Edges gathered into a padded table with one slot for each distinct neighbour of an atom.

    In a small cell an atom has the same neighbour through several images. Networks whose messages are linear in the
    edge features need only their sum over these images, so that their cost is that of the distinct pairs.

    Attributes:
        sender: Index of the neighbour in each slot, of shape (atoms, slots). Padded slots hold atom 0; the features
            that `sum` gives them are 0.
        slot: Row of each edge in the flattened table, of shape (edges,).
    """

    sender: Int[Tensor, "atoms slots"]
    slot: Int[Tensor, "edges"]

    def sum(self, features: Float[Tensor, "edges features"]) -> Float[Tensor, "atoms slots features"]:
        """Sum edge features over the images of each pair.

        Args:
            features: Features of shape (edges, features).

        Returns:
            Summed features of shape (atoms, slots, features), 0 in padded slots.
        """
        atoms, slots = self.sender.shape
        table = features.new_zeros(atoms * slots, features.shape[-1]).index_add(0, self.slot, features)
        return table.view(atoms, slots, -1)


def pairs_of(edges: Edges, n_atoms: int) -> Pairs:
    """Gather edges into the table of distinct pairs.

    Args:
        edges: Edges sorted by receiver, then sender, as `edges_within` returns them.
        n_atoms: Number of atoms in the batch.

    Returns:
        The table, with as many slots as the largest number of distinct neighbours, at least one.
    """
    key = edges.receiver * n_atoms + edges.sender
    pairs, pair_of_edge = torch.unique_consecutive(key, return_inverse=True)
    receiver, sender = pairs // n_atoms, pairs % n_atoms
    degree = torch.bincount(receiver, minlength=n_atoms)
    starts = torch.cumsum(degree, 0) - degree
    slots = max(int(degree.max()) if n_atoms else 0, 1)
    slot = receiver * slots + torch.arange(len(pairs), device=key.device) - starts[receiver]
    table = torch.zeros(n_atoms * slots, dtype=torch.long, device=key.device).index_copy(0, slot, sender)
    return Pairs(sender=table.view(n_atoms, slots), slot=slot[pair_of_edge])
