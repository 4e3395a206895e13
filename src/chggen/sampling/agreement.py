"""Agreement: whether two samples of a crystal are the same structure, told by the distances of their atoms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from jaxtyping import Float

from chggen.crystals import Crystals, edges_within

_REACH: Final = 6.0  # Å; distances up to there are compared
_NEAR: Final = 0.1  # Å by which no distance may differ; samples of one structure differ by about 0.02

_FAR: Final = 0
_KINDS: Final = 1000  # more than there are elements


@dataclass(frozen=True)
class Distances:
    """The distances between the guests of a crystal and its atoms, by the elements at both ends.

    They are the same for samples that a symmetry operation of the host takes into each other.

    Attributes:
        lattice: The cell, rows in Å, shape (3, 3).
        sorted: For each pair of elements the distances up to 6 Å, rising.
    """

    lattice: Float[np.ndarray, "3 3"]
    sorted: dict[int, Float[np.ndarray, "distances"]]

    def agree(self, other: Distances) -> bool:
        """Return whether no distance differs by more than 0.1 Å.

        Args:
            other: The distances of another sample with the same atoms.
        """
        if self.sorted.keys() != other.sorted.keys() or not np.allclose(self.lattice, other.lattice, atol=1e-6):
            return False
        return all(_alike(mine, other.sorted[pair]) for pair, mine in self.sorted.items())


def _alike(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether sorted distances agree; what only one has must lie at the limit, beyond which the other may have it."""
    both = min(len(one), len(two))
    more = one[both:] if len(one) > both else two[both:]
    return bool((np.abs(one[:both] - two[:both]) < _NEAR).all() and (more > _REACH - _NEAR).all())


def distances_of(crystals: Crystals) -> list[Distances]:
    """Return the distances of each crystal of a batch.

    Args:
        crystals: The crystals.

    Returns:
        One for each crystal.
    """
    crystals = crystals.to("cpu", torch.float64)
    nowhere = ~torch.isfinite(crystals.frac_coords).all(dim=-1)
    crystals = replace(crystals, frac_coords=torch.where(nowhere[:, None], 0.0, crystals.frac_coords))
    edges = edges_within(crystals, _REACH)
    mine = crystals.guest[edges.receiver]
    receiver, sender = edges.receiver[mine], edges.sender[mine]
    length = torch.linalg.norm(edges.vectors(crystals)[mine], dim=-1).numpy()
    numbers, index = crystals.atomic_numbers, crystals.crystal_index
    # in one order: by crystal, elements and length
    kind = (_KINDS * (_KINDS * index[receiver] + numbers[receiver]) + numbers[sender]).numpy()
    order = np.lexsort((length, kind))
    kinds, starts = np.unique(kind[order], return_index=True)
    parts = np.split(length[order], starts[1:]) if len(kinds) else []
    found: list[dict[int, np.ndarray]] = [{} for _ in range(crystals.n_crystals)]
    for each, part in zip(kinds.tolist(), parts, strict=True):
        found[each // _KINDS**2][each % _KINDS**2] = part
    lonely = crystals.guest & (torch.bincount(receiver, minlength=len(numbers)) == 0) | nowhere
    for c in torch.unique(index[lonely]).tolist():
        found[c][_FAR] = np.array([np.nan])  # an atom far from everything or nowhere, of whose place nothing is known
    return [Distances(cell, pairs) for cell, pairs in zip(crystals.lattice.numpy(), found, strict=True)]
