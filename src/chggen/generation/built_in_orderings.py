"""The sources of orderings of chggen's own: all of them, symmetric ones, swaps, and sampled mobile species."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from chggen.errors import InputError
from chggen.generation.host import default_guests
from chggen.generation.ordering_cells import other_cells
from chggen.generation.ordering_energies import Energies, of_charges
from chggen.generation.ordering_pool import Pooled, pooled, shared_out
from chggen.generation.ordering_registry import LATTICE, FoundOrdering, OrderingRequest
from chggen.generation.ordering_sites import OrderingSites
from chggen.generation.ordering_swaps import REPLICAS, swapped
from chggen.generation.ordering_symmetry import symmetric_orderings
from chggen.generation.orderings import all_orderings, can_be_listed, count_of_ways, distinct, drawn_orderings

_ALL_WAYS: Final = 40_000  # to fill all cells that are enumerated
_CELLS: Final = 60  # that are enumerated
_ATOMS: Final = 64  # of cells that are enumerated beside the first ones
_COMPARED: Final = 256  # enumerated orderings of all cells that the potential compares
_MOST_SYMMETRIC: Final = 64  # of them, those that keep most symmetry, whatever their charges say
_SYMMETRIC: Final = 64  # symmetric orderings that the potential compares where not all can be listed
_SWEEPS_OF_CHARGES: Final = 400
_FROM_CHARGES: Final = 48  # orderings low by their charges that the potential looks at
_SWEEPS: Final = 18  # of all replicas by the potential


class Enumeration:
    """A source of orderings: all ways to fill the first cells, and cells of other shapes and sizes as far as possible.

    Three quarters of what is wanted come from the first cells, in equal parts, the others from all other cells.
    """

    name: str = "enumeration"

    def orderings(self, request: OrderingRequest) -> Sequence[FoundOrdering]:
        """Return the lowest orderings of each cell; none where the ways to fill the first cells are too many.

        Args:
            request: What is wanted.

        Raises:
            InputError: No cell leaves all atoms far enough apart.
        """
        return shared_out(enumerated(request), request.n)


class Symmetric:
    """A source of orderings: those of the first cell that keep a subgroup of the average structure's group."""

    name: str = "symmetric"

    def orderings(self, request: OrderingRequest) -> Sequence[FoundOrdering]:
        """Return the lowest symmetric orderings.

        Args:
            request: What is wanted.
        """
        return shared_out([(1.0, _symmetric(request.sites[0], request))], request.n)


class Swaps:
    """A source of orderings: those that replica exchange of swaps visits, by charges first, then by the potential.

    It begins with symmetric orderings and with drawn ones, and a third of what is wanted are symmetric ones.
    """

    name: str = "swaps"

    def orderings(self, request: OrderingRequest) -> Sequence[FoundOrdering]:
        """Return low orderings of the first cell.

        Args:
            request: What is wanted.
        """
        return shared_out(swapped_pools(request.sites[0], request), request.n)


class SampledGuests:
    """A source of orderings: low ones whose mobile species is sampled by the score model from where it stands."""

    name: str = "guests"

    def orderings(self, request: OrderingRequest) -> Sequence[FoundOrdering]:
        """Return low orderings with their mobile species marked.

        Args:
            request: What is wanted.

        Raises:
            InputError: No species of the structure is mobile.
        """
        mobile = default_guests(request.cells[0].species)
        if not mobile:
            raise InputError(
                "guests need a mobile species such as Li in the structure; use --orderings-from lattice or auto"
            )
        from chggen.generation.ordering_search import low_orderings

        found = low_orderings(request, LATTICE)
        return [replace(ordering, source=self.name, mobile=mobile[0]) for ordering in found]


def enumerated(request: OrderingRequest) -> list[tuple[float, list[Pooled]]]:
    """Return pools of the orderings of cells whose ways can be listed, each with its share; none for none.

    A cell whose shape leaves no room for its atoms gives its share to the others.

    Args:
        request: What is wanted.

    Raises:
        InputError: No cell leaves all atoms far enough apart.
    """
    first = [sites for sites in reversed(request.sites) if can_be_listed(sites)]  # crystals in their smaller cells
    pools, refused = [], None
    for sites in first:
        try:
            pools.append((0.75 / len(first), _listed(sites, request, _COMPARED)))
        except InputError as error:
            refused = error
    if first:
        pools.append((0.25, _of_other_cells(first, request)))
    if refused is not None and not any(pool for _, pool in pools):
        raise refused
    return pools


