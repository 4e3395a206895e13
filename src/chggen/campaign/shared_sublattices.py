"""SharedSublattice: what orderings put on sublattices that share species, beside the occupancies that were given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chggen.generation import VACANT, Disorder, OrderingRelation

_EMPTY: Final = "vacancy"  # what an empty site is called in plain data


@dataclass(frozen=True)
class SharedSublattice:
    """A sublattice that shares an element with another one, so that the composition does not fix what it holds.

    Attributes:
        label: What the structure calls the first of its sites.
        sites: Number of its sites in the average primitive cell.
        given: Species to occupancy as it was given, `VACANT` among them.
        found: The same by the weights of the orderings found.
    """

    label: str
    sites: int
    given: Mapping[str, float]
    found: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, in which empty sites are called `vacancy`."""
        shares = {"given": named_shares(self.given), "found": named_shares(self.found)}
        return {"label": self.label, "sites": self.sites, **shares}


def named_shares(shares: Mapping[str, float]) -> dict[str, float]:
    """Return shares of species with a word for empty sites.

    Args:
        shares: Species to share, `VACANT` among them.
    """
    return {symbol or _EMPTY: share for symbol, share in shares.items()}


def shared_sublattices(
    disorder: Disorder, weighted: Sequence[tuple[float, OrderingRelation]]
) -> Iterator[SharedSublattice]:
    """Yield the sublattices that share an element with another one, if one of both is disordered.

    Args:
        disorder: What the disordered structure says.
        weighted: Weights of orderings, which sum to 1, and how they relate to the average crystal.
    """
    if not weighted:
        return
    every = disorder.sublattices
    for k, own in enumerate(every):
        partners = [o for o in every if o is not own and set(own.occupancy) & set(o.occupancy) - {VACANT}]
        if not partners or all(len(one.occupancy) == 1 for one in (own, *partners)):
            continue
        species = dict.fromkeys([*own.occupancy, *(s for _, relation in weighted for s in relation.shares[k])])
        found = {s: sum(weight * relation.shares[k].get(s, 0.0) for weight, relation in weighted) for s in species}
        yield SharedSublattice(own.label, len(own.sites), dict(own.occupancy), found)
