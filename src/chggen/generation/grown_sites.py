"""Sites by which the parts of a host grow into a region between them, each by its own pattern.

Two grains, or two crystals, have no symmetry in common that would tell what belongs between them. Each goes on by its
own, layer by layer, until they meet. Where they meet is drawn: the boundary may lie anywhere in the region.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float, Int

from chggen.generation.continued_sites import clustered, places_told
from chggen.generation.host import Host
from chggen.regions import EitherOf, Near, Without, region_for

if TYPE_CHECKING:
    from pymatgen.core import Structure

_BONDED: Final = 1.2  # of the distance to the nearest atom, the larger of two, up to which both hang together
_REACH: Final = 5.0  # Å, within which each atom has its nearest
_OWN: Final = 2.5  # Å around a part, where its pattern has to be seen
_LEAST: Final = 0.2  # of the atoms, which a part has at least
_NEAREST: Final = 8  # atoms of a part, whose mean distance is that of the part
_APART: Final = (0.6, 0.5, 0.4, 0.3)  # of the sum of covalent radii, one after the other


@dataclass(frozen=True, kw_only=True)
class GrownSites:
    """The sites by which the parts of a host go on into the regions of its guests.

    Attributes:
        host: The host.
        places: Fractional coordinates of the sites, of shape (sites, 3).
        kinds: Their atomic numbers, of shape (sites,).
        parts: Number of the part that each belongs to, of shape (sites,).
        lead: How much nearer each lies to its own part than to the nearest other one, Å, of shape (sites,).
    """

    host: Host
    places: Float[np.ndarray, "sites 3"]
    kinds: Int[np.ndarray, "sites"]
    parts: Int[np.ndarray, "sites"]
    lead: Float[np.ndarray, "sites"]

    @classmethod
    def of(cls, host: Host) -> GrownSites | None:
        """Return the sites of a host; None where it hangs together, or none of its parts shows a pattern.

        Args:
            host: A host whose guests have regions.
        """
        parts = parts_of(host.framework)
        if not host.regions or len(parts) < 2:
            return None
        lattice, frac = host.framework.lattice, host.framework.frac_coords
        sites = []
        for number, part in enumerate(parts):
            own = _alone(host, part)
            here = [site for site in clustered(own, places_told(own)) if _inside(host, site[1], site[2])]
            if not here:
                continue
            places = np.array([place for *_, place in here])
            distances = lattice.get_all_distances(places, frac)
            away = [np.sort(distances[:, other])[:, :_NEAREST].mean(1) for other in parts]
            lead = np.min([d for k, d in enumerate(away) if k != number], axis=0) - away[number]
            sites += [(place, kind, number, far) for (_, kind, place), far in zip(here, lead, strict=True)]
        if not sites:
            return None
        places, kinds, owners, lead = (np.array(column) for column in zip(*sites, strict=True))
        return cls(host=host, places=places, kinds=kinds, parts=owners, lead=lead)

    def drawn(self, width: float, seed: int) -> Float[np.ndarray, "guests 3"] | None:
        """Return sites for the guests, those that lie deepest in what one part grows into first.

        Args:
            width: How far the place where parts meet lies from halfway, standard deviation in Å.
            seed: Random seed.

        Returns:
            Fractional coordinates of shape (guests, 3), in the order of the guests; None where they do not fit.
        """
        from ase.data import covalent_radii

        rng = np.random.default_rng(seed)
        ahead = width * rng.standard_normal(int(self.parts.max()) + 1)
        order = np.lexsort((np.arange(len(self.lead)), -(self.lead + ahead[self.parts]).round(6)))
        framework = self.host.framework
        radii = [covalent_radii[site.specie.Z] for site in framework]
        distances = framework.lattice.get_all_distances(
            self.places, np.concatenate([framework.frac_coords, self.places])
        )
        sums = np.array(covalent_radii[self.kinds])[:, None] + np.array([*radii, *covalent_radii[self.kinds]])
        ratio = distances / sums
        for apart in _APART:
            chosen = self._fitting(order, ratio, len(framework), apart)
            if chosen is not None:
                return self.places[chosen]
        return None

    def _fitting(self, order: np.ndarray, ratio: np.ndarray, held: int, apart: float) -> list[int] | None:
        """Return numbers of sites for the guests, in their order, so much of the radii apart; None for too few."""
        from ase.data import atomic_numbers

        wanted = {atomic_numbers[symbol]: count for symbol, count in self.host.guests.items()}
        taken: dict[int, list[int]] = {kind: [] for kind in wanted}
        present = list(range(held))
        for k in order:
            own = taken.get(int(self.kinds[k]))
            if own is None or len(own) == wanted[int(self.kinds[k])] or ratio[k, present].min() < apart:
                continue
            own.append(int(k))
            present.append(held + int(k))
        if any(len(taken[kind]) < count for kind, count in wanted.items()):
            return None
        return [k for own in taken.values() for k in own]


def parts_of(framework: Structure) -> list[Int[np.ndarray, "_"]]:
    """Return the parts of a structure that do not hang together, each as the numbers of its atoms.

    Args:
        framework: The structure.

    Returns:
        Parts of at least a fifth of the atoms each, the first atoms first; none for an empty structure.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(framework):
        return []
    centers, others, _, distances = framework.get_neighbor_list(_REACH)
    nearest = np.full(len(framework), np.inf)
    np.minimum.at(nearest, centers, distances)
    bonded = distances < _BONDED * np.maximum(nearest[centers], nearest[others])
    pairs = (np.ones(bonded.sum()), (centers[bonded], others[bonded]))
    count, label = connected_components(coo_matrix(pairs, shape=(len(framework), len(framework))), directed=False)
    parts = [np.flatnonzero(label == k) for k in range(count)]
    return [part for part in parts if len(part) >= _LEAST * len(framework)]


def _inside(host: Host, kind: int, place: np.ndarray) -> bool:
    """Return whether a place lies in the region of the guests of an element."""
    from ase.data import chemical_symbols

    region = region_for(host.regions, chemical_symbols[kind])
    return region is None or bool(region.contains(place[None] @ host.framework.lattice.matrix)[0])


def _alone(host: Host, part: np.ndarray) -> Host:
    """Return one part of a host, whose guests also go wherever it says nothing: away from its atoms."""
    framework = host.framework.copy()
    framework.remove_sites(sorted(set(range(len(framework))) - set(part.tolist())))
    lattice = framework.lattice
    silent = Without(lattice, Near(lattice, framework.frac_coords, _OWN))
    regions = {
        symbol: EitherOf(lattice, (region, silent))
        for symbol in host.guests
        if (region := region_for(host.regions, symbol)) is not None
    }
    return replace(host, framework=framework, regions=regions)
