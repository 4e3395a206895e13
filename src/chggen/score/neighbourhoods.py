"""Neighbourhoods: a batch of crystals cut into chunks for evaluation, and who sees whom in each of them.

A network that is evaluated again and again for the same crystals, as in sampling, gets other positions each time and
the same cells and species. What follows from those is therefore kept until other crystals come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from chggen.crystals import Crystals
from chggen.diffusion import AtomOrbits
from chggen.score.chunks import Alike, Alone, Chunk, Units
from chggen.score.tensor_product import Irrep

_CHUNK: Final = 64  # atoms of small crystals that are evaluated together, so that they stay in the processor's cache
_CHUNK_OF_GPU: Final = 4096  # the same where thousands are computed at once
_ALL_SEE_ALL: Final = 64  # atoms up to which every atom has a slot for every other; in larger crystals most stay empty


class Neighbourhoods:
    """Cuts batches into chunks, and keeps those of the batch that came last.

    Args:
        cutoff: Distance in Å within which atoms see each other.
        max_neighbours: Most neighbours of an atom, the nearest ones; 0 for all.
        irreps: Irreps of the features that atoms send.
    """

    def __init__(self, cutoff: float, max_neighbours: int = 0, irreps: Sequence[Irrep] = ()) -> None:
        self._cutoff = cutoff
        self._most = max_neighbours
        self._irreps = irreps
        self._last: tuple[tuple[Tensor, ...], list[Chunk]] = ((), [])  # replaced as a whole: threads may share a model

    def chunks(self, crystals: Crystals, orbits: AtomOrbits | None = None) -> list[Chunk]:
        """Return the chunks of a batch.

        They are those of the call before where lattices, species, crystals and orbits of the atoms are the same
        tensors.

        Args:
            crystals: The batch.
            orbits: Which atoms are images of each other; None where none are known to be.
        """
        given: tuple[Tensor, ...] = (crystals.lattice, crystals.atomic_numbers, crystals.crystal_index)
        if orbits is not None:
            given += (orbits.representative, orbits.turn)
        last, chunks = self._last
        if len(last) != len(given) or any(a is not b for a, b in zip(given, last, strict=True)):
            chunks = self._cut(crystals, orbits)
            self._last = given, chunks
        return chunks

    def _cut(self, crystals: Crystals, orbits: AtomOrbits | None) -> list[Chunk]:
        counts = crystals.n_atoms
        starts = torch.cumsum(counts, 0) - counts
        receiving = counts
        if orbits is not None:
            itself = orbits.representative == torch.arange(len(orbits.representative), device=counts.device)
            receiving = torch.zeros_like(counts).index_add(0, crystals.crystal_index, itself.to(counts))
        most = _CHUNK_OF_GPU if counts.is_cuda else _CHUNK
        found: list[Chunk] = []
        for n in sorted(set(counts.tolist()) - {0}):
            which = torch.nonzero(counts == n).flatten()
            if n <= _ALL_SEE_ALL and not self._most:
                for part in which.split(_parts(receiving[which].tolist(), most)):
                    found.append(Alike(crystals, part, starts, n, self._cutoff))
                continue
            for c in which.tolist():
                atoms = starts[c] + torch.arange(n, device=starts.device)
                found.append(Alone(crystals, atoms, c, self._cutoff, self._most))
        return found if orbits is None else [Units(chunk, crystals, orbits, self._irreps) for chunk in found]


def _parts(sizes: Sequence[int], most: int) -> list[int]:
    """Return how many items go into each part, in order, so that the sizes in a part of several add up to at most so
    many.
    """
    parts = [0]
    total = 0
    for size in sizes:
        if parts[-1] and total + size > most:
            parts.append(0)
            total = 0
        parts[-1] += 1
        total += size
    return parts
