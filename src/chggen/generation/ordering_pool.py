"""Pools of orderings with their energies, before any is relaxed, and distinct low ones of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float, Int

from chggen.generation.ordering_registry import FoundOrdering
from chggen.generation.ordering_sites import OrderingSites

if TYPE_CHECKING:
    from pymatgen.core import Structure

_EQUAL: Final = 2e-5  # eV/atom between energies of one crystal in two cells


@dataclass(frozen=True)
class Pooled:
    """An ordering of one of several cells, with its energy.

    Attributes:
        sites: The sites of its cell.
        held: What each site holds, of shape (sites,).
        energy: Energy before relaxation, eV/atom.
        source: Name of the source that it comes from.
    """

    sites: OrderingSites
    held: Int[np.ndarray, "sites"]
    energy: float
    source: str

    @property
    def structure(self) -> Structure:
        """The ordered structure, on the average sites."""
        return self.sites.structure(self.held)


def pooled(
    sites: OrderingSites,
    held: Int[np.ndarray, "orderings sites"],
    energies: Float[np.ndarray, "orderings"],
    source: str,
) -> list[Pooled]:
    """Return orderings of one cell as a pool.

    Args:
        sites: The sites of the cell.
        held: Orderings, of shape (orderings, sites).
        energies: Their energies, eV for the cell, of shape (orderings,).
        source: Name of the source that they come from.
    """
    per_atom = energies / sites.cell.atoms
    return [Pooled(sites, own, float(e), source) for own, e in zip(held, per_atom, strict=True) if np.isfinite(e)]


def rising(pool: Iterable[Pooled]) -> list[Pooled]:
    """Return a pool by rising energy, smaller cells first among equals.

    Args:
        pool: Orderings.
    """
    return sorted(pool, key=lambda entry: (round(entry.energy, 5), entry.sites.cell.atoms))


class Distinct:
    """Orderings that are distinct crystals, which are taken one after the other."""

    def __init__(self) -> None:
        from pymatgen.analysis.structure_matcher import StructureMatcher

        self.taken: list[FoundOrdering] = []
        self._matcher = StructureMatcher(scale=False)

    def take(self, pool: Iterable[Pooled], n: int) -> None:
        """Take orderings from a pool that are none of those taken.

        Args:
            pool: Orderings, those to be taken first come first.
            n: How many at most.
        """
        wanted = len(self.taken) + n
        for entry in pool:
            if len(self.taken) >= wanted:
                return
            structure = entry.structure
            alike = (own for own in self.taken if abs(entry.energy - own.energy) < _EQUAL)
            if not any(self._matcher.fit(structure, own.structure) for own in alike):
                self.taken.append(FoundOrdering(structure, entry.energy, entry.source))


def shared_out(pools: Sequence[tuple[float, Sequence[Pooled]]], n: int) -> list[FoundOrdering]:
    """Return distinct orderings of several pools, each by its share; what a pool lacks goes to the lowest of all.

    Args:
        pools: For each pool its share in the number wanted, and its orderings; pools may overlap.
        n: Number wanted.

    Returns:
        Orderings by rising energy.
    """
    distinct = Distinct()
    for share, pool in pools:
        distinct.take(rising(pool), min(n - len(distinct.taken), round(share * n)))
    distinct.take(rising(entry for _, pool in pools for entry in pool), n - len(distinct.taken))
    return sorted(distinct.taken, key=lambda found: round(found.energy, 5))
