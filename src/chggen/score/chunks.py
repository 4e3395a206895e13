"""Chunks: crystals of a batch that a network is evaluated for together, and the graph of each for given positions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from chggen.crystals import AllPairs, Crystals, pairs_of
from chggen.diffusion import AtomOrbits
from chggen.score.layers import LEAST_ROWS
from chggen.score.neighbours import at_least, neighbours
from chggen.score.tensor_product import Irrep, turns_of


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The edges of a chunk, and the table of pairs that they belong to: a row for each atom and slot.

    Attributes:
        vector: Vectors from receiver to sender in Å, of shape (edges, 3).
        row: Row of each edge in the table, atom · slots + slot, of shape (edges,).
        sender: The neighbour in each row, of shape (atoms · slots,). Rows without edges hold any atom.
        slots: Slots of an atom.
        place: For each atom that is seen the one that it is an image of, of shape (atoms,), and
        turns: what turns the features of that one into its own, for each irrep, of shape (atoms, 2l+1, 2l+1). None
            where every atom receives for itself.
    """

    vector: Float[Tensor, "edges 3"]
    row: Int[Tensor, "edges"]
    sender: Int[Tensor, "rows"]
    slots: int
    place: Int[Tensor, "atoms"] | None = None
    turns: Sequence[Tensor] = ()

    def spread(self, sent: Float[Tensor, "receivers components channels"], irrep: int) -> Tensor:
        """Return what every atom sends, from what one atom of each orbit sends.

        Args:
            sent: What the receivers send, of shape (receivers, components, channels).
            irrep: Number of their irrep.

        Returns:
            The same of all atoms, of shape (atoms, components · channels).
        """
        if self.place is None:
            return sent.view(len(sent), -1)
        of_all = sent.index_select(0, self.place)
        if irrep:  # the first are scalars
            of_all = torch.bmm(self.turns[irrep], of_all)
        return of_all.view(len(of_all), -1)

    def table(self, features: Float[Tensor, "edges features"], atoms: int) -> Float[Tensor, "atoms features slots"]:
        """Sum edge features over the images of each pair; 0 where there are none.

        Args:
            features: Features of the edges, of shape (edges, features).
            atoms: Number of atoms.

        Returns:
            Summed features of shape (atoms, features, slots).
        """
        rows = atoms * self.slots
        total = features.new_zeros(rows + 1, features.shape[-1]).index_add_(0, self.row, features)
        return total[:rows].view(atoms, self.slots, -1).transpose(1, 2)


class Chunk(ABC):
    """Crystals of a batch that are evaluated together.

    Attributes:
        atoms: Their atoms in the batch, of shape (atoms,).
        receivers: Those that features are computed for, of shape (receivers,): all, or one of each orbit.
        atomic_numbers: Atomic numbers of these. Where they are few, those of dummy atoms without neighbours follow.
        keeps_slots: Whether all its graphs have the same senders in the same slots.
    """

    keeps_slots = False

    def __init__(self, crystals: Crystals, atoms: Int[Tensor, "atoms"]) -> None:
        self.atoms = self.receivers = atoms
        numbers = crystals.atomic_numbers[atoms]
        self.atomic_numbers = torch.cat([numbers, numbers.new_ones(max(LEAST_ROWS - len(numbers), 0))])

    @abstractmethod
    def graph(self, frac: Float[Tensor, "atoms 3"]) -> Graph:
        """Return the graph of these positions.

        Args:
            frac: Fractional coordinates of the atoms of the chunk.
        """

    def _graph(self, vector: Tensor, row: Tensor, sender: Tensor, slots: int) -> Graph:
        """Return the graph with edges that lead nowhere where there are few, and with the rows of the dummy atoms."""
        rows = len(self.atomic_numbers) * slots
        if len(vector) < LEAST_ROWS:
            vector = torch.cat([vector, vector.new_ones(LEAST_ROWS, 3)])
            row = torch.cat([row, row.new_full((LEAST_ROWS,), rows)])  # the row after the last, which nobody reads
        return Graph(vector=vector, row=row, sender=at_least(sender, rows), slots=slots)


class Alike(Chunk):
    """Small crystals with as many atoms each, in which every atom has a slot for every atom of its crystal."""

    keeps_slots = True

    def __init__(self, crystals: Crystals, which: Tensor, starts: Tensor, n_atoms: int, cutoff: float) -> None:
        own = torch.arange(n_atoms, device=starts.device)
        super().__init__(crystals, (starts[which][:, None] + own).flatten())
        self._search = AllPairs(crystals.lattice[which], n_atoms, cutoff)
        first = torch.arange(len(which), device=starts.device) * n_atoms
        self._sender = (first[:, None] + own)[:, None].expand(-1, n_atoms, -1).flatten()
        self._slots = n_atoms

    def graph(self, frac: Tensor) -> Graph:
        vector, row = self._search(frac)
        return self._graph(vector.to(frac.dtype), row, self._sender, self._slots)


class Alone(Chunk):
    """A large crystal, or one whose atoms see a limited number of neighbours."""

    def __init__(self, crystals: Crystals, atoms: Tensor, which: int, cutoff: float, most: int) -> None:
        super().__init__(crystals, atoms)
        self._crystal = Crystals(
            frac_coords=crystals.frac_coords[atoms],
            lattice=crystals.lattice[which : which + 1],
            atomic_numbers=crystals.atomic_numbers[atoms],
            crystal_index=torch.zeros_like(atoms),
            guest=crystals.guest[atoms],
        )
        self._cutoff = cutoff
        self._most = most

    def graph(self, frac: Tensor) -> Graph:
        crystal = replace(self._crystal, frac_coords=frac)
        edges, vector = neighbours(crystal, self._cutoff, self._most)
        pairs = pairs_of(edges, len(frac))
        return self._graph(vector, pairs.slot, pairs.sender.flatten(), pairs.sender.shape[1])


class Units(Chunk):
    """Symmetric crystals, of which one atom of each orbit receives."""

    def __init__(self, whole: Chunk, crystals: Crystals, orbits: AtomOrbits, irreps: Sequence[Irrep]) -> None:
        representative = orbits.representative[whole.atoms]
        own = torch.nonzero(representative == whole.atoms).flatten()
        super().__init__(crystals, whole.atoms[own])
        self.atoms, self._whole, self.keeps_slots = whole.atoms, whole, whole.keeps_slots
        place = torch.empty_like(crystals.atomic_numbers)
        place[self.receivers] = torch.arange(len(own), device=own.device)
        self._place, self._own = place[representative], own
        # Of rows of the table of all atoms, dummies included, and of those that nobody reads:
        self._receiver = own.new_full((len(whole.atomic_numbers) + 1,), -1)
        self._receiver[own] = torch.arange(len(own), device=own.device)
        self._turns = [turns_of(orbits.turn[whole.atoms], irrep) for irrep in irreps]

    def graph(self, frac: Tensor) -> Graph:
        whole = self._whole.graph(frac)
        atom, slot = whole.row.div(whole.slots, rounding_mode="floor"), whole.row % whole.slots
        receiver = self._receiver[atom]
        kept = torch.nonzero(receiver >= 0).flatten()
        row = receiver[kept] * whole.slots + slot[kept]
        sender = whole.sender.view(-1, whole.slots)[self._own].flatten()
        some = self._graph(whole.vector[kept], row, sender, whole.slots)
        return replace(some, place=self._place, turns=self._turns)
