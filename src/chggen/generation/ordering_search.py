"""Orderings of a disordered structure from all sources on one budget, or from one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from chggen.errors import InputError
from chggen.generation.built_in_orderings import (
    Enumeration,
    SampledGuests,
    Swaps,
    Symmetric,
    enumerated,
    swapped_pools,
)
from chggen.generation.host import default_guests
from chggen.generation.ordering_pool import shared_out
from chggen.generation.ordering_registry import LATTICE, FoundOrdering, OrderingRequest, ordering_sources
from chggen.generation.orderings import can_be_listed
from chggen.generation.sources import AUTO

_SHARE: Final = 4  # one of so many is sampled, where all sources share the budget
_OWN: Final = (Enumeration.name, Symmetric.name, Swaps.name, SampledGuests.name)


def low_orderings(request: OrderingRequest, orderings_from: str = AUTO) -> list[FoundOrdering]:
    """Return distinct orderings, the lowest in energy first.

    `lattice` takes the orderings of the cell one by one where they are few enough, and swaps where they are not, among
    which are symmetric ones. `auto` leaves one of four of them to sampled mobile species, which begin with the lowest,
    and takes one of each source of other packages.

    Args:
        request: What is wanted.
        orderings_from: `auto`, `lattice`, or the name of one source.

    Raises:
        InputError: The source has nothing for this structure, or its sites lie too close together to be filled as
            often as asked for.
    """
    if orderings_from not in (AUTO, LATTICE):
        found = list(ordering_sources()[orderings_from].orderings(request))
        if not found:
            raise InputError(
                f"source {orderings_from} has no orderings of this structure, mostly since there are too many, or none "
                "that keeps symmetry; use --orderings-from auto"
            )
        return found[: request.n]
    if orderings_from == LATTICE:
        return _on_sites(request)
    others = [source for name, source in ordering_sources().items() if name not in _OWN]
    others = others[: request.n - 1]
    added = [own for source in others for own in source.orderings(replace(request, n=1))[:1]]
    mobile = default_guests(request.cells[0].species)
    n_sampled = (request.n - len(added)) // _SHARE if mobile else 0
    found = _on_sites(replace(request, n=request.n - len(added) - n_sampled))
    sampled = [replace(own, source=SampledGuests.name, mobile=mobile[0]) for own in found[:n_sampled]]
    return [*found, *sampled, *added]


def _on_sites(request: OrderingRequest) -> list[FoundOrdering]:
    """Return orderings of all ways to fill a cell where they are few enough, and of swaps where they are not."""
    pools = enumerated(request)
    large = [sites for sites in request.sites if not can_be_listed(sites)]
    if large:
        rest = 0.5 if pools else 0.0
        pools = [(rest * share, pool) for share, pool in pools]
        pools += [((1 - rest) * share, pool) for share, pool in swapped_pools(large[0], request)]
    return shared_out(pools, request.n)