def _of_other_cells(first: Sequence[OrderingSites], request: OrderingRequest) -> list[Pooled]:
    """Return low orderings of cells of other shapes, and of larger ones."""
    most = min(request.max_atoms, max(_ATOMS, *(cell.atoms for cell in request.cells)))
    left = _ALL_WAYS - sum(map(count_of_ways, first))
    every: list[OrderingSites] = []
    for cell in other_cells(request.disorder, request.cells, most):
        sites = OrderingSites.of(request.disorder, cell)
        left -= count_of_ways(sites)
        if left < 0 or len(every) >= _CELLS:
            break
        every.append(sites)
    found: list[Pooled] = []
    for sites in every:
        try:
            found += _listed(sites, request, max(1, _COMPARED // len(every)))
        except InputError:  # this shape has no room for its atoms
            continue
    return found


def swapped_pools(sites: OrderingSites, request: OrderingRequest) -> list[tuple[float, list[Pooled]]]:
    """Return pools of what replica exchange visits in a cell, and of symmetric orderings, with their shares.

    Args:
        sites: The sites of the cell.
        request: What is wanted.

    Raises:
        InputError: The sites of the cell lie too close together to be filled so often.
    """
    symmetric = _symmetric(sites, request)
    charges = of_charges(sites, request.disorder.states)
    try:
        held, energies = _visited(sites, charges, request.energies(sites), request.seed, symmetric)
    except InputError:
        if not symmetric:
            raise
        return [(1.0, symmetric)]
    low = np.argsort(np.round(energies, 6), kind="stable")
    first = low[distinct(sites, held[low])][: 4 * request.n]
    return [(1 / 3, symmetric), (2 / 3, pooled(sites, held[first], energies[first], Swaps.name))]


def _listed(sites: OrderingSites, request: OrderingRequest, most: int) -> list[Pooled]:
    """Return all orderings of a cell with their energies; of more than so many those that are promising.

    Half of these are low by their charges, and up to a quarter of them keep most symmetry.
    """
    held = np.array([o.held for o in all_orderings(sites) or []]).reshape(-1, len(sites.frac))
    if len(held) > most:  # they come with those that keep most symmetry first
        charges = of_charges(sites, request.disorder.states)
        rank = np.random.default_rng(request.seed).permutation(len(held))
        low = np.lexsort((rank, np.round(charges(held), 6))) if charges is not None else np.argsort(rank)
        chosen = dict.fromkeys([*range(min(_MOST_SYMMETRIC, most // 4)), *low.tolist()])
        held = held[list(chosen)[:most]]
    if not len(held):
        return []
    return pooled(sites, held, request.energies(sites)(held), Enumeration.name)


def _symmetric(sites: OrderingSites, request: OrderingRequest) -> list[Pooled]:
    """Return symmetric orderings of a cell with their energies."""
    held = symmetric_orderings(sites, _SYMMETRIC, request.seed)
    if not len(held):
        return []
    return pooled(sites, held, request.energies(sites)(held), Symmetric.name)


def _visited(
    sites: OrderingSites,
    by_charges: Energies | None,
    by_potential: Energies,
    seed: int,
    symmetric: Sequence[Pooled],
) -> tuple[np.ndarray, np.ndarray]:
    """Return orderings that swaps visit and their energies by the potential, eV for the cell."""
    start = drawn_orderings(sites, REPLICAS, seed)
    if by_charges is None:
        pool = drawn_orderings(sites, _FROM_CHARGES, seed + 2)
    else:
        spread = float(by_charges(start).std())
        seen, values = swapped(sites, start, by_charges, _SWEEPS_OF_CHARGES, spread, seed)
        seen = seen[np.argsort(np.round(values, 6), kind="stable")]
        pool = seen[distinct(sites, seen)[:_FROM_CHARGES]]
    pool = np.concatenate([pool, start])
    energies = by_potential(pool)
    spread = float(np.nan_to_num(energies[-len(start) :].std(), nan=1.0, posinf=1.0))
    if symmetric:
        pool = np.concatenate([pool, [entry.held for entry in symmetric]])
        energies = np.concatenate([energies, [entry.energy * sites.cell.atoms for entry in symmetric]])
    lowest = np.argsort(np.round(energies, 6), kind="stable")[:REPLICAS]
    seen, values = swapped(sites, pool[lowest], by_potential, _SWEEPS, spread, seed + 1)
    return np.concatenate([pool, seen]), np.concatenate([energies, values])
