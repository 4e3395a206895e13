"""Which crystals a network of interatomic distances can compute at all, and how many of them at once."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from chggen.crystals import Crystals, Edges, inverse_spacings, volume
from chggen.execution import free_memory

_OVERLAP: Final = 0.3  # Å; closer than any two nuclei, where the network's answer means nothing
_FLATTEST: Final = 0.3  # Å between lattice planes; below it the images within the cutoff grow without bound
_SMALLEST: Final = 1.0  # Å³/atom; no crystal is denser


@dataclass(frozen=True, kw_only=True)
class BatchLimits:
    """What a network can take.

    Attributes:
        name: What reasons call the network.
        cutoff: Distance within which atoms are neighbours, in Å.
        known: Atomic numbers of the elements that it knows.
        bytes_of_edge: Memory that an edge takes, at most.
        edges_at_once: Kind of device (`cpu`, `cuda`) to the number of edges from which more of them are no faster.
        device: Where it runs.
    """

    name: str
    cutoff: float
    known: Collection[int]
    bytes_of_edge: int
    edges_at_once: Mapping[str, int]
    device: str

    def unfit(self, crystal: Crystals) -> str | None:
        """Return why the network cannot compute a crystal; None where it can.

        Args:
            crystal: A batch of one.
        """
        lattice, numbers = crystal.lattice, crystal.atomic_numbers
        if len(numbers) == 0:
            return "there are no atoms"
        if not (crystal.frac_coords.isfinite().all() and lattice.isfinite().all()):
            return "coordinates or lattice are not finite"
        if float(volume(lattice)) < _SMALLEST * len(numbers):
            return f"the cell has less than {_SMALLEST} Å³/atom"
        if bool((inverse_spacings(lattice) > 1 / _FLATTEST).any()):
            return f"lattice planes are closer than {_FLATTEST} Å"
        if unknown := sorted(set(numbers.tolist()) - set(self.known)):
            if unknown[-1] > (heaviest := max(self.known)):
                return f"{self.name} knows elements up to Z = {heaviest} only"
            return f"{self.name} does not know the element Z = {unknown[0]}"
        needed = self.bytes_of_edge * self._edges(crystal)
        free = free_memory(self.device) if needed > self.bytes_of_edge * self.edges_at_once["cpu"] else None
        if free is not None and needed > free:
            return f"it needs about {needed / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free"
        return None

    def batches(
        self, chosen: Sequence[int], parts: Sequence[Crystals], shares: Mapping[int, float]
    ) -> Iterator[list[int]]:
        """Yield the chosen crystals in order, cut to batches whose edges are not too many and fit the memory.

        Args:
            chosen: Places of crystals among the parts.
            parts: The crystals, each a batch of one.
            shares: Place of a crystal to the part of its edges that are computed; all of them where there is none.
        """
        free = free_memory(self.device)
        limit: float = self.edges_at_once[torch.device(self.device).type]
        limit = limit if free is None else min(limit, free / self.bytes_of_edge)
        found: list[int] = []
        edges = 0.0
        for k in chosen:
            more = self._edges(parts[k]) * shares.get(k, 1.0)
            if found and edges + more > limit:
                yield found
                found, edges = [], 0.0
            found.append(k)
            edges += more
        if found:
            yield found

    def faults(self, crystals: Crystals, edges: Edges, lengths: torch.Tensor, owners: torch.Tensor) -> dict[int, str]:
        """Return which crystals of a batch have atoms too close together or without neighbours, and which of the two.

        Args:
            crystals: The batch.
            edges: Its edges within the cutoff.
            lengths: Lengths of some bonds, in Å.
            owners: The crystal of each of these.

        Returns:
            Place of a crystal in the batch to the reason.
        """
        owner = crystals.crystal_index
        alone = owner[torch.bincount(edges.receiver, minlength=len(owner)) == 0]
        overlapping = owners[lengths < _OVERLAP]
        found = dict.fromkeys(overlapping.tolist(), f"two atoms are closer than {_OVERLAP} Å")
        return found | dict.fromkeys(alone.tolist(), f"an atom has no neighbour within {self.cutoff:g} Å")

    def _edges(self, crystal: Crystals) -> float:
        """Return an estimate of a crystal's number of edges, from its density."""
        ball = 4 / 3 * math.pi * self.cutoff**3
        return len(crystal.frac_coords) ** 2 * ball / float(volume(crystal.lattice))


def nothing(n_atoms: int, device: str) -> tuple[torch.Tensor, ...]:
    """Return energy, forces, stress and magnetic moments of a crystal that cannot be computed: all NaN.

    Args:
        n_atoms: Number of its atoms.
        device: Where they are wanted.
    """
    none = torch.full((n_atoms, 3), torch.nan, dtype=torch.float64, device=device)
    return none.new_full((1,), torch.nan), none, none.new_full((1, 3, 3), torch.nan), none[:, 0]
