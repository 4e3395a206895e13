"""Low orderings of a disordered structure, by whichever way their number allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.generation.disorder import Disorder
from chggen.generation.ordering_cells import OrderingCell, larger_cells
from chggen.generation.ordering_energies import Energies, of_charges, of_potential
from chggen.generation.ordering_sites import OrderingSites
from chggen.generation.ordering_swaps import REPLICAS, swapped
from chggen.generation.orderings import Ordering, all_orderings, can_be_listed, count_of_ways, distinct, drawn_orderings
from chggen.potential import Potential

if TYPE_CHECKING:
    from pymatgen.core import Structure

ENUMERATION: Final = "enumeration"
SWAPS: Final = "swaps"
_ALL_WAYS: Final = 40_000  # to fill all cells that are enumerated
_CELLS: Final = 60  # that are enumerated
_ATOMS: Final = 64  # of cells that are larger than the smallest one
_COMPARED: Final = 256  # enumerated orderings that the potential compares
_SYMMETRIC: Final = 64  # of them, those that keep most symmetry, whatever their charges say
_SWEEPS_OF_CHARGES: Final = 400
_FROM_CHARGES: Final = 48  # orderings low by their charges that the potential looks at
_SWEEPS: Final = 18  # of all replicas by the potential
_EQUAL: Final = 2e-5  # eV/atom between energies of one crystal in two cells


@dataclass(frozen=True)
class FoundOrdering:
    """A low ordering.

    Attributes:
        structure: The ordered structure, on the average sites.
        energy: Energy before relaxation, eV/atom.
        ways: How many ways of filling the sites are the same crystal; None where they were not counted.
        source: How it was found.
    """

    structure: Structure
    energy: float
    ways: int | None
    source: str


@dataclass(frozen=True)
class _Listed:
    """An ordering of one of several cells."""

    sites: OrderingSites
    ordering: Ordering
    by_charges: float  # eV/atom

    @property
    def atoms(self) -> int:
        return self.sites.cell.atoms


def low_orderings(
    disorder: Disorder, cell: OrderingCell, potential: Potential, n: int, seed: int, max_atoms: int
) -> list[FoundOrdering]:
    """Return distinct orderings, the lowest in energy first.

    Where all ways to fill the smallest cell can be looked at, they are, and those of other shapes and larger cells as
    well, as far as they can. The potential compares them as they are; of more than it can, those that are low by their
    charges and those that keep most symmetry. Of more ways, replica exchange of swaps looks for low ones, by charges
    first and from there by the potential.

    Args:
        disorder: The disordered structure.
        cell: The smallest cell and what its sites hold.
        potential: What gives energies.
        n: How many.
        seed: Random seed.
        max_atoms: Most atoms of a cell.

    Raises:
        InputError: The sites lie too close together to be filled as often as asked for.
    """
    from pymatgen.analysis.structure_matcher import StructureMatcher

    sites = OrderingSites.of(disorder, cell)
    if not can_be_listed(sites):
        return _swapped(sites, disorder, potential, n, seed)
    listed = _enumerated(disorder, cell, max_atoms, seed)
    found = []
    for own in {id(entry.sites): entry.sites for entry in listed}.values():
        mine = [entry.ordering for entry in listed if entry.sites is own]
        energies = of_potential(own, potential)(np.array([ordering.held for ordering in mine])) / own.cell.atoms
        found += [(float(e), own, ordering) for e, ordering in zip(energies, mine, strict=True)]
    kept: list[FoundOrdering] = []
    matcher = StructureMatcher(scale=False)
    for energy, own, ordering in sorted(found, key=lambda entry: (round(entry[0], 5), entry[1].cell.atoms)):
        if len(kept) == n:
            break
        structure = own.structure(ordering.held)
        if not any(energy - other.energy < _EQUAL and matcher.fit(structure, other.structure) for other in kept):
            kept.append(FoundOrdering(structure, energy, ordering.ways, ENUMERATION))
    return kept


def _enumerated(disorder: Disorder, smallest: OrderingCell, max_atoms: int, seed: int) -> list[_Listed]:
    """Return the orderings that the potential compares: of all cells that can be enumerated."""
    listed: list[_Listed] = []
    left = _ALL_WAYS
    for k, cell in enumerate(larger_cells(disorder, smallest, min(max_atoms, max(_ATOMS, smallest.atoms)))):
        sites = OrderingSites.of(disorder, cell)
        left -= count_of_ways(sites)
        if k and (left < 0 or k >= _CELLS):
            break
        orderings = all_orderings(sites) or []
        by_charges = of_charges(sites, disorder.states)
        held = np.array([ordering.held for ordering in orderings]).reshape(-1, len(sites.frac))
        charges = by_charges(held) / cell.atoms if by_charges is not None and len(held) else np.zeros(len(held))
        listed += [_Listed(sites, o, float(e)) for o, e in zip(orderings, charges, strict=True)]
    if len(listed) <= _COMPARED:
        return listed
    rank = np.random.default_rng(seed).permutation(len(listed))
    symmetric = sorted(range(len(listed)), key=lambda k: (listed[k].ordering.ways, rank[k]))
    low = sorted(range(len(listed)), key=lambda k: (round(listed[k].by_charges, 6), rank[k]))
    chosen = dict.fromkeys([*symmetric[:_SYMMETRIC], *low])
    return [listed[k] for k in list(chosen)[:_COMPARED]]


def _swapped(sites: OrderingSites, disorder: Disorder, potential: Potential, n: int, seed: int) -> list[FoundOrdering]:
    """Return low orderings that swaps find."""
    held, energies = _visited(sites, of_charges(sites, disorder.states), of_potential(sites, potential), seed)
    rising = np.argsort(np.round(energies, 6), kind="stable")
    held, energies = held[rising], energies[rising] / sites.cell.atoms
    first = distinct(sites, held)
    return [FoundOrdering(sites.structure(held[k]), float(energies[k]), None, SWAPS) for k in first[:n]]


def _visited(
    sites: OrderingSites, by_charges: Energies | None, by_potential: Energies, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return orderings that swaps visit and their energies by the potential."""
    start = drawn_orderings(sites, REPLICAS, seed)
    if by_charges is not None:
        spread = float(by_charges(start).std())
        seen, values = swapped(sites, start, by_charges, _SWEEPS_OF_CHARGES, spread, seed)
        seen = seen[np.argsort(np.round(values, 6), kind="stable")]
        first = distinct(sites, seen)[:_FROM_CHARGES]
        pool = np.concatenate([seen[first], start])
    else:
        pool = drawn_orderings(sites, _FROM_CHARGES + len(start), seed)
    energies = by_potential(pool)
    lowest = np.argsort(np.round(energies, 6), kind="stable")[:REPLICAS]
    spread = float(np.nan_to_num(energies[-len(start) :].std(), nan=1.0, posinf=1.0))
    seen, values = swapped(sites, pool[lowest], by_potential, _SWEEPS, spread, seed + 1)
    return np.concatenate([pool, seen]), np.concatenate([energies, values])
