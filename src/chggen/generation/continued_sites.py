"""Sites by which a host's own pattern goes on into a region: where its symmetry puts atoms that are not there.

A crystal with a hole still shows its symmetry outside the hole. Every operation that takes the atoms around it into
each other tells where atoms of the hole belong. No table of known crystals is needed, and the crystal may be strained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float

from chggen.generation.host_operations import (
    NEAR,
    HostOperation,
    host_operations,
    host_translations,
    inside,
    meets,
    places_of,
)

if TYPE_CHECKING:
    from pymatgen.core import Lattice, Structure

    from chggen.generation.host import Host

_APART: Final = 0.7  # Å; sites that lie closer exclude each other
_MOST_ATOMS: Final = 600  # of a host; larger ones would take minutes
_ROUNDS: Final = 4  # in which sites that were found show operations that find more


@dataclass(frozen=True)
class Continued:
    """How a host's own pattern goes on into the regions of its guests.

    Attributes:
        sites: Guest symbol to fractional coordinates, of shape (sites, 3), at most as many as there are guests of it.
        translations: Fractional translations by which the host repeats itself, of shape (translations, 3), no
            translation first.
    """

    sites: Mapping[str, Float[np.ndarray, "sites 3"]]
    translations: Float[np.ndarray, "translations 3"]

    @property
    def found(self) -> int:
        """Number of sites."""
        return sum(map(len, self.sites.values()))


def continued(host: Host) -> Continued | None:
    """Return how a host's own pattern goes on into the regions of its guests.

    Where operations do not tell all sites at once, those they tell are added to the host, whose operations may then
    tell more.

    Args:
        host: A host whose guests have regions.

    Returns:
        Sites that most operations agree on, and translations. Where there are fewer sites than guests, the sites repeat
        by the translations as the host does. None for hosts without regions, of one atom, or too large.
    """
    if not host.regions or not 2 <= len(host.framework) <= _MOST_ATOMS:
        return None
    operations = host_operations(host)
    translations = host_translations(host, operations)
    sites = {symbol: np.zeros((0, 3)) for symbol in host.guests}
    for _ in range(_ROUNDS):
        left = {s: n - len(sites[s]) for s, n in host.guests.items() if n > len(sites[s])}
        now = replace(host, framework=_with(host, sites), guests=left) if left else host
        more = _chosen(now, _places(now, operations), translations) if left else {}
        if not any(map(len, more.values())):
            break
        sites |= {symbol: np.concatenate([sites[symbol], places]) for symbol, places in more.items()}
        operations = host_operations(replace(host, framework=_with(host, sites)))
    return Continued(sites, translations)


def _with(host: Host, sites: Mapping[str, np.ndarray]) -> Structure:
    """Return the framework of a host with atoms on sites."""
    filled = host.framework.copy()
    for symbol, places in sites.items():
        for place in places:
            filled.append(symbol, place)
    return filled


def _places(host: Host, operations: Sequence[HostOperation]) -> list[tuple[str, np.ndarray]]:
    """Return where operations put atoms that are not there, with their symbols, as often as operations say so."""
    frac, numbers = places_of(host.framework)
    found: list[tuple[str, np.ndarray]] = []
    for operation in operations:
        moved = operation(frac)
        free = ~meets(host.framework.lattice, moved, frac)[0]
        for symbol in host.guests:
            own = np.flatnonzero(free & (numbers == _number(symbol)))
            own = own[inside(host, symbol, moved[own])]
            found += [(symbol, place % 1.0) for place in moved[own]]
    return found


def _chosen(
    host: Host, found: list[tuple[str, np.ndarray]], translations: np.ndarray
) -> dict[str, Float[np.ndarray, "sites 3"]]:
    """Return the sites that come most often; where they are too few, those that repeat as the host does."""
    lattice = host.framework.lattice
    sites: list[tuple[int, str, np.ndarray]] = []  # how often, symbol, place
    left = found
    while left:
        symbol, place = left[0]
        off = np.array([other for _, other in left]) - place
        off -= np.round(off)
        near = np.linalg.norm(off @ lattice.matrix, axis=-1) < NEAR
        same = near & np.array([s == symbol for s, _ in left])
        sites.append((int(same.sum()), symbol, place + off[same].mean(0)))
        left = [entry for entry, gone in zip(left, same, strict=True) if not gone]
    taken: dict[str, list[np.ndarray]] = {symbol: [] for symbol in host.guests}
    everywhere: list[np.ndarray] = []
    for _, symbol, place in sorted(sites, key=lambda site: (-site[0], site[1], tuple(site[2]))):
        if len(taken[symbol]) < host.guests[symbol] and _clear(lattice, place, everywhere):
            taken[symbol].append(place)
            everywhere.append(place)
    if any(len(taken[symbol]) < count for symbol, count in host.guests.items()):
        taken = {symbol: _repeating(lattice, places, translations) for symbol, places in taken.items()}
    return {symbol: np.array(places).reshape(-1, 3) for symbol, places in taken.items()}


def _clear(lattice: Lattice, place: np.ndarray, others: list[np.ndarray]) -> bool:
    """Return whether a place is no closer to others than sites may be."""
    off = np.array(others).reshape(-1, 3) - place
    off -= np.round(off)
    return bool((np.linalg.norm(off @ lattice.matrix, axis=-1) > _APART).all())


def _repeating(lattice: Lattice, places: list[np.ndarray], translations: np.ndarray) -> list[np.ndarray]:
    """Return the places whose images under all translations are places, too."""
    every = np.array(places).reshape(-1, 3)
    return [place for place in places if meets(lattice, place + translations, every)[0].all()]


def _number(symbol: str) -> int:
    from pymatgen.core import Element

    return int(Element(symbol).Z)
